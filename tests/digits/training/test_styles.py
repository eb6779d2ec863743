"""Styles add strokes to some digits and leave all else as it is."""

import numpy as np
import pytest

from digits.data.splits import Split
from digits.training import styles

CLASSES = [str(digit) for digit in range(10)]


def restyled(split: Split, share: float, classes: list[str] = CLASSES, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return styles.restyle(split.images, split.labels, classes, share, rng)


def test_only_digits_that_have_another_style_are_changed(handwriting: Split) -> None:
    before = handwriting.images.copy()
    images = restyled(handwriting, 1)
    assert np.array_equal(handwriting.images, before)
    assert (images >= before).all()  # strokes add ink
    is_changed = (images != before).any(axis=(1, 2))
    assert set(handwriting.labels[is_changed]) == {1, 4, 7, 9}
    for digit in (1, 7, 9):
        assert is_changed[handwriting.labels == digit].mean() > 0.95


def test_as_many_are_changed_as_asked_for(handwriting: Split) -> None:
    sevens = handwriting.labels == 7
    changed = (restyled(handwriting, 0.3) != handwriting.images).any(axis=(1, 2))
    assert changed[sevens].mean() == pytest.approx(0.3, abs=0.1)
    assert np.array_equal(restyled(handwriting, 0), handwriting.images)


def test_equal_seeds_give_equal_styles(handwriting: Split) -> None:
    first, again, other = (restyled(handwriting, 1, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_classes_that_are_no_digits_are_left_as_they_are(handwriting: Split) -> None:
    names = [f"class {digit}" for digit in range(10)]
    assert np.array_equal(restyled(handwriting, 1, names), handwriting.images)


@pytest.mark.parametrize("label", [1, 4, 7, 9])
def test_images_without_ink_or_of_one_pixel_do_no_harm(label: int) -> None:
    images = np.zeros((50, 28, 28), np.uint8)
    images[25:, 13, 14] = 255
    split = Split(images, np.full(50, label, np.uint8))
    assert np.array_equal(restyled(split, 1)[:25], images[:25])


@pytest.mark.filterwarnings("error")
def test_a_seven_whose_stem_is_broken_gets_its_bar() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4, 8:20] = image[22:24, 10:12] = 255  # no ink where a bar would cross the stem
    broken = Split(np.repeat(image[None], 20, axis=0), np.full(20, 7, np.uint8))
    assert (restyled(broken, 1) != broken.images).any(axis=(1, 2)).all()
