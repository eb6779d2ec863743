"""CSV files that are the same, byte by byte, whenever and wherever they are written."""

from pathlib import Path

import numpy as np
import pandas as pd

from digits.errors import UserError
from digits.files import replacing

PREDICTIONS = {"index": "int64", "label": "int64", "predicted": "int64", "confidence": "float64"}


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table; floats get 6 decimals, because the last bits differ between machines."""
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6f", lineterminator="\n")


def predictions(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
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


def read_predictions(path: Path) -> pd.DataFrame:
    """Read what `predictions` gave and `write` wrote.

    Raises:
        UserError: the file is missing or holds anything else.
    """
    try:
        return pd.read_csv(path, usecols=list(PREDICTIONS), dtype=PREDICTIONS)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not what `evaluate` writes: {reason}") from None
