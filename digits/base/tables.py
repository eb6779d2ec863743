"""CSV files that are the same, byte by byte, whenever and wherever they are written."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from digits.base.errors import UserError
from digits.base.files import replacing
from digits.base.text import one_line

PREDICTIONS = {"index": "int64", "label": "int64", "predicted": "int64", "confidence": "float64"}


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table; floats get 6 decimals, because the last bits differ between machines."""
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6f", lineterminator="\n")


def tabulate_predictions(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """What a model says about each image.

    Args:
        probabilities: `float32 (N, classes)`.
        labels: `uint8 (N,)`.

    Returns:
        A row for each image: `index`, `label`, `predicted`, and `confidence`, the
        probability of the predicted class.
    """
    columns = {
        "index": np.arange(len(labels)),
        "label": labels,
        "predicted": probabilities.argmax(axis=1),
        "confidence": probabilities.max(axis=1),
    }
    return pd.DataFrame(columns).astype(PREDICTIONS)


def parse_predictions(content: bytes, source: str) -> pd.DataFrame:
    """Read the content of a file that `write` wrote of a table from `tabulate_predictions`.

    Raises:
        UserError: it is anything else, with the source's name.
    """
    try:
        return pd.read_csv(io.BytesIO(content), usecols=list(PREDICTIONS), dtype=PREDICTIONS)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{source}: not what `evaluate` writes: {one_line(error)}") from None


def read_predictions(path: Path) -> pd.DataFrame:
    """Read the file of a table from `tabulate_predictions`; see `parse_predictions`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: not what `evaluate` writes: {one_line(error)}") from None
    return parse_predictions(content, str(path))
