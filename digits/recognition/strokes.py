"""A digit that a pen wrote as an image: its strokes laid on the grid that MNIST's digits have.

`page/ink.js` does the same for the page, step by step and in the same order, so that both get
the same pixels. A stroke is `float64 (points, 3)`: x, y and the width of the pen, in pixels of
the sheet and multiples of 1/8. Each point is joined to the one before it by a line as wide as
the pen was there, with round ends; the first one is a dot.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

SIDE = 28  # pixels of the image
BOX = 20  # pixels of the digit's longer side
STROKE = 2.4  # pixels of the image: thinner strokes are thickened, as MNIST's are wider
FINE = 8  # samples of a pixel, along each side
GRID = BOX * FINE
MIDDLE = (SIDE / 2 + 0.5) * FINE - 0.5  # MNIST's centre of mass is in the middle of pixel 14


class Extent(NamedTuple):
    """What ink covers, in pixels of the sheet."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Return the length from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Return the length from top to bottom."""
        return self.bottom - self.top

    def around(self, other: "Extent") -> "Extent":
        """Return the smallest extent that holds both."""
        return Extent(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def away(self, other: "Extent") -> float:
        """Return how far away another is, aside or below: at most 0 where they meet."""
        aside = max(self.left, other.left) - min(self.right, other.right)
        below = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(aside, below)


def lines(stroke: np.ndarray) -> np.ndarray:
    """Divide a stroke into lines: `float64 (points, 5)`, x and y of both ends, and the width."""
    before = np.concatenate([stroke[:1], stroke[:-1]])
    return np.concatenate([before[:, :2], stroke], axis=1)


def extent(stroke: np.ndarray) -> Extent:
    """Measure what a stroke covers."""
    ax, ay, bx, by, width = lines(stroke).T
    reach = width / 2
    return Extent(
        float((np.minimum(ax, bx) - reach).min()),
        float((np.minimum(ay, by) - reach).min()),
        float((np.maximum(ax, bx) + reach).max()),
        float((np.maximum(ay, by) + reach).max()),
    )


def joint_extent(strokes: Sequence[np.ndarray]) -> Extent:
    """Measure what several strokes cover together, at least one."""
    return reduce(Extent.around, map(extent, strokes))


def crop(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Make the image of a digit: its longer side 20 pixels, its centre of mass in the centre.

    Args:
        strokes: of one digit, at least one point.

    Returns:
        `uint8 (28, 28)`, light on black: of each pixel's 64 samples the share that is ink.
    """
    ink = np.concatenate([lines(stroke) for stroke in strokes])
    covered = joint_extent(strokes)
    side = max(covered.width, covered.height)
    missing = max(0.0, STROKE * side / BOX - float(ink[:, 4].sum()) / len(ink))
    fine = _samples(ink, covered, missing, GRID / (side + missing))
    rows, columns = np.divmod(np.flatnonzero(fine), GRID)
    # Whole samples are shifted, which loses no more than a sixteenth of a pixel.
    down = int(np.floor(MIDDLE - rows.sum() / len(rows) + 0.5))
    right = int(np.floor(MIDDLE - columns.sum() / len(columns) + 0.5))
    size = SIDE * FINE
    rows, columns = rows + down, columns + right
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    pixels = rows[inside] // FINE * SIDE + columns[inside] // FINE
    counts = np.bincount(pixels, minlength=SIDE**2).reshape(SIDE, SIDE)
    return np.floor(counts * 255 / FINE**2 + 0.5).astype(np.uint8)


def _samples(ink: np.ndarray, covered: Extent, missing: float, scale: float) -> np.ndarray:
    """Decide which samples are ink, `bool (GRID, GRID)`: those within half a line's width."""
    fine = np.zeros((GRID, GRID), bool)
    corner = np.array([covered.left, covered.top])
    starts = (ink[:, :2] - corner + missing / 2) * scale
    ends = (ink[:, 2:4] - corner + missing / 2) * scale
    reaches = (ink[:, 4] + missing) / 2 * scale
    low = np.floor(np.minimum(starts, ends) - reaches[:, None]).clip(0, GRID).astype(int)
    high = np.ceil(np.maximum(starts, ends) + reaches[:, None]).clip(0, GRID).astype(int)
    centres = np.arange(GRID) + 0.5
    for (ax, ay), (bx, by), reach, (left, top), (right, bottom) in zip(
        starts.tolist(), ends.tolist(), reaches.tolist(), low.tolist(), high.tolist(), strict=True
    ):
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        x, y = centres[left:right], centres[top:bottom, None]
        way = ((x - ax) * dx + (y - ay) * dy) / length if length > 0 else 0 * x + 0 * y
        way = np.minimum(np.maximum(way, 0), 1)
        aside, below = ax + way * dx - x, ay + way * dy - y
        fine[top:bottom, left:right] |= aside * aside + below * below <= reach * reach
    return fine
