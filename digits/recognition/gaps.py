"""How much paper is between two strokes."""

import numpy as np

from digits.recognition.strokes import lines

PAIRS = 100_000  # of lines that are compared at a time, which bounds the memory


def gap(one: np.ndarray, other: np.ndarray) -> float:
    """Measure the paper between the ink of two strokes, in pixels; at most 0 where they touch.

    Args:
        one, other: `float64 (points, 3)`, see `strokes`.
    """
    several, b = lines(one)[:, None], lines(other)[None]
    step = PAIRS // len(other) + 1
    return min(_shortest(several[i : i + step], b) for i in range(0, len(one), step))


def _shortest(a: np.ndarray, b: np.ndarray) -> float:
    """Measure from each of these lines, `(N, 1, 5)`, to each of those, `(1, M, 5)`."""
    reach = (a[..., 4] + b[..., 4]) / 2
    ends = [_distance(a[..., :2], b), _distance(a[..., 2:4], b)]
    ends += [_distance(b[..., :2], a), _distance(b[..., 2:4], a)]
    nearest = np.minimum.reduce(ends)
    nearest[_cross(a, b)] = 0
    return float((nearest - reach).min())


def _distance(point: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Measure the distances from points to lines."""
    px, py = point[..., 0], point[..., 1]
    ax, ay, bx, by = (line[..., i] for i in range(4))
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    way = ((px - ax) * dx + (py - ay) * dy) / np.where(length > 0, length, 1)
    way = np.minimum(np.maximum(way, 0), 1)
    aside, below = ax + way * dx - px, ay + way * dy - py
    return np.sqrt(aside * aside + below * below)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Decide whether lines cross between their ends."""
    ends_of_b = _side(a, b[..., 0], b[..., 1]) * _side(a, b[..., 2], b[..., 3])
    ends_of_a = _side(b, a[..., 0], a[..., 1]) * _side(b, a[..., 2], a[..., 3])
    return (ends_of_b < 0) & (ends_of_a < 0)


def _side(line: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return by its sign on which side of a line a point is."""
    ax, ay, bx, by = (line[..., i] for i in range(4))
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax)
