"""What is to be scored: Parquet, IDX or pictures, cut into parts that know where they begin.

The parts follow from the input alone, so that every engine, and every second attempt, cuts
the same ones and gives the same rows in the same batches.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from digits.base.errors import UserError
from digits.base.text import one_line
from digits.scoring import places
from digits.scoring.columns import ID, PICTURE, Columns, choose

PART_ROWS = 20_000  # a part's at least, but for Parquet's own row groups and each file's last
BATCH_ROWS = 2000  # in memory at a time
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"}
PICTURE_ROWS = 500  # of a part, because a photo takes a hundred times a digit's time

Kind = Literal["parquet", "idx", "pictures"]


@dataclass(frozen=True)
class Part:
    """Some rows of one file, or some pictures.

    Attributes:
        number: of the part, from 0.
        first: the number of its first row in the whole input.
        rows: how many it has.
        paths: one file, or the pictures.
        groups: the row groups of a Parquet file.
        offset: the first row in an IDX file.
    """

    number: int
    first: int
    rows: int
    kind: Kind
    paths: tuple[str, ...]
    groups: tuple[int, ...] = ()
    offset: int = 0


@dataclass(frozen=True)
class Source:
    """An input, cut into parts."""

    place: str
    files: list[pafs.FileInfo]
    columns: Columns
    parts: list[Part]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.rows for part in self.parts)


def plan(place: str, column: str | None = None, id_column: str | None = None) -> Source:
    """Look at an input and cut it.

    Args:
        place: a file, a folder or a glob of one kind; local or a URI.
        column: of the pictures in Parquet; by default the one column that may hold some.
        id_column: of Parquet; by default `id`, or the row's number where there is none.

    Raises:
        UserError: there is nothing to read, or it is of several kinds or of none, or Parquet
            files have their pictures or ids in different columns.
    """
    system, path = places.locate(place)
    files = places.find(system, path)
    kinds = {_kind(system, file) for file in files}
    if len(kinds) > 1 or None in kinds:
        raise UserError(
            f"{place}: must be Parquet, IDX images, or pictures, and of one kind; "
            "a glob such as 'FOLDER/*.parquet' leaves out the others"
        )
    kind, columns, parts = kinds.pop(), Columns(), []
    if kind == "pictures":
        parts = _parts_of_pictures([file.path for file in files])
    elif kind == "idx":
        for file in files:
            parts += _parts_of_idx(system, file.path, parts)
    else:
        try:
            for file in files:
                with pq.ParquetFile(file.path, filesystem=system) as opened:
                    chosen = choose(opened.schema_arrow, column, id_column, file.path)
                    parts += _parts_of_parquet(opened, file.path, parts)
                if file is not files[0] and chosen != columns:
                    raise UserError(
                        f"{file.path}: has its pictures or ids in other columns than "
                        f"{files[0].path}: score the two by themselves"
                    )
                columns = chosen
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{place}: not Parquet that can be read: {one_line(error)}") from None
    return Source(place, files, columns, parts)


def read(source_place: str, part: Part, columns: Columns) -> Iterator[pa.RecordBatch]:
    """The rows of a part: columns `id` and `picture`, `BATCH_ROWS` at a time.

    Raises:
        UserError: a Parquet file is damaged.
    """
    system, _ = places.locate(source_place)
    if part.kind == "pictures":
        yield from _read_pictures(system, part)
    elif part.kind == "idx":
        yield from _read_idx(system, part)
    else:
        yield from _read_parquet(system, part, columns)


def _kind(system: pafs.FileSystem, file: pafs.FileInfo) -> Kind | None:
    suffix = PurePosixPath(file.path).suffix.lower()
    if suffix in PICTURES:
        return "pictures"
    with system.open_input_file(file.path) as stream:
        head = stream.read(4)
    if head == b"PAR1":
        return "parquet"
    return "idx" if head == b"\0\0\x08\x03" else None


def _end(parts: Sequence[Part]) -> tuple[int, int]:
    """The number of the next part and of its first row."""
    return (parts[-1].number + 1, parts[-1].first + parts[-1].rows) if parts else (0, 0)


def _parts_of_parquet(file: pq.ParquetFile, path: str, before: list[Part]) -> list[Part]:
    number, first = _end(before)
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    parts, groups, rows = [], [], 0
    for group, size in enumerate(sizes):
        groups.append(group)
        rows += size
        if rows >= PART_ROWS or group == len(sizes) - 1:
            if rows:
                parts.append(Part(number, first, rows, "parquet", (path,), tuple(groups)))
                number, first = number + 1, first + rows
            groups, rows = [], 0
    return parts


def _parts_of_idx(system: pafs.FileSystem, path: str, before: list[Part]) -> list[Part]:
    number, first = _end(before)
    with system.open_input_file(path) as file:
        header, size = file.read(16), file.size()
    if (
        len(header) < 16
        or 16 + int(np.prod(struct.unpack(">3I", header[4:]), dtype=object)) != size
    ):
        raise UserError(f"{path}: an IDX file of images that is not as long as its header says")
    count = struct.unpack(">I", header[4:8])[0]
    return [
        Part(number + i, first + start, min(PART_ROWS, count - start), "idx", (path,), (), start)
        for i, start in enumerate(range(0, count, PART_ROWS))
    ]


def _parts_of_pictures(paths: list[str]) -> list[Part]:
    cuts = range(0, len(paths), PICTURE_ROWS)
    chunks = [tuple(paths[start : start + PICTURE_ROWS]) for start in cuts]
    return [
        Part(number, number * PICTURE_ROWS, len(chunk), "pictures", chunk)
        for number, chunk in enumerate(chunks)
    ]


def _read_parquet(
    system: pafs.FileSystem, part: Part, columns: Columns
) -> Iterator[pa.RecordBatch]:
    names = [*([columns.id] if columns.id else []), *columns.pixels]
    row = part.first
    path, groups = part.paths[0], list(part.groups)
    try:
        with pq.ParquetFile(path, filesystem=system, buffer_size=2**20) as file:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=groups, columns=names):
                ids = batch[columns.id] if columns.id else _numbers(row, batch.num_rows)
                if len(columns.pixels) == 1:
                    picture = batch[columns.pixels[0]]
                else:
                    picture = _joined([batch[name] for name in columns.pixels])
                row += batch.num_rows
                yield pa.RecordBatch.from_arrays([ids, picture], [ID, PICTURE])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not Parquet that can be read: {one_line(error)}") from None


def _joined(columns: list[pa.Array]) -> pa.Array:
    """Columns of single pixels as one of lists; a row that lacks one is null."""
    missing = np.any([column.is_null().to_numpy(zero_copy_only=False) for column in columns], 0)
    values = np.stack([column.fill_null(0).to_numpy(zero_copy_only=False) for column in columns], 1)
    joined = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), len(columns))
    return joined.take(pa.array(np.arange(len(values)), mask=missing)) if missing.any() else joined


def _read_idx(system: pafs.FileSystem, part: Part) -> Iterator[pa.RecordBatch]:
    with system.open_input_file(part.paths[0]) as file:
        _, _, height, width = struct.unpack(">4I", file.read_at(16, 0))
        size = height * width
        for start in range(0, part.rows, BATCH_ROWS):
            rows = min(BATCH_ROWS, part.rows - start)
            content = file.read_at(rows * size, 16 + (part.offset + start) * size)
            pixels = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(size), rows, [None, pa.py_buffer(content)]
            )
            yield pa.RecordBatch.from_arrays(
                [_numbers(part.first + start, rows), pixels], [ID, PICTURE]
            )


def _read_pictures(system: pafs.FileSystem, part: Part) -> Iterator[pa.RecordBatch]:
    for path in part.paths:  # one at a time: a photo may have 50 MB
        try:
            content = places.read(system, path)
        except OSError:
            content = None
        arrays = [pa.array([path], pa.string()), pa.array([content], pa.binary())]
        yield pa.RecordBatch.from_arrays(arrays, [ID, PICTURE])


def _numbers(first: int, rows: int) -> pa.Array:
    return pa.array(np.arange(first, first + rows, dtype=np.int64))
