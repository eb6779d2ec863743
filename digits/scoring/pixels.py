"""From an Arrow column of pictures, however they are stored, to images, or to what is wrong."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from digits.base.errors import UserError
from digits.recognition.decoding import decode

MISSING = "no picture"
UNREADABLE = "not a picture that can be read"
WRONG_SIZE = "not of the model's size"
OUT_OF_RANGE = "a value that is no whole number from 0 to 255"
FAILED = "the recogniser failed"
ERRORS = (MISSING, UNREADABLE, WRONG_SIZE, OUT_OF_RANGE, FAILED)


def is_encoded(type_: pa.DataType) -> bool:
    """Whether a column holds picture files rather than values."""
    return pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_struct(type_)


def files_of(column: pa.Array) -> list[bytes | None]:
    """The picture files of an encoded column."""
    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "bytes")
    return column.to_pylist()


def images_of(column: pa.Array, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The images of a column, those that cannot be read all black.

    Args:
        column: of picture files, of fixed-size bytes, or of lists of values, flat or by rows.
        shape: height and width that an image must have.

    Returns:
        `uint8 (N, height, width)`, and what is wrong with each, `object (N,)`: one of
        `ERRORS`, or None.
    """
    if is_encoded(column.type):
        return _gather([_decoded(content, shape) for content in files_of(column)], shape)
    values = _values(column, shape)
    if values is None:
        return _gather([_converted(value, shape) for value in column.to_pylist()], shape)
    errors = np.full(len(values), None, object)
    if values.dtype != np.uint8:
        with np.errstate(invalid="ignore"):
            sound = (values >= 0) & (values <= 255) & (values == np.floor(values))
        errors[~sound.all(axis=1)] = OUT_OF_RANGE
        values = np.where(sound.all(axis=1)[:, None], values, 0).astype(np.uint8)
    return values.reshape(-1, *shape), errors


def _values(column: pa.Array, shape: tuple[int, int]) -> np.ndarray | None:
    """The values `(N, height * width)` of a column, or None where a row lacks some."""
    size = shape[0] * shape[1]
    if column.null_count:
        return None
    if pa.types.is_fixed_size_binary(column.type):
        if column.type.byte_width != size:
            return None
        start = column.offset * size
        content = np.frombuffer(column.buffers()[1], np.uint8)
        return content[start : start + len(column) * size].reshape(-1, size)
    lengths = [size]
    if hasattr(column.type, "value_type") and hasattr(column.type.value_type, "value_type"):
        lengths = list(shape)
    rows = len(column)
    for length in lengths:
        if not pc.all(pc.equal(pc.list_value_length(column), length)).as_py() and rows:
            return None
        column = column.flatten()
        if column.null_count:
            return None
    return column.to_numpy(zero_copy_only=False).reshape(rows, size)


def _gather(found: list[np.ndarray | str], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    images = np.zeros((len(found), *shape), np.uint8)
    errors = np.full(len(found), None, object)
    for row, each in enumerate(found):
        if isinstance(each, str):
            errors[row] = each
        else:
            images[row] = each
    return images, errors


def _decoded(content: bytes | None, shape: tuple[int, int]) -> np.ndarray | str:
    if content is None:
        return MISSING
    try:
        pixels = decode(content)
    except UserError:
        return UNREADABLE
    if pixels.shape[:2] != shape:
        return WRONG_SIZE
    return np.rint(pixels.mean(axis=2)).astype(np.uint8)


def _converted(value: object, shape: tuple[int, int]) -> np.ndarray | str:
    if value is None:
        return MISSING
    if isinstance(value, bytes):
        return WRONG_SIZE if len(value) != shape[0] * shape[1] else _of_bytes(value, shape)
    try:
        values = np.array(value, float)
    except (TypeError, ValueError):  # rows of different lengths, a row that is missing
        return WRONG_SIZE
    if values.shape not in (shape, (shape[0] * shape[1],)):
        return WRONG_SIZE
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        return OUT_OF_RANGE
    return values.reshape(shape).astype(np.uint8)


def _of_bytes(value: bytes, shape: tuple[int, int]) -> np.ndarray:
    return np.frombuffer(value, np.uint8).reshape(shape)
