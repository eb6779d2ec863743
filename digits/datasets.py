"""The catalogue of data sets, datasets.yaml, and the four IDX files of one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field, RootModel

from digits import idx
from digits.errors import UserError
from digits.params import Positive, Section, check, read_yaml

FileName = Literal[
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
FILES: tuple[FileName, ...] = get_args(FileName)

Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Mirror = Annotated[str, Field(pattern="^(https?://.+/|npm:.+@.+|dir:.+)$")]


class Rows(Section):
    train: Positive
    test: Positive


class DataSet(Section):
    """One entry of datasets.yaml; the file's head says what each key means."""

    title: str
    classes: list[str] = Field(min_length=2, max_length=256)
    rows: Rows
    image_shape: list[Positive] = Field(min_length=2, max_length=2)
    mean_ink: list[Share] = Field(min_length=2, max_length=2)
    mirrors: list[Mirror] = Field(min_length=1)
    sha256: dict[FileName, Sha256] = Field(min_length=len(FILES))
    licence: str
    citation: str


class Catalogue(RootModel[dict[str, DataSet]]):
    pass


@dataclass(frozen=True)
class Split:
    """Images `uint8 (N, height, width)` and their labels `uint8 (N,)`."""

    images: np.ndarray
    labels: np.ndarray


def find(name: str, path: Path = Path("datasets.yaml")) -> DataSet:
    """Look a data set up in the catalogue.

    Raises:
        UserError: the catalogue is not as it must be, or has no such entry.
    """
    catalogue = check(Catalogue, read_yaml(path), str(path)).root
    if name not in catalogue:
        raise UserError(
            f"params.yaml: data.name = {name!r}: must be an entry of {path}: {', '.join(catalogue)}"
        )
    return catalogue[name]


def read_split(folder: Path, split: Literal["train", "test"]) -> Split:
    """Read `train` or `test` from the four IDX files in `folder`.

    Raises:
        FileNotFoundError: a file is missing.
        UserError: a file is not IDX.
    """
    images, labels = FILES[:2] if split == "train" else FILES[2:]
    return Split(idx.read(folder / images), idx.read(folder / labels))


def save(split: Split, path: Path) -> None:
    """Write a split as one uncompressed .npz file; equal splits give equal bytes."""
    with path.open("wb") as file:  # to a path of another ending savez would add .npz
        np.savez(
            file,
            images=np.ascontiguousarray(split.images),  # the bytes tell the order in memory
            labels=np.ascontiguousarray(split.labels),
        )


def load(path: Path) -> Split:
    """Read what `save` wrote. Never unpickles."""
    with np.load(path, allow_pickle=False) as arrays:
        return Split(arrays["images"], arrays["labels"])
