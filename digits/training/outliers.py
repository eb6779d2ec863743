"""Images of what is none of the classes, for a network to learn not to be sure of.

D. Hendrycks et al., Deep anomaly detection with outlier exposure, 2019, arXiv:1812.04606. They
are made of nothing but a batch's own images and code, so that any data set has them.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import cv2
import numpy as np

from digits.params import Augmentation
from digits.training import strokes
from digits.training.augmentation import move

Kind = Callable[[np.ndarray, np.random.Generator], np.ndarray]

POINTS = 96  # along the line of a scribble
WAVES = 5  # frequencies it is made of
EXTENT = 20 / 28  # of the image's side: what is drawn fills it as MNIST's digits do
PENS = (1.2, 3.6)  # thinnest and thickest stroke, for an image of 28 pixels

# OpenCV's fonts are strokes, after A. V. Hershey, Calligraphy for computers, 1967.
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    cv2.FONT_HERSHEY_SIMPLEX | cv2.FONT_ITALIC,
    cv2.FONT_HERSHEY_COMPLEX | cv2.FONT_ITALIC,
)
# Letters and signs that nobody would take for a digit: without O, o, I, l, S, Z, b, g, q, say.
GLYPHS = "ACEFHJKLMNPRTUVWXYacdefhjkmnprtuvwxy%&$#@+=?*<"
# Handwriting differs from a font, and one writer from another, far more than digits are moved.
HAND = Augmentation(
    shift=1, rotation=12, zoom=0.2, slant=20, elastic=1.3, styles=0, spoiled=0, outliers=0
)


def draw(images: np.ndarray, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Replace each image by a glyph, strokes, a scribble, itself torn, or itself with another.

    Args:
        images: `uint8 (B, height, width)`, 0 the paper and 255 full ink.
        classes: the classes' names; a glyph that is one of them, as of letters, is not drawn.
        rng: an equal state gives equal outliers.

    Returns:
        `uint8 (B, height, width)`.
    """
    names = {name.upper() for name in classes}
    texts = "".join(text for text in GLYPHS if text.upper() not in names)
    kinds: list[Kind] = [partial(glyphs, texts=texts), scribbled, torn, joined, crossed]
    chosen = rng.choice(len(kinds), len(images), p=(0.5, 0.2, 0.08, 0.1, 0.12))
    drawn = np.empty_like(images)
    for number, kind in enumerate(kinds):
        if (of_kind := chosen == number).any():
            drawn[of_kind] = kind(images[of_kind], rng)
    return drawn


def scribbled(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A curve of random waves, drawn by a pen of random width; nothing is left of the image."""
    wave = np.arange(1, WAVES + 1)[:, np.newaxis]
    drawn = []
    for _ in images:
        amplitude = rng.standard_normal((2, WAVES, 1)) / wave**0.25
        phase, length = rng.random((2, WAVES, 1)), rng.uniform(0.4, 1)
        time = np.linspace(0, length, POINTS)
        curve = (amplitude * np.sin(2 * math.pi * (wave * time + phase))).sum(axis=1)
        drawn.append(_drawn([curve.T], images.shape[1:], rng))
    return np.stack(drawn)


def crossed(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three to six straight or bent strokes with corners between, as of letters not in use."""
    drawn = []
    for _ in images:
        start, curves = rng.random(2), []
        for _ in range(rng.integers(3, 7)):
            end = rng.random(2)
            middle = (start + end) / 2 + rng.normal(0, 0.25, 2) * rng.integers(2)
            curves.append(strokes.bend(start, middle, end))
            start = end if rng.random() < 0.6 else rng.random(2)
        drawn.append(_drawn(curves, images.shape[1:], rng))
    return np.stack(drawn)


def _drawn(
    curves: list[np.ndarray], shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Curves of any size, made to fill an image as a digit does, by a pen of random width."""
    every = np.concatenate(curves)
    low, high = every.min(axis=0), every.max(axis=0)
    side = EXTENT * min(shape)
    pen = rng.uniform(*PENS) * min(shape) / 28
    scale = (side - pen) / (high - low).max()
    centre = (np.array(shape[::-1]) - 1) / 2
    fitted = [(curve - (low + high) / 2) * scale + centre for curve in curves]
    return strokes.draw(fitted, shape, pen)


def glyphs(images: np.ndarray, rng: np.random.Generator, texts: str = GLYPHS) -> np.ndarray:
    """Letters and signs, each written in a way of its own; nothing is left of the image."""
    every = _every_glyph(images.shape[1:], texts)
    return move(every[rng.integers(len(every), size=len(images))], HAND, rng)


@lru_cache(maxsize=2)
def _every_glyph(shape: tuple[int, int], texts: str) -> np.ndarray:
    """Each glyph of each font by three pens, as large as a digit and centred by its mass."""
    return np.stack(
        [
            _glyph(text, font, thickness, shape)
            for font in FONTS
            for text in texts
            for thickness in (5, 9, 14)
        ]
    )


def _glyph(text: str, font: int, thickness: int, shape: tuple[int, int]) -> np.ndarray:
    large = np.zeros((240, 320), np.uint8)
    cv2.putText(large, text, (110, 160), font, 4, 255, thickness, cv2.LINE_AA)
    left, top, width, height = cv2.boundingRect(large)
    ink = large[top : top + height, left : left + width]
    scale = EXTENT * min(shape) / max(width, height)
    moments = cv2.moments(ink)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    target_x, target_y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    small = cv2.GaussianBlur(ink, (0, 0), 0.4 / scale)
    placing = np.array([[scale, 0, target_x - scale * x], [0, scale, target_y - scale * y]])
    return cv2.warpAffine(small, placing, shape[::-1], flags=cv2.INTER_LINEAR)


def torn(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image in two or four parts, which have changed places."""
    _, height, width = images.shape
    halves = np.roll(images, height // 2, 1)
    return _one_of([halves, np.roll(halves, width // 2, 2)], rng)


def joined(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With another one: squeezed side by side, or one above the other, or laid over it turned."""
    others = rng.permutation(images) if len(images) > 1 else images[:, ::-1]
    _, height, width = images.shape
    top, left = height // 2, width // 2
    across = [_squeezed(images, height, left), _squeezed(others, height, width - left)]
    down = [_squeezed(images, top, width), _squeezed(others, height - top, width)]
    over = np.maximum(images, others[:, ::-1, ::-1])
    return _one_of([np.concatenate(across, 2), np.concatenate(down, 1), over], rng)


def _squeezed(images: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.stack(
        [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images]
    )


def _one_of(versions: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Of each image's versions, `(B, height, width)` each, a random one."""
    chosen = rng.integers(len(versions), size=len(versions[0]))
    return np.stack(versions)[chosen, np.arange(len(chosen))]
