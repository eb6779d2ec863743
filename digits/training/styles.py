"""Ways to write a digit that MNIST, which is American, hardly has.

Strokes are added to images of digits: the foot and the upstroke of a continental 1, the bar and
the hook of a 7, the closed top of a 4, the curled tail of a 9.
"""

from collections.abc import Callable, Sequence

import numpy as np

from digits.training import strokes

INK = 100  # a pixel counts as ink from this value on
PENS = (1.6, 3.4)  # width of the strokes that are added, pixels
WIDEST_TOP = 7  # of a 4 that is closed, pixels

Curves = list[np.ndarray]


def restyle(
    images: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    share: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Give a share of the 1s, 4s, 7s and 9s another style.

    Args:
        images: `uint8 (B, height, width)`, 0 the paper and 255 full ink.
        labels: `uint8 (B,)`.
        classes: the classes' names; where none is a digit, nothing changes.
        share: of the images of these digits.
        rng: an equal state gives equal changes.

    Returns:
        `uint8 (B, height, width)`, a new array.
    """
    restyled = images.copy()
    for index in np.flatnonzero(rng.random(len(images)) < share):
        style = STYLES.get(classes[labels[index]])
        if style is not None and (restyled[index] > INK).any():
            curves = style(restyled[index] > INK, rng)
            added = strokes.draw(curves, images.shape[1:], rng.uniform(*PENS))
            restyled[index] = np.maximum(restyled[index], added)
    return restyled


def continental_one(ink: np.ndarray, rng: np.random.Generator) -> Curves:
    """An upstroke to the top, a foot, or both."""
    which = rng.integers(3)
    curves = []
    if which != 0:
        top = _end(ink, 0)
        curves.append(_line(top, top + np.array([-rng.uniform(3, 8), rng.uniform(4, 10)])))
    if which != 1:
        bottom = _end(ink, -1)
        left, right, tilt = rng.uniform(2, 6), rng.uniform(2, 6), rng.uniform(-1, 1)
        curves.append(_line(bottom - np.array([left, -tilt]), bottom + np.array([right, -tilt])))
    return curves


def european_seven(ink: np.ndarray, rng: np.random.Generator) -> Curves:
    """A bar across the stem, a hook at the left end of the top, or both."""
    which = rng.integers(4)
    rows, columns = np.nonzero(ink)
    curves = []
    if which != 0:  # the bar is the most frequent
        height = rows.min() + rng.uniform(0.42, 0.65) * np.ptp(rows)
        beside = columns[rows == round(height)]  # nothing, where the stem is broken
        middle = np.array([(beside if beside.size else columns).mean(), height], np.float32)
        left, right, tilt = rng.uniform(3, 6), rng.uniform(3, 6), rng.uniform(-1.5, 1.5)
        curves.append(_line(middle - np.array([left, -tilt]), middle + np.array([right, -tilt])))
    if which in (0, 3):
        column = columns.min() + 1
        end = np.array([column, rows[columns <= column].min() + 1], np.float32)
        curves.append(_line(end, end + np.array([rng.uniform(-1, 1), rng.uniform(2.5, 5)])))
    return curves


def closed_four(ink: np.ndarray, rng: np.random.Generator) -> Curves:
    """A line from the top of the left stroke to the top of the right one, if it is short.

    A wide top that is closed makes a 9 of the 4.
    """
    rows, columns = np.nonzero(ink)
    middle = (columns.min() + columns.max()) / 2
    tops = []
    for side in (columns <= middle - 1, columns >= middle + 1):
        if not side.any():
            return []
        row = rows[side].min()
        tops.append(np.array([columns[side & (rows == row)].mean(), row], np.float32))
    return [_line(*tops)] if np.hypot(*(tops[1] - tops[0])) <= WIDEST_TOP else []


def curled_nine(ink: np.ndarray, rng: np.random.Generator) -> Curves:
    """The tail goes on to the left, and up."""
    bottom = _end(ink, -1)
    end = bottom + np.array([-rng.uniform(4, 9), -rng.uniform(0, 4)])
    control = bottom + np.array([-rng.uniform(1, 4), rng.uniform(1, 3)])
    return [strokes.bend(bottom, control, end)]


def _end(ink: np.ndarray, row: int) -> np.ndarray:
    """The middle of the first row of ink, or of the last: x and y."""
    rows = np.flatnonzero(ink.any(axis=1))
    return np.array([np.flatnonzero(ink[rows[row]]).mean(), rows[row]], np.float32)


def _line(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return np.stack([start, end])


STYLES: dict[str, Callable[[np.ndarray, np.random.Generator], Curves]] = {
    "1": continental_one,
    "4": closed_four,
    "7": european_seven,
    "9": curled_nine,
}
