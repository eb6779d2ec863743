"""The IDX file format of MNIST: http://yann.lecun.com/exdb/mnist (section "File formats").

A file is a magic number (two zero bytes, the type of the values, the number of
dimensions), the size of each dimension as a big-endian 32-bit integer, and the values.
Only unsigned bytes (type 8) occur in image data sets, so only they are read.
"""

import math
import mmap
import struct
from pathlib import Path
from typing import Literal

import numpy as np

from digits.base.errors import UserError
from digits.base.text import shape_text
from digits.data.catalogue import FILES
from digits.data.splits import Split

UNSIGNED_BYTE = 0x08


def parse(content: bytes | mmap.mmap, source: str = "IDX data") -> np.ndarray:
    """Read the bytes of an IDX file.

    Returns:
        `uint8` array with the shape that the header declares.

    Raises:
        UserError: `content` is not an IDX file of unsigned bytes, or not all of it.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise UserError(f"{source}: not an IDX file: it must begin with two zero bytes")
    value_type, dimensions = content[2], content[3]
    if value_type != UNSIGNED_BYTE:
        raise UserError(
            f"{source}: values of type 0x{value_type:02x}, must be 0x08, unsigned bytes"
        )
    if dimensions == 0:
        raise UserError(f"{source}: the header declares no dimension")
    offset = 4 + 4 * dimensions
    if len(content) < offset:
        raise UserError(f"{source}: ends inside its header of {offset} bytes")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    if (expected := offset + math.prod(shape)) != len(content):
        raise UserError(
            f"{source}: the header declares {shape_text(shape)} values, "
            f"so {expected} bytes, but there are {len(content)}"
        )
    try:
        return np.frombuffer(content, np.uint8, offset=offset).reshape(shape)
    except ValueError as error:  # more dimensions than an array can have, or sizes beyond an index
        raise UserError(f"{source}: {error}") from None


def read(path: Path) -> np.ndarray:
    """Map an IDX file, so that one of any size needs no memory of its own; see `parse`."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # which cannot be mapped
            return parse(b"", str(path))
        return parse(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), str(path))


def write(path: Path, array: np.ndarray) -> None:
    """Write a `uint8` array as an IDX file."""
    if array.dtype != np.uint8:
        raise TypeError(f"IDX files hold uint8 here, not {array.dtype}")
    header = struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def read_split(folder: Path, split: Literal["train", "test"]) -> Split:
    """Read `train` or `test` from the four IDX files in `folder`.

    Raises:
        FileNotFoundError: a file is missing.
        UserError: a file is not IDX.
    """
    images, labels = FILES[:2] if split == "train" else FILES[2:]
    return Split(read(folder / images), read(folder / labels))
