"""From pictures of any size and ground to images of one size, light ink on black, none twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from digits.base.text import shape_text
from digits.importing.pictures import Pictures

SIDE = 28  # pixels, of a resized image: what the recogniser and the server take
LARGEST_KEPT = 64  # pixels: larger pictures are resized, or a training would take hours


@dataclass(frozen=True)
class Shape:
    """What is done to every picture, and in words.

    Attributes:
        size: height and width of the images.
        invert: whether dark becomes light.
        notes: what to tell about both.
    """

    size: tuple[int, int]
    invert: bool
    notes: list[str]


def choose(images: Sequence[np.ndarray], size: tuple[int, int] | None, ink: str) -> Shape:
    """Choose the images' size and ground.

    Args:
        images: of all splits, each `uint8 (height, width)`.
        size: as the user wants it; None: kept if all are equal and small, else 28 x 28.
        ink: whether ink is light or dark; auto: what the pictures' edges say.
    """
    sizes = Counter(image.shape for image in images)
    common = sizes.most_common(1)[0][0]
    if size is None:
        keep = len(sizes) == 1 and max(common) <= LARGEST_KEPT
        size = (common[0], common[1]) if keep else (SIDE, SIDE)
    notes = [f"the size is kept: {shape_text(size)}"]
    if other := sum(count for shape, count in sizes.items() if shape != size):
        notes = [
            f"resized to {shape_text(size)}: {other:,} of {len(images):,} pictures, most of "
            f"them {shape_text(common)}"
        ]
    is_light_ground = np.median([ground(image) for image in images]) > 127
    invert = is_light_ground if ink == "auto" else ink == "dark"
    if invert:
        why = "the edges are light" if ink == "auto" else "as you said"
        notes.append(f"inverted, so that ink is light on black: {why}")
    return Shape(size, bool(invert), notes)


def ground(image: np.ndarray) -> float:
    """The median along the edges of a picture: its paper."""
    return float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))


def apply(pictures: Pictures, shape: Shape) -> np.ndarray:
    """Make images of pictures, `uint8 (N, height, width)`."""
    made = np.empty((len(pictures.images), *shape.size), np.uint8)
    for index, image in enumerate(pictures.images):
        made[index] = image if image.shape == shape.size else _fit(image, shape.size)
    return 255 - made if shape.invert else made


def value_ranges(images: np.ndarray) -> np.ndarray:
    """The smallest and the largest pixel of each image, `int64 (N, 2)`."""
    flat = images.reshape(len(images), -1)
    return np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1).astype(np.int64)


def have_both(ranges: np.ndarray, threshold: int) -> np.ndarray:
    """Whether images have both ink, from the threshold on, and paper, `bool (N,)`."""
    low, high = ranges.T
    return (low < threshold) & (threshold <= high)


def ink_threshold(ranges: np.ndarray, present: int) -> int:
    """Choose from which value on a pixel is ink.

    Args:
        ranges: of the images' values, see `value_ranges`.
        present: the value so far, from 1 to 255.

    Returns:
        Of the values by which most images have both ink and paper, the nearest to the present.
    """
    values = np.arange(1, 256)
    low, high = ranges.T
    # An image has both from the value above its smallest pixel to that of its largest.
    fitting = np.searchsorted(np.sort(low), values) - np.searchsorted(np.sort(high), values)
    best = values[fitting == fitting.max()]
    return int(best[np.abs(best - present).argmin()])


def _fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture to fit, without a change of its proportions, on ground of its own."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape)
    resized = Image.fromarray(image).resize(
        (width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    )
    fitted = Image.new("L", (size[1], size[0]), round(ground(image)))
    fitted.paste(resized, ((size[1] - width) // 2, (size[0] - height) // 2))
    return np.asarray(fitted)
