"""Data that is added to the main data set: its expectations, and its way into the splits."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from digits import params
from digits.base import files
from digits.base.errors import UserError
from digits.data import catalogue, splits
from digits.data.catalogue import ENTRY, FILES, DataSet, Rows
from digits.data.splits import Split
from digits.intake import extra, idx, splitting, suites, validation
from tests.small_project import ROOT

SETTINGS = params.load(ROOT / "params.yaml").validate_
MNIST = catalogue.find("mnist", ROOT / "datasets.yaml")


def some(handwriting: Split, begin: int, end: int) -> Split:
    return Split(handwriting.images[begin:end], handwriting.labels[begin:end])


def write(folder: Path, train: Split, test: Split, validation: int = 0) -> DataSet:
    """The files of a data set that was fetched, with its entry."""
    folder.mkdir(parents=True)
    for name, array in zip(
        FILES, (train.images, train.labels, test.images, test.labels), strict=True
    ):
        idx.write(folder / name, array)
    rows = Rows(train=len(train.labels), test=len(test.labels), validation=validation)
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    update = {"rows": rows, "sha256": hashes, "mean_ink": [0.1, 0.3], "title": "Collected"}
    entry = MNIST.model_copy(update=update)
    files.write_text(folder / ENTRY, entry.as_json())
    return entry


def broken(found: list[suites.Result]) -> list[str]:
    return [result.explain() for result in found if not result.success]


def test_sound_data_meets_the_expectations(tmp_path: Path, handwriting: Split) -> None:
    write(tmp_path / "collected", some(handwriting, 0, 60), some(handwriting, 60, 80))
    (added,) = extra.read_all(tmp_path)
    assert added.name == "collected"
    found = validation.check_extra(added, some(handwriting, 80, 180), SETTINGS)
    assert broken(found) == []
    assert {result.frame for result in found} == {"collected/files", "collected/images"}


def test_an_image_of_the_main_test_is_named(tmp_path: Path, handwriting: Split) -> None:
    write(tmp_path / "collected", some(handwriting, 0, 60), some(handwriting, 60, 80))
    (added,) = extra.read_all(tmp_path)
    (line,) = broken(validation.check_extra(added, some(handwriting, 59, 180), SETTINGS))[:1]
    assert "collected/images.in_main_test" in line
    assert "train 59" in line


def test_its_parts_come_into_the_splits(tmp_path: Path, handwriting: Split) -> None:
    whole = some(handwriting, 0, 400)
    write(tmp_path / "a", some(handwriting, 400, 460), some(handwriting, 460, 480), 10)
    # The second repeats ten images of the first, in its training and its test part.
    write(tmp_path / "b", some(handwriting, 455, 520), some(handwriting, 475, 490), 5)
    rows = splitting.rows_held_out(whole.labels, 100, 0)
    mixed = extra.mix(whole, rows, extra.read_all(tmp_path), 3)
    kept, held = mixed.whole.images[mixed.kept], mixed.whole.images[mixed.held]

    def numbers(images: np.ndarray) -> list[int]:
        known = {bytes(image): n for n, image in enumerate(handwriting.images)}
        return [known[bytes(image)] for image in images]

    assert numbers(kept)[:300] == rows[0].tolist()
    assert numbers(kept)[300:] == [*range(400, 450)] * 3 + [*range(480, 515)] * 3
    assert numbers(held) == [*rows[1].tolist(), *range(450, 460), *range(515, 520)]
    assert mixed.collected is not None
    assert numbers(mixed.collected.images) == [*range(460, 480)]
    assert mixed.whole.labels[mixed.kept].tolist() == [handwriting.labels[n] for n in numbers(kept)]


def test_what_the_main_set_learns_from_is_not_tested_on(tmp_path: Path, handwriting: Split) -> None:
    whole = some(handwriting, 0, 400)
    write(tmp_path / "a", some(handwriting, 395, 420), some(handwriting, 398, 402))
    rows = splitting.rows_held_out(whole.labels, 100, 0)
    mixed = extra.mix(whole, rows, extra.read_all(tmp_path), 1)
    assert mixed.kept[300:].tolist() == [*range(405, 425)]  # but the five that it has already
    assert mixed.collected is None


def test_the_test_file_holds_the_collected_test_too(tmp_path: Path, handwriting: Split) -> None:
    alone, both = tmp_path / "alone.npz", tmp_path / "both.npz"
    test, collected = some(handwriting, 0, 50), some(handwriting, 50, 60)
    splits.save(test, alone)
    splits.save(test, both, None, collected)
    assert splits.load_collected(alone) is None
    found = splits.load_collected(both)
    assert found is not None
    assert found.images.tobytes() == collected.images.tobytes()
    assert splits.load(both).labels.tolist() == test.labels.tolist()


def test_a_set_of_other_classes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=r"^params.yaml: data.extra: fashion_mnist has the classes"):
        catalogue.find_extra(["fashion_mnist"], MNIST)
    with pytest.raises(UserError, match=r"^params.yaml: data.extra = 'typo': must be an entry"):
        catalogue.find_extra(["typo"], MNIST)
