"""Outliers are of the images' kind, but not the images."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_digits

from digits.base.quiet import importing_tensorflow

with importing_tensorflow():
    import tensorflow as tf

    from digits.training import outliers

DIGITS = tf.constant(load_digits().images[:64] * (255 / 16), tf.float32)
SEED = tf.constant([1, 2], tf.int64)
Kind = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
every = pytest.mark.parametrize(
    "kind", [outliers.scribbled, outliers.torn, outliers.joined, outliers.draw]
)


@every
@pytest.mark.parametrize("shape", [(28, 28), (27, 31), (8, 8)])
def test_they_have_the_images_form_and_range(kind: Kind, shape: tuple[int, int]) -> None:
    images = tf.image.resize(DIGITS[..., tf.newaxis], shape)[..., 0]
    drawn = kind(images, SEED).numpy()
    assert drawn.shape == images.shape
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0
    assert drawn.max() <= 255
    assert (drawn.max(axis=(1, 2)) > 128).all()


@every
def test_equal_seeds_give_equal_outliers_and_others_others(kind: Kind) -> None:
    first, again, other = (kind(DIGITS, seed).numpy() for seed in (SEED, SEED, SEED + 1))
    assert (first == again).all()
    assert (first != other).any(axis=(1, 2)).mean() > 0.3


@every
def test_none_is_the_image_itself(kind: Kind) -> None:
    change = np.abs(kind(DIGITS, SEED).numpy() - DIGITS.numpy()).mean(axis=(1, 2))
    assert change.min() > 3


def test_what_is_torn_has_all_the_ink() -> None:
    ink = np.sort(DIGITS.numpy().reshape(64, -1))
    assert (np.sort(outliers.torn(DIGITS, SEED).numpy().reshape(64, -1)) == ink).all()


def test_scribbles_depend_on_the_seed_alone() -> None:
    blank = tf.zeros_like(DIGITS)
    scribbles = outliers.scribbled(DIGITS, SEED).numpy()
    assert (scribbles == outliers.scribbled(blank, SEED).numpy()).all()
    assert len(np.unique(scribbles, axis=0)) == 64
