"""What is read of a source, and what of it is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from digits.base.errors import UserError
from digits.importing import sources

PIXELS = np.array([[0, 0, 1, 0], [1, 0.5, 0, 0]])


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


def test_files_that_are_no_picture_of_a_class_are_counted(tmp_path: Path) -> None:
    write_pictures(tmp_path, "A/1.png", "B/more/2.png", "beside.png", ".hidden/3.png", "A/.4.png")
    (tmp_path / "A/notes.txt").touch()
    found, _ = sources.read(tmp_path)
    assert (found.names, found.labels) == (["A/1.png", "B/more/2.png"], ["A", "B"])
    kind = "files that are no picture in the folder of a class"
    assert found.notes == [f"left out: 2 {kind}: A/notes.txt, beside.png"]


def test_a_class_without_a_picture_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, "A/1.png", "B/1.png")
    (tmp_path / "C").mkdir()
    (tmp_path / "D").mkdir()
    (tmp_path / "D/1.heic").touch()
    with pytest.raises(UserError, match=r"no picture .* is in the folders C, D: add or convert"):
        sources.read(tmp_path)


@pytest.mark.parametrize("pixels", [PIXELS, (PIXELS * 255).round().astype(int)])
@pytest.mark.parametrize("labels", [[3, 4], ["y", "Z"]])
def test_a_csv_file_without_a_header_has_labels_and_pixels_of_any_kind(
    tmp_path: Path, pixels: np.ndarray, labels: list
) -> None:
    table = pd.DataFrame(pixels)
    table.insert(0, "label", labels)
    table.to_csv(tmp_path / "plain.csv", header=False, index=False)
    found, _ = sources.read(tmp_path / "plain.csv")
    assert found.labels == [str(label) for label in labels]
    assert found.images[0].tolist() == [[0, 0], [255, 0]]


def test_a_header_may_number_the_pixels(tmp_path: Path) -> None:
    table = pd.DataFrame(PIXELS)
    table.insert(0, "label", [3, 4])
    table.to_csv(tmp_path / "numbered.csv", index=False)
    assert sources.read(tmp_path / "numbered.csv")[0].labels == ["3", "4"]


def test_words_for_what_is_missing_are_labels_of_a_csv_file(tmp_path: Path) -> None:
    table = pd.DataFrame(PIXELS[[0, 1, 0, 1]]).add_prefix("pixel")
    table["label"] = ["NA", "None", "null", ""]
    table.to_csv(tmp_path / "words.csv", index=False)
    found, _ = sources.read(tmp_path / "words.csv")
    assert found.labels == ["NA", "None", "null"]
    assert found.bad == [("words.csv: row 3", "has no label")]
