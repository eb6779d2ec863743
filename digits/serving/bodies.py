"""From the body of a request to pictures and images; what cannot be one is a UserError."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from digits.base.errors import UserError
from digits.base.text import shape_text

KEYS = ("inputs", "instances", "dataframe_split")


def raw(body: bytes, shape: Sequence[int]) -> np.ndarray:
    """Bytes, a pixel each, as images `uint8 (N, *shape)`."""
    size = math.prod(shape)
    if not body or len(body) % size:
        raise UserError(f"{len(body)} bytes: must be a multiple of {size}, one a pixel, 255 ink")
    return np.frombuffer(body, np.uint8).reshape(-1, *shape)


def scoring(body: bytes, shape: Sequence[int]) -> np.ndarray:
    """JSON of MLflow's scoring protocol as images `uint8 (N, *shape)`.

    `inputs` and `instances` are arrays, nested as images or a row of pixels each;
    `dataframe_split` has a column for each pixel, or one column of images.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UserError(f"not JSON: {error}") from None
    if not isinstance(request, dict) or len(given := request.keys() & set(KEYS)) != 1:
        raise UserError(f"must be an object with one of the keys {', '.join(KEYS)}")
    (value,) = (request[key] for key in given)
    if "dataframe_split" in given:
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise UserError('dataframe_split: must be {"columns": [...], "data": [[...], ...]}')
        value = value["data"]
    return _images(value, shape)


def _images(value: Any, shape: Sequence[int]) -> np.ndarray:
    size = math.prod(shape)
    expected = f"images of {shape_text(shape)} pixels, or of {size} in a row"
    try:
        pixels = np.asarray(value)
    except ValueError:
        raise UserError(f"lists of unequal length: must be {expected}") from None
    if pixels.dtype.kind not in "iuf":
        raise UserError(f"not numbers alone: must be {expected}")
    rows = pixels.reshape(len(pixels), -1) if pixels.ndim > 1 and pixels.size else pixels
    if rows.ndim != 2 or rows.shape[1] != size:
        raise UserError(f"shape {pixels.shape}: must be {expected}")
    if not ((rows >= 0) & (rows <= 255) & (rows == np.rint(rows))).all():
        raise UserError("a pixel must be a whole number from 0, the ground, to 255, the ink")
    return rows.astype(np.uint8).reshape(-1, *shape)
