"""Outliers are of the images' kind, but not the images."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from digits.training import outliers

DIGITS = (load_digits().images[:64] * (255 / 16)).astype(np.uint8)
Kind = Callable[[np.ndarray, np.random.Generator], np.ndarray]
KINDS = [outliers.glyphs, outliers.scribbled, outliers.crossed, outliers.torn, outliers.joined]


def any_kind(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return outliers.draw(images, list("0123456789"), rng)


every = pytest.mark.parametrize("kind", [*KINDS, any_kind])


def resized(height: int, width: int) -> np.ndarray:
    return np.stack([cv2.resize(image, (width, height)) for image in DIGITS])


def drawn_by(kind: Kind, images: np.ndarray, seed: int = 0) -> np.ndarray:
    return kind(images, np.random.default_rng(seed))


@every
@pytest.mark.parametrize("shape", [(28, 28), (27, 31)])
def test_they_have_the_images_form(kind: Kind, shape: tuple[int, int]) -> None:
    images = resized(*shape)
    before = images.copy()
    drawn = drawn_by(kind, images)
    assert (drawn.shape, drawn.dtype) == (images.shape, np.uint8)
    assert (drawn.max(axis=(1, 2)) > 100).all()
    assert np.array_equal(images, before)


@every
def test_one_image_is_enough(kind: Kind) -> None:
    assert drawn_by(kind, resized(28, 28)[:1]).shape == (1, 28, 28)


@every
def test_equal_seeds_give_equal_outliers_and_others_others(kind: Kind) -> None:
    images = resized(28, 28)
    first, again, other = (drawn_by(kind, images, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).mean() > 0.3


@every
def test_none_is_the_image_itself(kind: Kind) -> None:
    images = resized(28, 28)
    change = np.abs(drawn_by(kind, images).astype(float) - images).mean(axis=(1, 2))
    assert change.min() > 3


def test_what_is_torn_has_all_the_ink() -> None:
    ink = np.sort(DIGITS.reshape(64, -1))
    assert np.array_equal(np.sort(drawn_by(outliers.torn, DIGITS).reshape(64, -1)), ink)


@pytest.mark.parametrize("kind", [outliers.glyphs, outliers.scribbled, outliers.crossed])
def test_what_is_drawn_is_all_new_and_as_large_as_a_digit(kind: Kind) -> None:
    images = resized(28, 28)
    drawn = drawn_by(kind, images)
    assert np.array_equal(drawn, drawn_by(kind, np.zeros_like(images)))
    assert len(np.unique(drawn, axis=0)) == 64
    sides = [max(cv2.boundingRect(np.uint8(image > 60))[2:]) for image in drawn]
    assert 17 <= np.median(sides) <= 23


def test_no_glyph_is_a_digit_or_like_one() -> None:
    assert not set(outliers.GLYPHS) & set("0123456789OoIlSsZzBbGgQqi|")


def test_every_kind_is_drawn() -> None:
    drawn: list[str] = []

    def note(name: str) -> Kind:
        return lambda images, *_, **__: (drawn.append(name), images)[1]

    with pytest.MonkeyPatch.context() as patch:
        for kind in KINDS:
            patch.setattr(outliers, kind.__name__, note(kind.__name__))
        drawn_by(any_kind, resized(8, 8))
    assert sorted(drawn) == sorted(kind.__name__ for kind in KINDS)


def test_what_is_a_class_is_no_outlier(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def glyphs(images: np.ndarray, rng: np.random.Generator, texts: str) -> np.ndarray:
        drawn.append(texts)
        return images

    monkeypatch.setattr(outliers, "glyphs", glyphs)
    for classes in (list("0123456789"), list("ACDa"), ["alpha", "beta"]):
        outliers.draw(DIGITS, classes, np.random.default_rng(0))
    of_digits, of_letters, of_words = drawn
    assert of_digits == of_words == outliers.GLYPHS
    assert set(outliers.GLYPHS) - set(of_letters) == set("ACacd")
