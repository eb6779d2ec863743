"""A split of a data set, and the file that keeps it."""

import io
import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.base.errors import UserError
from digits.base.text import one_line


@dataclass(frozen=True)
class Split:
    """Images `uint8 (N, height, width)` and their labels `uint8 (N,)`."""

    images: np.ndarray
    labels: np.ndarray


BLOCK = 10_000  # images copied at a time
COLLECTED = "collected_"  # before the names of the arrays of a second split in a file


def save(
    split: Split, path: Path, rows: np.ndarray | None = None, collected: Split | None = None
) -> None:
    """Write a split as one uncompressed .npz file; equal splits give equal bytes.

    So they do on every Python, but for arrays of 2 GiB: what it takes to tell the size of these
    was written otherwise before Python 3.11.4.

    Args:
        split: of any size: no more than a block of it is copied.
        path: of the file.
        rows: `int (M,)`, those to write and their order; None: all.
        collected: a second split, whole, in the same file.
    """
    members = [("images", split.images, rows), ("labels", split.labels, rows)]
    if collected:
        members += [
            (f"{COLLECTED}images", collected.images, None),
            (f"{COLLECTED}labels", collected.labels, None),
        ]
    with zipfile.ZipFile(path, "w") as archive:  # as np.savez does, which copies all rows first
        for name, array, rows in members:
            count = len(array) if rows is None else len(rows)
            shape = (count, *array.shape[1:])
            header = {
                "descr": np.lib.format.dtype_to_descr(array.dtype),
                "fortran_order": False,
                "shape": shape,
            }
            head = io.BytesIO()
            np.lib.format.write_array_header_1_0(head, header)
            info = zipfile.ZipInfo(f"{name}.npy")
            info.file_size = head.tell() + math.prod(shape) * array.itemsize
            with archive.open(info, "w") as member:
                member.write(head.getvalue())
                for start in range(0, count, BLOCK):
                    block = slice(start, start + BLOCK)
                    chosen = array[block] if rows is None else array[rows[block]]
                    member.write(chosen.tobytes())


def load(path: Path) -> Split:
    """Map the split that `save` wrote: pixels are read as they are used. Never unpickles.

    The arrays are read-only views of the file, so that a split of any size needs no memory
    of its own; the operating system keeps of it what it has room for.

    Raises:
        UserError: the file is damaged, or of another kind.
    """
    with _refusing_damaged(path):
        return _load(path, "")


def load_collected(path: Path) -> Split | None:
    """Map the second split of a file; None if it has none. See `load`."""
    with _refusing_damaged(path):
        with zipfile.ZipFile(path) as archive:
            is_there = f"{COLLECTED}images.npy" in archive.namelist()
        return _load(path, COLLECTED) if is_there else None


@contextmanager
def _refusing_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, struct.error) as error:
        raise UserError(
            f"{path}: damaged, or not what `preprocess` writes: {one_line(error)}; `dvc repro` "
            "makes it anew"
        ) from None


def _load(path: Path, prefix: str) -> Split:
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        names = [f"{prefix}{name}.npy" for name in ("images", "labels")]
        if any(infos[name].compress_type != zipfile.ZIP_STORED for name in names):
            with np.load(path, allow_pickle=False) as arrays:  # of another writer
                return Split(arrays[f"{prefix}images"], arrays[f"{prefix}labels"])
        return Split(*(_map(path, archive, infos[name]) for name in names))


def _map(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Map one uncompressed .npy inside a zip file."""
    with archive.open(info) as member:  # whose head zipfile has checked
        version = np.lib.format.read_magic(member)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(member)
        begin = member.tell()
    if dtype.hasobject or 0 in shape:  # nothing to map, or to unpickle
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[info.filename.removesuffix(".npy")]
    with path.open("rb") as file:  # the zip's own header repeats name and extra field
        file.seek(info.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", file.read(4))
    offset = info.header_offset + 30 + name_length + extra_length + begin
    mapped = np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    return mapped.view(np.ndarray)
