"""What the page sends of a pen: strokes as numbers of two bytes."""

import numpy as np

from digits.base.errors import UserError

EIGHTHS = 8  # parts of a pixel
POINT = 3  # numbers: x, y, width
MOST_STROKES = 1000
MOST_POINTS = 20_000  # of all strokes: what touches is compared line by line
FARTHEST = 4000  # pixels


def parse_strokes(body: bytes) -> list[np.ndarray]:
    """Read the strokes of a request.

    Args:
        body: of each stroke the number of its points, then x, y and width of each, in eighths
            of a pixel; all `int16`, little-endian.

    Returns:
        `float64 (points, 3)` each, in pixels.

    Raises:
        UserError: it is not such a body, or has too many strokes or points.
    """
    if len(body) % 2:
        raise UserError(f"{len(body)} bytes: strokes are numbers of two bytes each")
    numbers = np.frombuffer(body, "<i2")
    strokes: list[np.ndarray] = []
    begin = 0
    while begin < len(numbers):
        end = begin + 1 + POINT * int(numbers[begin])
        if not begin + 1 < end <= len(numbers):
            raise UserError(f"stroke {len(strokes)} has not the {numbers[begin]} points it names")
        if len(strokes) == MOST_STROKES:
            raise UserError(f"at most {MOST_STROKES:,} strokes are read")
        strokes.append(numbers[begin + 1 : end].reshape(-1, POINT) / EIGHTHS)
        begin = end
    if sum(map(len, strokes)) > MOST_POINTS:
        raise UserError(f"at most {MOST_POINTS:,} points are read")
    if any(stroke[:, 2].min() <= 0 or np.abs(stroke).max() > FARTHEST for stroke in strokes):
        raise UserError(f"a stroke goes beyond {FARTHEST:,} pixels, or has no width")
    return strokes
