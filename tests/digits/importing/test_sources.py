"""What is read of a source, and what of it is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits.base.errors import UserError
from digits.importing import sources


def write_pictures(folder: Path, *names: str) -> Path:
    """A picture by each of the names, folders before it."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.eye(2, dtype=np.uint8)).save(folder / name)
    return folder


def write_splits(folder: Path, *names: str) -> Path:
    return write_pictures(folder, *(f"{name}/{label}/1.png" for name in names for label in "AB"))


@pytest.mark.parametrize("names", [["train", "val"], ["Train"], ["val", "test", "extra"]])
def test_splits_are_no_classes(tmp_path: Path, names: list[str]) -> None:
    complaint = (
        f"and not both train and test: {', '.join(sorted(names))}: give one of them as SOURCE"
    )
    with pytest.raises(UserError, match=complaint):
        sources.read(write_splits(tmp_path, *names))


def test_other_splits_than_train_and_test_are_left_out_and_said(tmp_path: Path) -> None:
    train, test = sources.read(write_splits(tmp_path, "training", "test", "val", "extra"))
    assert test is not None
    assert train.labels == test.labels == ["A", "B"]
    assert train.notes == ["left out: 2 folders beside train and test: extra, val"]


def test_a_class_may_be_called_as_a_split(tmp_path: Path) -> None:
    train, test = sources.read(write_pictures(tmp_path, "test/1.png", "train/1.png"))
    assert test is None
    assert train.labels == ["test", "train"]
