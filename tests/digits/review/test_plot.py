from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from digits.comparison import paired
from digits.data import splits
from digits.data.splits import Split
from digits.params import Compare
from digits.review import plot
from digits.review.review import ModelReview, Review
from digits.tracking.revisions import Revision


def compared(labels: np.ndarray, old: np.ndarray, new: np.ndarray) -> Review:
    sides = [
        pd.DataFrame({"index": range(len(labels)), "label": labels, "predicted": predicted})
        for predicted in (old, new)
    ]
    model = ModelReview(
        "",
        *sides,
        {},
        {},
        paired.compare(*sides, Compare(confidence_level=0.95, resamples=100, seed=0)),
    )
    revision = Revision("main", None, Path())
    return Review(revision, revision, 0.95, [], [], {"cnn": model}, {}, "", ["zero"])


@pytest.fixture
def test_split(tmp_path: Path, handwriting: Split) -> Path:
    path = tmp_path / "test.npz"
    splits.save(handwriting, path)
    return path


def test_a_picture_for_each_kind(tmp_path: Path, test_split: Path, handwriting: Split) -> None:
    labels = handwriting.labels.astype(int)
    old, new = labels.copy(), labels.copy()
    old[:3] = (labels[:3] + 1) % 10
    new[10:] = (labels[10:] + 1) % 10  # far more than are shown
    beside = tmp_path / "new" / "review.md"
    found = plot.draw(compared(labels, old, new), test_split, beside)
    assert found == {
        ("cnn", "fixed"): "review-cnn-fixed.png",
        ("cnn", "broken"): "review-cnn-broken.png",
    }
    heights = {kind: len(imread(beside.parent / name)) for (_, kind), name in found.items()}
    assert heights["fixed"] < heights["broken"] < 2000
    first = (beside.parent / "review-cnn-fixed.png").read_bytes()
    plot.draw(compared(labels, old, new), test_split, beside)
    assert (beside.parent / "review-cnn-fixed.png").read_bytes() == first


def test_the_picture_shows_the_images(tmp_path: Path, test_split: Path, handwriting: Split) -> None:
    labels = handwriting.labels.astype(int)
    names = []
    for number in (3, 4):
        new = labels.copy()
        new[number] = 0
        found = plot.draw(compared(labels, labels, new), test_split, tmp_path / f"{number}.md")
        names += found.values()
    assert names == ["3-cnn-broken.png", "4-cnn-broken.png"]
    assert (tmp_path / names[0]).read_bytes() != (tmp_path / names[1]).read_bytes()


@pytest.mark.parametrize("shorter", [True, False])
def test_images_of_another_test_split_are_not_drawn(
    tmp_path: Path, test_split: Path, handwriting: Split, shorter: bool
) -> None:
    labels = handwriting.labels[: -1 if shorter else None].astype(int)
    labels[5] += not shorter
    review = compared(labels, labels, labels * 0)
    assert plot.draw(review, test_split, tmp_path / "review.md") == {}
    assert plot.draw(review, tmp_path / "none.npz", tmp_path / "review.md") == {}
    assert not list(tmp_path.glob("*.png"))
