"""Strokes of a pen, drawn into small images: what outliers and styles of writing are made of."""

from collections.abc import Sequence

import cv2
import numpy as np

SCALE = 4  # strokes are drawn so many times as large and then shrunk, for soft edges
FRACTION_BITS = 4  # of the coordinates that OpenCV is given


def draw(curves: Sequence[np.ndarray], shape: tuple[int, int], pen: float) -> np.ndarray:
    """Draw curves with a round pen.

    Args:
        curves: the points of each, `(points, 2)`, x and y in pixels of the image.
        shape: height and width of the image.
        pen: width of the stroke, pixels.

    Returns:
        `uint8 (height, width)`, 0 the paper and 255 full ink.
    """
    height, width = shape
    large = np.zeros((SCALE * height, SCALE * width), np.uint8)
    # The centre of the first pixel is at (0, 0) in both, thus the shift by half a pixel.
    points = [
        np.rint(((curve + 0.5) * SCALE - 0.5) * 2**FRACTION_BITS).astype(np.int32)
        for curve in curves
    ]
    thickness = max(1, round(pen * SCALE))
    cv2.polylines(large, points, False, 255, thickness, cv2.LINE_AA, FRACTION_BITS)
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)


def bend(start: np.ndarray, control: np.ndarray, end: np.ndarray, points: int = 9) -> np.ndarray:
    """The points `(points, 2)` of a quadratic Bezier curve."""
    t = np.linspace(0, 1, points)[:, np.newaxis]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
