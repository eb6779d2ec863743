"""Reading a source: a folder of pictures per class, CSV, Parquet, npz, or IDX files."""

import gzip
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from digits.base.errors import UserError
from digits.base.text import one_line
from digits.data.catalogue import FILES
from digits.importing import checks
from digits.importing.pictures import Pictures, of_array
from digits.intake import idx

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"}
LABELS = ("label", "labels", "class", "target", "y", "digit", "character")  # names of its column
SPLIT_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "extra"}
KINDS = "a folder with a folder of pictures for each class, .csv, .parquet, .npz, or IDX files"
ARRAYS = (  # names of images and labels in an npz, train's and test's
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("images", "labels", None, None),
    ("x", "y", None, None),
)
# What numpy, pandas and gzip raise for files that are cut off, damaged or of another kind.
UNREADABLE = (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
Size = tuple[int, int]


def read(
    source: Path, label: str | None = None, size: Size | None = None
) -> tuple[Pictures, Pictures | None]:
    """Read what a path holds.

    Args:
        source: a file or a folder.
        label: of a table the column of the labels; by default found by its name.
        size: height and width of pixels in a row, where these are no square.

    Returns:
        The training pictures and, where the source has them apart, the test pictures.

    Raises:
        UserError: there is no such source, it is of no known kind, or it cannot be read.
    """
    if not source.exists():
        raise UserError(f"{source}: there is no such file or folder")
    name = source.name.removesuffix(".gz")
    try:
        if source.is_dir():
            return _read_folder(source)
        if name.endswith((".csv", ".parquet")):
            return _read_table(source, label, size), None
        if name.endswith(".npz"):
            return _read_npz(source, size)
        if "images" in name and "idx" in name:
            labels = source.with_name(
                source.name.replace("images", "labels").replace("idx3", "idx1")
            )
            return of_array(_read_idx(source), _read_idx(labels), source.name, None), None
    except UNREADABLE as error:
        raise UserError(f"{source}: cannot be read: {one_line(error)}") from None
    raise UserError(f"{source}: must be {KINDS}")


def _read_folder(folder: Path) -> tuple[Pictures, Pictures | None]:
    if any((folder / f"{FILES[0]}{ending}").exists() for ending in ("", ".gz")):
        splits = [
            of_array(_read_idx(folder / images), _read_idx(folder / labels), images, None)
            for images, labels in (FILES[:2], FILES[2:])
        ]
        return splits[0], splits[1]
    inside = {path.name.lower(): path for path in _folders(folder)}
    parts = {name for name, path in inside.items() if name in SPLIT_NAMES and _folders(path)}
    if not parts:
        return _read_classes(folder), None
    training, testing = (
        next((inside[name] for name in names if name in parts), None)
        for names in (("train", "training"), ("test", "testing"))
    )
    if not training or not testing:
        names = ", ".join(sorted(inside[name].name for name in parts))
        raise UserError(
            f"{folder}: holds splits, no classes, and not both train and test: {names}: give one "
            "of them as SOURCE and, if another is for the test, that one as --test"
        )
    train, test = _read_classes(training), _read_classes(testing)
    others = [path.name for path in inside.values() if path not in (training, testing)]
    train.notes += checks.left_out("folders beside train and test", others)
    return train, test


def _folders(folder: Path) -> list[Path]:
    inside = sorted(folder.iterdir())
    return [path for path in inside if path.is_dir() and not path.name.startswith(".")]


def _read_classes(folder: Path) -> Pictures:
    paths = [
        *folder.iterdir(),
        *(path for inside in _folders(folder) for path in inside.rglob("*")),
    ]
    files = sorted(path.relative_to(folder) for path in paths if path.is_file())
    pictures: list[Path] = []
    others: list[Path] = []
    for file in files:
        is_picture = len(file.parts) > 1 and file.suffix.lower() in SUFFIXES
        if not any(part.startswith(".") for part in file.parts):
            (pictures if is_picture else others).append(file)
    if not pictures:
        raise UserError(f"{folder}: has no pictures: must be {KINDS}")
    classes = {file.parts[0] for file in pictures}
    if empty := [path.name for path in _folders(folder) if path.name not in classes]:
        raise UserError(
            f"{folder}: no picture that can be read ({', '.join(sorted(SUFFIXES))}) is in the "
            f"folders {', '.join(empty)}: add or convert some, or take these folders away"
        )
    kind = "files that are no picture in the folder of a class"
    found = Pictures(notes=checks.left_out(kind, [str(file) for file in others]))
    for file in tqdm(pictures, "pictures", unit="", leave=False, disable=None):
        found.add(str(file), file.parts[0], folder / file)
    return found


def _read_idx(path: Path) -> np.ndarray:
    for file in (path, path.with_name(f"{path.name}.gz")):
        if file.exists():
            content = file.read_bytes()
            return idx.parse(
                gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content, str(file)
            )
    raise UserError(f"{path}: there is no such file")


def _read_npz(path: Path, size: Size | None) -> tuple[Pictures, Pictures | None]:
    with np.load(path, allow_pickle=False) as arrays:
        keys = {key.lower(): key for key in arrays}
        for images, labels, test_images, test_labels in ARRAYS:
            if images in keys and labels in keys:
                get: Callable[[Any], np.ndarray] = lambda name: arrays[keys[name]]  # noqa: E731
                train = of_array(get(images), get(labels), f"{path.name}: {images}", size)
                if test_images not in keys or test_labels not in keys:
                    return train, None
                name = f"{path.name}: {test_images}"
                return train, of_array(get(test_images), get(test_labels), name, size)
    expected = " or ".join(f"{images}, {labels}" for images, labels, *_ in ARRAYS)
    raise UserError(f"{path}: has the arrays {', '.join(keys)}: must have {expected}")


def _read_table(path: Path, label: str | None, size: Size | None) -> Pictures:
    import pandas as pd

    if ".parquet" in path.name:
        table = pd.read_parquet(path)
    else:
        options: Any = {"keep_default_na": False, "na_values": [""], "low_memory": False}
        pixels = pd.read_csv(path, header=None, nrows=1, dtype=str, **options).iloc[0, 1:]
        if all(map(_is_number, pixels)) and not pixels.is_unique:  # no header, labels first
            table = pd.read_csv(path, header=None, **options).rename(columns={0: "label"})
        else:
            table = pd.read_csv(path, **options)
    found = {str(column).lower(): column for column in table.columns}
    column = next(
        (found[name] for name in (label and label.lower(), *LABELS) if name in found), None
    )
    if column is None or (label and label.lower() not in found):
        some = ", ".join(map(str, table.columns[:8]))
        raise UserError(f"{path}: which column is the label? --label COLUMN; it has {some}")
    labels = table.pop(column)
    names = _class_names(path, column) if ".parquet" in path.name else []
    if names and pd.api.types.is_numeric_dtype(labels):  # texts are names already
        labels = labels.map(
            lambda value: names[int(value)] if pd.notna(value) and 0 <= value < len(names) else None
        )
    return _of_columns(table, labels.to_numpy(), path.name, size)


def _of_columns(table: Any, labels: np.ndarray, source: str, size: Size | None) -> Pictures:
    """Pictures from encoded images in one column, or from a column for each pixel."""
    for column in table.columns:
        first = next(iter(table[column].dropna()), None)
        if isinstance(first, bytes) or (isinstance(first, dict) and "bytes" in first):
            found = Pictures()
            values = zip(labels.tolist(), table[column], strict=True)
            bar = tqdm(values, "pictures", len(table), unit="", leave=False, disable=None)
            for row, (label, value) in enumerate(bar):
                content = value.get("bytes") if isinstance(value, dict) else value
                found.add(f"{source}: row {row}", label, content or b"")
            return found
    import pandas as pd

    pixels = table.apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
    if pixels.shape[1] == 1 and not size:
        raise UserError(f"{source}: has neither encoded pictures nor a column for each pixel")
    try:
        return of_array(pixels, labels, source, size)
    except UserError as error:
        if others := _other_columns(table):
            some = ", ".join(others[:8])
            raise UserError(f"{error}, or remove the columns that are no pixels: {some}") from None
        raise


def _other_columns(table: Any) -> list[str]:
    """The columns whose names differ from those of most columns in more than numbers."""
    forms = {str(column): re.sub(r"\d+", "", str(column)) for column in table.columns}
    usual = Counter(forms.values()).most_common(1)
    return [column for column, form in forms.items() if form != usual[0][0]]


def _class_names(path: Path, column: str) -> list[str]:
    """The names of a column's classes that Hugging Face's data sets keep in a Parquet file."""
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_schema(path).metadata or {}
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    feature = features.get(column)
    return feature.get("names", []) if isinstance(feature, dict) else []


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True
