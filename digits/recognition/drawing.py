"""From what a pen wrote to digits: which strokes belong together, and how they are read.

`page/grouping.js` does the same for the page, see `strokes`. In four steps:

1. Strokes that are pieces of one digit are joined: a low one that is near, such as the bar of
   a 5, what lies across another, and the dot of an i, which would be taken for a 1 without it.
2. Those whose ink touches make a cluster. It is one digit, unless the model is surer of its
   parts: then it is parted between strokes, and a stroke too wide for a digit along its way.
3. Specks and dashes are left out.
4. Digits side by side make a row.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from digits.recognition.boxes import Box
from digits.recognition.digitizing import Digit, check_deadline
from digits.recognition.gaps import gap
from digits.recognition.parting import parted
from digits.recognition.strokes import Extent, crop, extent, joint_extent

Predict = Callable[[np.ndarray], np.ndarray]

LOW = 0.6  # of a digit's height: a piece of one
BAR = 0.2  # of a digit's height: what is shorter is no bar of one
NEAR = 0.35  # of the height of the digit below: farther above, a bar is not its own
GAP = 1.5  # widths of the stroke: what a pen may leave out
HAIR = 0.7  # widths of the stroke, between two high strokes of a digit
WIDE = 1.2  # widths to a height: more is no single digit
STEM = 0.6  # widths to a height: a slimmer stroke with a dot above it is an i or a j
TITTLE = 0.5  # of the stem's height: the dot of an i is smaller
ABOVE = 0.6  # of the stem's height: the dot of an i is no farther above it
TALL = 0.9  # of the strokes are no higher than the typical height
SPECK = 0.3  # of the size of the other digits: what is smaller is none
DASH = 3.0  # times wider than high: no digit
SAME_ROW = 0.4  # of the lower one's height side by side


class Drawn(NamedTuple):
    """A stroke and what it covers."""

    stroke: np.ndarray
    extent: Extent


@dataclass(frozen=True, eq=False)
class Piece:
    """Strokes that belong together: their numbers, what they cover, their mean width."""

    numbers: tuple[int, ...]
    extent: Extent
    width: float

    def joined(self, other: "Piece") -> "Piece":
        """Return both as one piece."""
        numbers = (*self.numbers, *other.numbers)
        return Piece(numbers, self.extent.around(other.extent), max(self.width, other.width))


def find(
    strokes: Sequence[np.ndarray],
    predict: Predict | None = None,
    deadline: float | None = None,
) -> list[Digit]:
    """Find the digits that were drawn, row by row, from left to right.

    Args:
        strokes: see `strokes`, each with at least one point.
        predict: gives probabilities, `(N, classes)`, of images `uint8 (N, 28, 28)`. With it
            digits that touch are parted; without it, as while the pen is down, they stay.
        deadline: a time of `time.monotonic`, checked before each piece is compared or parted.

    Raises:
        DeadlineError: the deadline has passed.
    """
    drawn = [Drawn(stroke, extent(stroke)) for stroke in strokes]
    clusters = _touching(_join(_pieces(drawn), drawn, deadline), drawn, deadline)
    digits: list[tuple[list[np.ndarray], Extent]] = []
    for pieces in clusters:
        check_deadline(deadline)
        several = [[strokes[number] for number in sorted(piece.numbers)] for piece in pieces]
        if predict:
            digits += [(each, joint_extent(each)) for each in parted(several, predict)]
        else:
            whole = [stroke for piece in several for stroke in piece]
            digits.append((whole, joint_extent(whole)))
    kept = _without_specks(digits)
    order = rows([covered for _, covered in kept])
    return [
        Digit(crop(kept[index][0]), _box(kept[index][1]), row, position)
        for row, several in enumerate(order)
        for position, index in enumerate(several)
    ]


def _box(covered: Extent) -> Box:
    """Return the smallest box of whole pixels around the ink."""
    left, top = math.floor(covered.left), math.floor(covered.top)
    return Box(left, top, math.ceil(covered.right) - left, math.ceil(covered.bottom) - top)


def _pieces(drawn: Sequence[Drawn]) -> list[Piece]:
    return [
        Piece((number,), covered, float(stroke[:, 2].sum()) / len(stroke))
        for number, (stroke, covered) in enumerate(drawn)
    ]


def _join(pieces: list[Piece], drawn: Sequence[Drawn], deadline: float | None) -> list[Piece]:
    """Join pieces with what they belong to, the highest first."""
    if not pieces:
        return []
    heights = sorted(piece.extent.height for piece in pieces)
    typical = heights[int(TALL * (len(heights) - 1))]
    joined: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: -piece.extent.height):
        check_deadline(deadline)
        # A piece may lie between others, and what it makes of one may reach the next.
        for other in list(joined):
            low, high = (
                (piece, other) if piece.extent.height <= other.extent.height else (other, piece)
            )
            if _belongs(low, high, typical, drawn):
                joined.remove(other)
                piece = high.joined(low)
        joined.append(piece)
    return joined


def _belongs(low: Piece, high: Piece, typical: float, drawn: Sequence[Drawn]) -> bool:
    """Decide whether a piece is of the same digit as one that is no lower."""
    a, b = low.extent, high.extent
    across = min(a.right, b.right) - max(a.left, b.left)
    down = min(a.bottom, b.bottom) - max(a.top, b.top)
    height = max(b.height, typical)
    is_low = a.height < LOW * height
    is_over = across > 0.5 * a.width
    size = max(a.width, a.height)
    if is_low and is_over and size > BAR * height and -down < NEAR * b.height:
        return True
    if _is_dotted(high, a):
        return True
    # A speck farther away than it is large is none of it.
    width = min(max(low.width, high.width), size)
    if a.away(b) > GAP * width:
        return False
    whole = a.around(b)
    is_stacked = down < 0.5 * a.height and whole.height < WIDE * height
    is_piece = (is_low or is_stacked) and whole.width < WIDE * height
    if not (is_piece or is_over):
        return False
    least = (GAP if is_piece else HAIR) * width
    return any(each < least for each in _gaps(low, high, drawn, least))


def _is_dotted(stem: Piece, dot: Extent) -> bool:
    """Decide whether a slim piece has a dot above it."""
    b = stem.extent
    size = max(dot.width, dot.height)
    return (
        b.width < STEM * b.height
        and 0.5 * stem.width < size < TITTLE * b.height
        and dot.top < b.top
        and b.top - dot.bottom < ABOVE * b.height
        and max(dot.left, b.left) - min(dot.right, b.right) < 0.5 * size
    )


def _gaps(one: Piece, other: Piece, drawn: Sequence[Drawn], most: float) -> Iterator[float]:
    """Measure from each stroke to each whose box is no farther away than `most`."""
    for i in one.numbers:
        for j in other.numbers:
            a, b = drawn[i], drawn[j]
            if a.extent.away(b.extent) <= most:
                yield gap(a.stroke, b.stroke)


def _touching(
    pieces: list[Piece], drawn: Sequence[Drawn], deadline: float | None
) -> list[list[Piece]]:
    """Group the pieces whose ink touches."""
    clusters: list[list[Piece]] = []
    for piece in pieces:
        check_deadline(deadline)
        near = [
            cluster for cluster in clusters if any(_touch(piece, other, drawn) for other in cluster)
        ]
        clusters = [cluster for cluster in clusters if cluster not in near]
        clusters.append([*(each for cluster in near for each in cluster), piece])
    return clusters


def _touch(one: Piece, other: Piece, drawn: Sequence[Drawn]) -> bool:
    if one.extent.away(other.extent) > 0:
        return False
    return any(each <= 0 for each in _gaps(one, other, drawn, 0))


def _without_specks(
    digits: list[tuple[list[np.ndarray], Extent]],
) -> list[tuple[list[np.ndarray], Extent]]:
    """Leave out pieces that are much smaller than the others, or as flat as a dash."""
    sizes = [max(covered.width, covered.height) for _, covered in digits]
    large = sorted(size for size in sizes if size > SPECK * max(sizes))
    return [
        digit
        for digit, size in zip(digits, sizes, strict=True)
        if size > SPECK * large[len(large) // 2] and digit[1].width < DASH * digit[1].height
    ]


def rows(extents: Sequence[Extent]) -> list[list[int]]:
    """Sort digits into rows, each from left to right, and return their numbers."""
    order = sorted(range(len(extents)), key=lambda i: extents[i].left + extents[i].right)
    several: list[list[int]] = []
    for place, index in enumerate(order):
        row = next(
            (
                next(row for row in several if before in row)
                for before in reversed(order[:place])  # the nearest at its left
                if _side_by_side(extents[index], extents[before])
            ),
            None,
        )
        if row is None:
            several.append(row := [])
        row.append(index)
    return sorted(
        several, key=lambda row: sum(extents[i].top + extents[i].bottom for i in row) / len(row)
    )


def _side_by_side(one: Extent, other: Extent) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared > SAME_ROW * min(one.height, other.height)
