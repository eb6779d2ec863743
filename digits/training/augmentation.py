"""Random changes of images in training, by NumPy and OpenCV: a sixth of a step's CPU at most."""

import math
from functools import lru_cache

import cv2
import numpy as np

from digits.params import Augmentation

ELASTIC_GRID = (5, 5)  # points at which the elastic displacement is drawn; smooth between them
GROUND_GRID = (7, 7)  # the same for the brightness of a ground, which is finer
REMAP_ROWS = 32_767  # rows of the largest image that `cv2.remap` takes


def augment(images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Move each image's ink by a random map of its own, and spoil the first images.

    The images of a batch are in random order, so that the first of them are a random choice.

    Args:
        images: `uint8 (B, height, width)`, 0 the paper and 255 full ink.
        rng: an equal state gives equal changes.

    Returns:
        `uint8 (B, height, width)`, a new array.
    """
    moved = move(images, augmentation, rng) if moves(augmentation) else images.copy()
    if count := round(augmentation.spoiled * len(images)):
        moved[:count] = spoil(moved[:count], rng)
    return moved


def moves(augmentation: Augmentation) -> bool:
    """Whether it changes where the ink is."""
    names = ("shift", "rotation", "zoom", "slant", "elastic")
    return any(getattr(augmentation, name) for name in names)


def move(images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Turn, scale, slant, shift and bend each image by a random amount of its own.

    The elastic part moves each pixel by a smooth random field, after Simard, Steinkraus
    and Platt 2003, "Best practices for convolutional neural networks".

    Returns:
        `uint8 (B, height, width)`, bilinearly sampled; what comes in from outside is 0.
    """
    count, height, width = images.shape
    angle, zoom_x, zoom_y, slant, shift_x, shift_y = rng.uniform(-1, 1, (6, count))
    angle = np.radians(augmentation.rotation * angle)
    slope = np.tan(np.radians(augmentation.slant * slant))
    scale_x, scale_y = 1 + augmentation.zoom * zoom_x, 1 + augmentation.zoom * zoom_y
    # Where each pixel of the output lies in the input is linear in the pixel's place from the
    # centre and in the bends at the grid's points, so that one product gives all places.
    from_y = np.stack([-np.sin(angle) / scale_y, np.cos(angle) / scale_y])
    from_x = np.stack([np.cos(angle) / scale_x, np.sin(angle) / scale_x]) + slope * from_y
    weights = np.zeros((2, count, 3 + math.prod(ELASTIC_GRID)), np.float32)
    weights[..., :2] = np.stack([from_x, from_y]).transpose(0, 2, 1)
    weights[0, :, 2] = augmentation.shift * shift_x + (width - 1) / 2
    weights[1, :, 2] = augmentation.shift * shift_y + (height - 1) / 2
    if augmentation.elastic:
        bends = rng.standard_normal((2, count, math.prod(ELASTIC_GRID)), np.float32)
        weights[..., 3:] = augmentation.elastic * bends
    places = weights.reshape(2 * count, -1) @ _basis(height, width)
    return _sample(images, *places.reshape(2, count, height, width))


@lru_cache(maxsize=8)
def _basis(height: int, width: int) -> np.ndarray:
    """What `move` weighs: each pixel's x and y from the centre, 1, and each grid point's bend.

    Returns:
        `float32 (3 + grid points, height * width)`.
    """
    y, x = np.indices((height, width), np.float32)
    points = np.eye(math.prod(ELASTIC_GRID), dtype=np.float32).reshape(*ELASTIC_GRID, -1)
    bends = np.moveaxis(cv2.resize(points, (width, height), interpolation=cv2.INTER_CUBIC), 2, 0)
    rows = np.stack([x - (width - 1) / 2, y - (height - 1) / 2, np.ones_like(x), *bends])
    return rows.reshape(len(rows), -1)


def _sample(images: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The values `uint8 (B, height, width)` of the images at these places, bilinearly.

    All images lie below each other in one, with a border of paper around each, because one
    call of OpenCV costs less than one for each image.
    """
    count, height, width = images.shape
    at_once = REMAP_ROWS // (height + 2)
    if count > at_once:
        parts = [slice(start, start + at_once) for start in range(0, count, at_once)]
        return np.concatenate([_sample(images[part], x[part], y[part]) for part in parts])
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1)]).reshape(-1, width + 2)
    tops = (height + 2) * np.arange(count, dtype=np.float32)[:, np.newaxis, np.newaxis]
    map_x = np.clip(x + 1, 0, width + 1)
    map_y = np.clip(y + 1, 0, height + 1) + tops
    sampled = cv2.remap(
        padded, map_x.reshape(-1, width), map_y.reshape(-1, width), cv2.INTER_LINEAR
    )
    return sampled.reshape(count, height, width)


def spoil(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Do to each image one of six things that scans, photographs and pens do.

    Returns:
        `uint8 (B, height, width)`.
    """
    kinds = (ground, stripes, noise, line, outline, misplacement)
    chosen = rng.integers(len(kinds), size=len(images))
    spoiled = np.empty_like(images)
    for number, kind in enumerate(kinds):
        if (of_kind := chosen == number).any():
            changed = kind(images[of_kind].astype(np.float32), rng)
            spoiled[of_kind] = changed.clip(0, 255).astype(np.uint8)
    return spoiled


def ground(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Less contrast, on a ground that is grey, uneven, or both: fog, shadows, dark paper."""
    count, height, width = images.shape
    strength, level, unevenness = _chances(3, count, rng)
    coarse = rng.random((count, *GROUND_GRID), np.float32)
    size = (width, height)
    clouds = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in coarse])
    grey = np.clip(level + unevenness * (clouds - level), 0, 1)
    return images + 0.8 * strength * (255 * grey - images)


def stripes(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The margins at two opposite sides, up to half the image each, turned to their negative."""
    before, after = _chances(2, len(images), rng)
    along, _ = _axes(images, rng)
    is_negative = (along < before * 0.5) | (along >= 1 - after * 0.5)
    return np.where(is_negative, 255 - images, images)


def noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, on half of the images after a blur of 3 x 3 pixels."""
    strength, chance = _chances(2, len(images), rng)
    blurred = np.stack([cv2.blur(image, (3, 3)) for image in images])
    drawn = rng.standard_normal(images.shape, np.float32)
    return np.where(chance < 0.5, blurred, images) + 127 * strength * drawn


def line(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line through the image, straight or wavy, drawn through or dashed: ruled paper."""
    place, tilt, waves, phase, height, dashes = _chances(6, len(images), rng)
    along, across = _axes(images, rng)
    side = images.shape[1]
    x = along * side
    wave = np.sin(x * (0.4 + 0.8 * waves) + 2 * math.pi * phase)
    y = side * (place + (2 * tilt - 1) * (along - 0.5)) + 2.5 * height * wave
    ink = np.clip(1.3 - np.abs(across * side - y), 0, 1)
    is_drawn = (dashes < 0.6) | (np.sin(x * math.pi / 2 + 2 * math.pi * phase) > 0)
    return images + 255 * np.where(is_drawn, ink, 0)


def outline(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing but the outline, a pixel wide: hollow letters, worn felt pens."""
    ink = (images > 100).astype(np.uint8)
    wider = np.stack([cv2.dilate(image, np.ones((3, 3), np.uint8)) for image in ink])
    return 255 * (wider - ink).astype(np.float32)


def misplacement(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A shift by up to 4 pixels in each direction."""
    right, down = _chances(2, len(images), rng)
    y, x = np.indices(images.shape[1:], np.float32)
    return _sample(images.astype(np.uint8), x + 8 * right - 4, y + 8 * down - 4)


def _chances(kinds: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """From 0 to 1, `float32 (kinds, count, 1, 1)`."""
    return rng.random((kinds, count, 1, 1), np.float32)


def _axes(images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's place along an axis of the image and across it, from 0 to 1.

    The axis is the horizontal or the vertical, by chance.
    """
    count, height, width = images.shape
    y, x = np.indices((height, width), np.float32)
    x, y = (x + 0.5) / width, (y + 0.5) / height
    (chance,) = _chances(1, count, rng)
    return np.where(chance < 0.5, x, y), np.where(chance < 0.5, y, x)
