import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digits.base.errors import UserError
from digits.base.schema import check
from digits.base.yaml12 import read as read_yaml
from digits.data import catalogue, splits
from digits.data.splits import Split
from digits.intake import idx

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "datasets.yaml"


@pytest.fixture
def split() -> Split:
    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    return Split(images, np.array([2, 0, 1], np.uint8))


def with_entry(**changes: Any) -> dict[str, Any]:
    """MNIST's entry, changed, as a catalogue."""
    return {"mine": copy.deepcopy(read_yaml(CATALOGUE)["mnist"]) | changes}


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_catalogue_describes_ten_classes_of_28x28_images(name: str) -> None:
    data_set = catalogue.find(name, CATALOGUE)
    assert len(set(data_set.classes)) == 10
    assert data_set.image_shape == [28, 28]
    assert (data_set.rows.train, data_set.rows.test) == (60_000, 10_000)
    assert sorted(data_set.sha256) == sorted(catalogue.FILES)
    assert len(set(data_set.sha256.values())) == len(catalogue.FILES)
    assert 0 < data_set.mean_ink[0] < data_set.mean_ink[1] < 1


def test_an_unknown_name_is_answered_with_the_choices() -> None:
    with pytest.raises(UserError) as raised:
        catalogue.find("minst", CATALOGUE)
    assert str(raised.value) == (
        f"params.yaml: data.name = 'minst': must be an entry of {CATALOGUE}: mnist, fashion_mnist"
    )


@pytest.mark.parametrize(
    "mirror",
    ["https://host/", "http://host/a/", "npm:a@1", "npm:@scope/a@1.2", "dir:/a b", "dir:a"],
)
def test_mirrors_of_each_form_are_accepted(mirror: str) -> None:
    assert check(catalogue.Catalogue, with_entry(mirrors=[mirror]), "datasets.yaml")


@pytest.mark.parametrize(
    "mirror", ["", "ftp://host/", "https://host/folder", "https://", "npm:a", "/a", "dir:", 3, None]
)
def test_mirrors_of_another_form_are_refused(mirror: Any) -> None:
    complaint = f"datasets.yaml: mine.mirrors[0] = {mirror!r}: must be text of the form "
    with pytest.raises(UserError, match=re.escape(complaint)):
        check(catalogue.Catalogue, with_entry(mirrors=[mirror]), "datasets.yaml")


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("mirrors", [], "mine.mirrors = []: must be a list (at least 1, each text of the form"),
        (
            "classes",
            ["0"],
            "mine.classes = ['0']: must be a list (2 to 256, each text of 1 to 100 ",
        ),
        ("classes", [0, "1"], "mine.classes[0] = 0: must be text"),
        ("classes", ["a", "b", "a"], "mine.classes = ['a', 'b', 'a']: each must have a name"),
        ("classes", ["", "1"], "mine.classes[0] = '': must be text of 1 to 100 characters"),
        ("image_shape", [28, 28, 1], "mine.image_shape = [28, 28, 1]: must be a list (2, each a"),
        ("mean_ink", [12, 0.14], "mine.mean_ink[0] = 12: must be a number >= 0 and <= 1"),
        ("rows", {"train": 9}, "mine.rows.test: missing; must be a whole number >= 1"),
        ("sha256", {}, f"mine.sha256 = {{}}: must be a section of the keys {catalogue.FILES[0]}, "),
        ("sha256", {"labels": "0" * 64}, "mine.sha256.labels: not a key: Input should be "),
        ("license", "MIT", "mine.license: unknown key; allowed here: title, classes, rows, "),
    ],
)
def test_an_entry_of_another_form_is_refused(key: str, value: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"datasets.yaml: {complaint}")):
        check(catalogue.Catalogue, with_entry(**{key: value}), "datasets.yaml")


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_split_is_read_from_its_two_files(tmp_path: Path, split: Split, name: Any) -> None:
    prefix = {"train": "train", "test": "t10k"}[name]
    idx.write(tmp_path / f"{prefix}-images-idx3-ubyte", split.images)
    idx.write(tmp_path / f"{prefix}-labels-idx1-ubyte", split.labels)
    found = idx.read_split(tmp_path, name)
    np.testing.assert_array_equal(found.images, split.images)
    np.testing.assert_array_equal(found.labels, split.labels)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        idx.read_split(tmp_path, "train")


def test_what_save_writes_load_reads(tmp_path: Path, split: Split) -> None:
    splits.save(split, tmp_path / "split.npz")
    found = splits.load(tmp_path / "split.npz")
    np.testing.assert_array_equal(found.images, split.images, strict=True)
    np.testing.assert_array_equal(found.labels, split.labels, strict=True)


def test_equal_splits_give_equal_bytes_at_the_very_path(tmp_path: Path, split: Split) -> None:
    transposed = Split(np.asfortranarray(split.images), split.labels[::-1][::-1])
    splits.save(split, tmp_path / "split.npz.partial")
    splits.save(transposed, tmp_path / "transposed.npz")
    splits.save(splits.load(tmp_path / "transposed.npz"), tmp_path / "again.npz")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "again.npz",
        "split.npz.partial",
        "transposed.npz",
    ]


def test_load_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", images=np.array([object()]), labels=np.zeros(1))
    with pytest.raises(UserError, match="allow_pickle"):
        splits.load(tmp_path / "objects.npz")
