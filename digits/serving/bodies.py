"""From the body of a request to pictures and images; what cannot be one is a UserError."""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import python_multipart
from pydantic_core import from_json

from digits.base.errors import UserError
from digits.base.text import one_line, shape_text

KEYS = ("inputs", "instances", "dataframe_split")
MOST_PARTS = 10  # fields of a form
DEEPEST = 4  # lists in lists that an image may be
SPARSENESS = 20  # least bytes of JSON for each list or object, beyond the first FEW
FEW = 100
FEW_QUOTES = 10_000  # quotes: the names of 784 columns and more


def raw(body: bytes, shape: Sequence[int]) -> np.ndarray:
    """Read bytes, a pixel each, as images `uint8 (N, *shape)`."""
    size = math.prod(shape)
    if not body or len(body) % size:
        raise UserError(f"{len(body)} bytes: must be a multiple of {size}, one a pixel, 255 ink")
    return np.frombuffer(body, np.uint8).reshape(-1, *shape)


def most_images(body: bytes, shape: Sequence[int]) -> int:
    """How many images a body of JSON has at most: a pixel is a digit and a comma."""
    return max(1, len(body) // (2 * math.prod(shape)))


def scoring(body: bytes, shape: Sequence[int]) -> np.ndarray:
    """Read JSON of MLflow's scoring protocol as images `uint8 (N, *shape)`.

    `inputs` and `instances` are arrays, nested as images or a row of pixels each;
    `dataframe_split` has a column for each pixel, or one column of images.
    """
    expected = f"images of {shape_text(shape)} pixels, or of {math.prod(shape)} in a row"
    _check_sparseness(body, expected)
    try:
        # It makes Python's objects at once: parsers with a tree of their own hold both, which
        # takes twice the memory.
        request = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise UserError(f"not JSON: {error}") from None
    if not isinstance(request, dict) or len(given := request.keys() & set(KEYS)) != 1:
        raise UserError(f"must be an object with one of the keys {', '.join(KEYS)}")
    (value,) = (request[key] for key in given)
    if "dataframe_split" in given:
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise UserError('dataframe_split: must be {"columns": [...], "data": [[...], ...]}')
        value = value["data"]
    return _images(value, shape, expected)


def form(body: bytes, content_type: str) -> bytes:
    """Read the field `file` of a form."""
    parts = 0
    files: list[bytes] = []

    def count(part: Any) -> None:
        nonlocal parts
        parts += 1
        if parts > MOST_PARTS:
            raise UserError(f"a form has at most {MOST_PARTS} fields")

    def take(file: Any) -> None:
        count(file)
        if file.field_name == b"file" and not files:
            file.file_object.seek(0)
            files.append(file.file_object.read())
        file.close()

    if "boundary=" not in content_type.lower():
        raise UserError("not a form: its media type names no boundary")
    headers = {"Content-Type": content_type.encode("latin-1")}
    try:
        python_multipart.parse_form(headers, io.BytesIO(body), count, take)
    except python_multipart.exceptions.FormParserError as error:
        raise UserError(f"not a form: {one_line(error)}") from None
    if not files:
        raise UserError("the form has no file of the name `file`")
    return files[0]


def _check_sparseness(body: bytes, expected: str) -> None:
    """Refuse JSON of which no part can be images, before it is read.

    An empty list, object or text takes up to 80 bytes of memory for three of JSON; where they
    are few, what is read takes at most 12 times the size of the body, of dense floats.
    """
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > FEW + len(body) / SPARSENESS or body.count(b'"') > FEW_QUOTES:
        raise UserError(f"too many lists, objects or texts for its size: must be {expected}")


def _images(value: Any, shape: Sequence[int], expected: str) -> np.ndarray:
    """Check the types and the shape of nested lists, then read their numbers."""
    if not isinstance(value, list):
        raise UserError(f"not numbers alone: must be {expected}")
    if not all(isinstance(image, list) for image in value):
        kind = "not numbers alone" if not _is_number(value[0]) else f"shape {_shape(value)}"
        raise UserError(f"{kind}: must be {expected}")
    if len(set(map(len, value))) > 1:
        raise UserError(f"lists of unequal length: must be {expected}")
    size = math.prod(shape)
    pixels = b"".join(_pixels(image, expected) for image in value)
    if not value or len(pixels) != len(value) * size:
        raise UserError(f"shape {_shape(value)}: must be {expected}")
    return np.frombuffer(pixels, np.uint8).reshape(-1, *shape)


def _pixels(value: Any, expected: str, depth: int = 0) -> bytes:
    """Read the pixels of nested lists, a byte each.

    `bytes` takes whole numbers from 0 to 255 and nothing else.
    """
    kinds = set(map(type, value)) if isinstance(value, list) else {type(value)}
    if kinds == {list} and depth < DEEPEST:
        if len(set(map(len, value))) > 1:
            raise UserError(f"lists of unequal length: must be {expected}")
        return b"".join(_pixels(part, expected, depth + 1) for part in value)
    if kinds > {list}:
        raise UserError(f"lists of unequal length: must be {expected}")
    if not kinds <= {int, float}:
        raise UserError(f"not numbers alone: must be {expected}")
    numbers = value if isinstance(value, list) else [value]
    try:
        if float in kinds and all(map(float.is_integer, map(float, numbers))):
            numbers = list(map(int, numbers))
        return bytes(numbers)
    except (TypeError, ValueError, OverflowError):
        raise UserError(
            "a pixel must be a whole number from 0, the ground, to 255, the ink"
        ) from None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)  # not bool, which is an int


def _shape(value: Any) -> tuple[int, ...]:
    """Find the shape of nested lists by the first of each."""
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)
