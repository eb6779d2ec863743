"""From a digit's ink to an image as MNIST made them."""

import cv2
import numpy as np

SIDE = 28  # pixels of the image's side
BOX = 20  # pixels of the digit's longer side
STROKE = 2.4  # pixels; three of four digits of MNIST are bolder, and thinner ones are thickened
FINE = 4  # parts of a pixel in which a digit is laid out; 8 read no more digits


def crop(mask: np.ndarray) -> np.ndarray:
    """Make the image of a digit as MNIST made its own.

    It is light on black, its longer side has 20 pixels, and it is centred by its mass.

    Args:
        mask: `bool (height, width)`, where the ink of one digit is, cut to its box.

    Returns:
        `uint8 (28, 28)`.
    """
    side = np.clip(max(mask.shape), FINE * BOX, 8 * FINE * BOX)
    # Where it has to shrink, a thin line stays.
    ink = (_fit(mask, side) > (0.5 if side > max(mask.shape) else 0.3)).astype(np.uint8)
    missing = STROKE * max(ink.shape) / BOX - stroke_width(ink)
    if missing > 0:
        away = np.pad(1 - ink, int(missing / 2) + 1, constant_values=1)
        distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        ink = (distance <= missing / 2).astype(np.uint8)
    fine = _fit(ink, FINE * BOX)
    moments = cv2.moments(fine)
    # In MNIST the centre of mass is in the middle of pixel 14.
    middle = (SIDE / 2 + 0.5) * FINE - 0.5
    # A long foot may lie so far from the centre of mass that centring would cut it off.
    right, down = (
        min(max(middle - moments[key] / moments["m00"], 0), SIDE * FINE - length)
        for key, length in (("m10", fine.shape[1]), ("m01", fine.shape[0]))
    )
    centred = cv2.warpAffine(
        fine, np.array([[1, 0, right], [0, 1, down]], np.float32), (SIDE * FINE,) * 2
    )
    image = cv2.resize(centred, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.rint(255 * image).clip(0, 255).astype(np.uint8)


def scaled(image: np.ndarray, scale: float, interpolation: int) -> np.ndarray:
    """Scale both sides of an image, to at least one pixel."""
    size = [max(1, round(length * scale)) for length in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=interpolation)


def stroke_width(mask: np.ndarray) -> float:
    """Measure the width of the strokes, in pixels, of an image with ink `(height, width)`."""
    return float(stroke_widths(mask.astype(int))[1])


def stroke_widths(labels: np.ndarray) -> list[float]:
    """Measure the stroke width of each component, in pixels, by the component's number.

    Of long strokes it is four times the mean distance from a pixel of ink to the paper.

    Args:
        labels: `int (height, width)`, the number of the component, 0 the paper.
    """
    ink = np.pad((labels > 0).astype(np.uint8), 1)
    distance = cv2.distanceTransform(ink, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    there = labels > 0
    numbers = labels[there]
    sums = np.bincount(numbers, distance[there], minlength=2)
    return (4 * sums / np.bincount(numbers, minlength=2).clip(1)).tolist()


def _fit(ink: np.ndarray, side: int) -> np.ndarray:
    """Scale an image so that its longer side has this many pixels, `float32`."""
    scale = side / max(ink.shape)
    return scaled(ink.astype(np.float32), scale, cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
