"""What goes wrong with pictures of digits outside a data set, to measure what a model bears.

The fifteen corruptions of MNIST-C at its strengths, written anew from their definitions in
N. Mu and J. Gilmer, MNIST-C: a robustness benchmark for computer vision, 2019,
arXiv:1906.02337. Where a definition counts pixels of 28 x 28 images, it is kept; where it
divides the image, it divides that of any size.

Each takes images, `float64 (N, height, width)` from 0, the paper, to 1, full ink, and a
random generator, and gives images of the same form; what exceeds 0 to 1 is clipped later.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from digits.evaluation.clouds import draw_clouds

Corruption = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def corrupt(images: np.ndarray, name: str, seed: int) -> np.ndarray:
    """Corrupt images, each in a random way of its own.

    Args:
        images: `uint8 (N, height, width)`.
        name: a key of `CORRUPTIONS`.
        seed: equal seeds give equal images.

    Returns:
        `uint8 (N, height, width)`.
    """
    corrupted = CORRUPTIONS[name](images / 255, np.random.default_rng(seed))
    return np.rint(corrupted.clip(0, 1) * 255).astype(np.uint8)


def shot_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace each pixel by a Poisson count of light quanta, 3 on average at full ink."""
    return rng.poisson(images * 3) / 3


def impulse_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Set 17 % of the pixels to full ink or to paper, half of them each."""
    chance = rng.random(images.shape)
    return np.where(chance < 0.085, 0, np.where(chance < 0.17, 1, images))


def glass_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Look through frosted glass: blur, swap half of the pixels with a neighbour twice, blur."""
    blurred = _blur(images, 0.7)
    count, height, width = images.shape
    each = np.arange(count)
    for _ in range(2):
        for y in range(height - 1, 1, -1):
            for x in range(width - 1, 1, -1):
                step_y, step_x = rng.integers(-1, 1, (2, count)) * (rng.random(count) < 0.5)
                here, there = (each, y, x), (each, y + step_y, x + step_x)
                blurred[here], blurred[there] = blurred[there], blurred[here]
    return _blur(blurred, 0.7)


def motion_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give the ink a tail that fades within 10 pixels, up to 45 degrees off the horizontal."""
    reach = 21
    weights = np.exp(-(np.arange(reach) ** 2) / (2 * 3**2))
    weights /= weights.sum()
    angle = rng.uniform(-np.pi / 4, np.pi / 4, len(images))
    _, height, width = images.shape
    padded = np.pad(images, [(0, 0), (reach, reach), (reach, reach)], mode="edge")
    each = np.arange(len(images))[:, None, None]
    row, column = np.arange(reach, reach + height)[:, None], np.arange(reach, reach + width)
    blurred = np.zeros_like(images)
    for distance, weight in enumerate(weights):
        down = np.rint(distance * np.sin(angle)).astype(int)[:, None, None]
        right = np.rint(distance * np.cos(angle)).astype(int)[:, None, None]
        blurred += weight * padded[each, row + down, column + right]
    return blurred


def shear(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slant the digit to the left or to the right by 0.4 radians."""
    slants = 0.4 * _signs(rng, len(images))
    return _map(images, [np.array([[np.cos(s), 0], [-np.sin(s), 1]]) for s in slants])


def scale(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shrink the digit to 70 % of its size."""
    return _map(images, [np.eye(2) / 0.7] * len(images))


def rotate(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn the digit by 0.4 radians in either direction."""
    turns = 0.4 * _signs(rng, len(images))
    return _map(
        images, [np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) for t in turns]
    )


def brightness(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Raise all pixels by half of full ink; what exceeds full ink is clipped later."""
    return images + 0.5


def translate(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shift the digit towards one of the corners, by 3 pixels in both directions."""
    padded = np.pad(images, [(0, 0), (3, 3), (3, 3)])
    _, height, width = images.shape
    starts = 3 - 3 * np.stack([_signs(rng, len(images)), _signs(rng, len(images))], axis=1)
    return np.stack(
        [image[y : y + height, x : x + width] for image, (y, x) in zip(padded, starts, strict=True)]
    )


def stripe(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Invert the outer quarters of the image, left and right."""
    quarter = images.shape[2] // 4
    negative = 1 - images
    middle = slice(quarter, images.shape[2] - quarter)
    negative[:, :, middle] = images[:, :, middle]
    return negative


def fog(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add fog three times as strong as the ink, then scale back to the ink's old maximum."""
    strongest = images.max(axis=(1, 2), keepdims=True)
    return (images + 3 * draw_clouds(images.shape, rng)) * strongest / (strongest + 3)


def spatter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put grey drops over the digit, where blurred noise is high."""
    drops = _blur(rng.normal(0.65, 0.3, images.shape), 1) > 0.65
    covered = _blur(drops.astype(float), 1.5)
    covered[covered < 0.8] = 0
    return images * (1 - covered) + 63 / 255 * covered


def dotted_line(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a dotted straight line from edge to edge: two pixels, then a gap of two."""
    count, height, width = images.shape
    dots = np.arange(width) % 4 >= 2
    ends = rng.integers(0, height - 1, (count, 2))
    lines = [_line((height, width), 0, start, width - 1, end) for start, end in ends]
    return images + lines * dots


def zigzag(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a zigzag from left to right that turns every 4 pixels, 2 pixels to each side."""
    size = height, width = images.shape[1:]
    left, right = 2, width - 3
    zigzags = images.copy()
    for image in zigzags:
        start = rng.integers(0, height - 1)
        tilt = np.arctan(rng.integers(-5, 5) / (right - left))
        length = (right - left) / np.cos(tilt)
        along = np.array([0, *(turns := np.arange(2, length, 4)), length])
        aside = np.array([0, *(2 * (-1) ** np.arange(len(turns))), 0])
        x = left + along * np.cos(tilt) - aside * np.sin(tilt)
        y = start + along * np.sin(tilt) + aside * np.cos(tilt)
        for i in range(len(x) - 1):
            image += _line(size, x[i], y[i], x[i + 1], y[i + 1])
    return zigzags


def canny_edges(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Keep nothing but the edges that J. Canny's detector of 1986 finds.

    Blurred by 1 pixel; an edge is where Sobel's sum of eight slopes, of full ink a pixel,
    is above 0.2, and what is connected to it above 0.1, both only at its maximum across
    the edge.
    """
    blurred = _blur(images, 1)
    slope_y, slope_x = (  # Sobel's filter, applied to each image
        ndimage.correlate1d(ndimage.correlate1d(blurred, [-1, 0, 1], axis), [1, 2, 1], 3 - axis)
        for axis in (1, 2)
    )
    slope = np.hypot(slope_y, slope_x)
    direction = np.rint(np.arctan2(slope_y, slope_x) / (np.pi / 4)).astype(int) % 4
    _, height, width = images.shape
    padded = np.pad(slope, [(0, 0), (1, 1), (1, 1)])
    is_peak = np.zeros(images.shape, bool)
    for number, (y, x) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        ahead = padded[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]
        behind = padded[:, 1 - y : 1 - y + height, 1 - x : 1 - x + width]
        is_peak |= (direction == number) & (slope >= ahead) & (slope > behind)
    connected = np.zeros((3, 3, 3), bool)
    connected[1] = True  # a pixel is connected with its eight neighbours
    parts, _ = ndimage.label(is_peak & (slope > 0.1), connected)
    is_edge = np.isin(parts, np.unique(parts[is_peak & (slope > 0.2)])) & (parts > 0)
    return is_edge.astype(float)


CORRUPTIONS: dict[str, Corruption] = {
    function.__name__: function
    for function in (
        shot_noise,
        impulse_noise,
        glass_blur,
        motion_blur,
        shear,
        scale,
        rotate,
        brightness,
        translate,
        stripe,
        fog,
        spatter,
        dotted_line,
        zigzag,
        canny_edges,
    )
}


def _signs(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.choice([-1, 1], count)


def _blur(images: np.ndarray, spread: float) -> np.ndarray:
    """Blur each image by a Gaussian of this standard deviation in pixels."""
    return ndimage.gaussian_filter(images, (0, spread, spread), mode="nearest")


def _map(images: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    """Map each image linearly around its centre; a matrix leads from new (y, x) to old."""
    centre = (np.array(images.shape[1:]) - 1) / 2
    return np.stack(
        [
            ndimage.affine_transform(image, matrix, centre - matrix @ centre, order=1)
            for image, matrix in zip(images, matrices, strict=True)
        ]
    )


def _line(size: tuple[int, int], x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """A line from (x0, y0) to (x1, y1), x0 < x1, that fades within 2.3 pixels up and down."""
    height, width = size
    if x1 <= x0:
        return np.zeros(size)
    x, y = np.arange(width), np.arange(height)[:, None]
    distance = np.abs(y - (y0 + (y1 - y0) / (x1 - x0) * (x - x0)))
    ink = np.log(1 - np.minimum(distance / 2.3, 1 - 1e-10)) + 1
    return np.where((x >= np.floor(x0)) & (x < np.ceil(x1)), ink.clip(0, 1), 0)
