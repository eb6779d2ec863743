"""The catalogue of data sets, datasets.yaml, and the four IDX files of one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, RootModel

from digits import idx
from digits.errors import UserError
from digits.params import Positive, Section, check, read_yaml

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Mirror = Annotated[str, Field(pattern="^(https?://.+/|npm:.+@.+|dir:.+)$")]


class Rows(Section):
    train: Positive
    test: Positive


class Checksums(Section):
    train_images: Sha256 = Field(alias=TRAIN_IMAGES)
    train_labels: Sha256 = Field(alias=TRAIN_LABELS)
    test_images: Sha256 = Field(alias=TEST_IMAGES)
    test_labels: Sha256 = Field(alias=TEST_LABELS)


class DataSet(Section):
    """One entry of datasets.yaml; the file's head says what each key means."""

    title: str
    classes: list[str] = Field(min_length=2, max_length=256)
    rows: Rows
    image_shape: list[Positive] = Field(min_length=2, max_length=2)
    mean_ink: list[float] = Field(min_length=2, max_length=2)
    mirrors: list[Mirror] = Field(min_length=1)
    sha256: Checksums
    licence: str
    citation: str

    def checksums(self) -> dict[str, str]:
        """SHA-256 of each of `FILES`, uncompressed."""
        return self.sha256.model_dump(by_alias=True)


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


def read_split(folder: Path, split: str) -> Split:
    """Read `train` or `test` from the four IDX files in `folder`.

    Raises:
        UserError: a file is missing or is not IDX.
    """
    names = {"train": (TRAIN_IMAGES, TRAIN_LABELS), "test": (TEST_IMAGES, TEST_LABELS)}
    images, labels = names[split]
    return Split(idx.read(folder / images), idx.read(folder / labels))


def save(split: Split, path: Path) -> None:
    """Write a split as one uncompressed .npz file; equal splits give equal bytes."""
    np.savez(path, images=split.images, labels=split.labels)


def load(path: Path) -> Split:
    """Read what `save` wrote. Never unpickles."""
    with np.load(path, allow_pickle=False) as arrays:
        return Split(arrays["images"], arrays["labels"])
