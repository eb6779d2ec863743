"""Which parts of the ink belong together, which are digits, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import cv2
import numpy as np

from digits.recognition.boxes import Box
from digits.recognition.crops import crop, stroke_widths

MOST_PARTS = 200  # of one picture, which bounds the time; handwriting has fewer
DOT = 9  # pixels; smaller components are dust
STRIP = 8.0  # times longer than wide and at the picture's edge: a border, not a digit
SPECK = 0.3  # of the size of the other digits; smaller parts are specks
DASH = 3.0  # times wider than high; such parts are dashes
CUT_OFF = 0.6  # of the height of whole digits; lower parts at the edge are rests of digits
LOW = 0.6  # of a digit's height; lower components may be pieces of a digit
BAR = 0.2  # of a digit's height; shorter strokes are no bar of a 5
NEAR = 0.35  # of the height of the digit below, the farthest that its bar may be
GAP = 1.5  # widths of the stroke that a pen may leave out within a digit
HAIR = 0.7  # widths of the stroke between the two halves of a digit that broke
WIDE = 1.2  # widths to a height; a single digit is narrower
SEVERAL = 5  # high pieces, fewer of which may be two digits that all broke in halves
STEM = 0.6  # widths to a height; a slimmer stroke with a dot above it is an i or a j
TITTLE = 0.5  # of the stem's height; the dot of an i is smaller
ABOVE = 0.6  # of the stem's height; the dot of an i is no farther above it
SAME_ROW = 0.4  # of the lower part's height that two parts of a row share


@dataclass(frozen=True, eq=False)
class Part:
    """Ink that hangs together, or is taken to.

    Attributes:
        box: around it.
        mask: `bool (height, width)` of the box.
        stroke: width of its strokes, pixels.
    """

    box: Box
    mask: np.ndarray
    stroke: float

    @cached_property
    def image(self) -> np.ndarray:
        """Return the image as MNIST made its own, `uint8 (28, 28)`."""
        return crop(self.mask)


Gaps = dict[tuple[int, int], float]


@dataclass(frozen=True)
class _Pieces:
    """Connected components of the ink, by their numbers, that make one part."""

    numbers: frozenset[int]
    box: Box
    stroke: float

    def joined(self, other: _Pieces) -> _Pieces:
        """Return both as one part."""
        numbers, stroke = self.numbers | other.numbers, max(self.stroke, other.stroke)
        return _Pieces(numbers, self.box.around(other.box), stroke)


def find(mask: np.ndarray) -> list[Part]:
    """Find the parts that may be digits, in no order.

    Args:
        mask: `bool (height, width)`, where ink is.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    strokes = stroke_widths(labels)
    largest = 1 + np.argsort(-areas[1:], kind="stable")[:MOST_PARTS]
    pieces = [
        _Pieces(frozenset([number]), Box(*stats[number, :4].tolist()), strokes[number])
        for number in largest[areas[largest] >= DOT].tolist()
    ]
    written = [piece for piece in pieces if not _is_border(piece.box, *mask.shape)]
    parts = []
    joined = _without_specks(_join(written, cache(lambda: _gaps(labels))))
    for part in _without_cut_off(joined, *mask.shape):
        here = labels[part.box.top : part.box.bottom, part.box.left : part.box.right]
        parts.append(Part(part.box, np.isin(here, list(part.numbers)), part.stroke))
    return parts


def _gaps(labels: np.ndarray) -> Gaps:
    """Measure the paper between neighbouring components, in pixels; the lower number first.

    Neighbours are those between which no third one is nearer.

    Args:
        labels: `int (height, width)`, the number of the component, 0 the paper.
    """
    is_paper = (labels == 0).astype(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(is_paper, cv2.DIST_L2, cv2.DIST_MASK_5)
    number_of = np.zeros(nearest.max() + 1, int)
    number_of[nearest[labels > 0]] = labels[labels > 0]
    number = number_of[nearest]
    pairs, lengths = [], []
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        meet = number[here] != number[there]
        pairs.append(np.sort(np.stack([number[here][meet], number[there][meet]], axis=1)))
        lengths.append((distance[here] + distance[there])[meet])
    several, place = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    shortest = np.full(len(several), np.inf)
    np.minimum.at(shortest, place, np.concatenate(lengths))
    return dict(zip(map(tuple, several.tolist()), shortest.tolist(), strict=True))


def _is_border(box: Box, height: int, width: int) -> bool:
    """Decide whether a box is a strip along an edge of the picture."""
    across = box.left == 0 or box.right == width
    along = box.top == 0 or box.bottom == height
    return (across and box.height > STRIP * box.width) or (along and box.width > STRIP * box.height)


def _join(pieces: list[_Pieces], gaps: Callable[[], Gaps]) -> list[_Pieces]:
    """Join pieces of broken strokes with what they belong to."""
    if not pieces:
        return []
    heights = [piece.box.height for piece in pieces]
    typical = float(np.percentile(heights, 90))
    is_known = sum(height > LOW * typical for height in heights) >= SEVERAL
    joined: list[_Pieces] = []
    for piece in sorted(pieces, key=lambda piece: -piece.box.height):
        # A piece may lie between others, and what it makes of one may reach the next.
        for other in list(joined):
            low, high = sorted((piece, other), key=lambda piece: piece.box.height)
            if _belongs(low, high, typical, is_known, gaps):
                joined.remove(other)
                piece = high.joined(low)
        joined.append(piece)
    return joined


def _belongs(
    piece: _Pieces,
    larger: _Pieces,
    typical: float,
    is_known: bool,
    gaps: Callable[[], Gaps],
) -> bool:
    """Decide whether a piece is of the same digit as one that is no lower.

    It is if it is low and so near that the pen may have left out what is between; or, above
    a digit, even if farther, as the bar of a 5; or high, if only a hair is between and both
    are no higher than a digit, if that `is_known`: else they are of two rows. The dot of an i
    belongs to it as well: without it the rest would be taken for a 1.
    """
    across, down = piece.box.overlap(larger.box)
    height = max(larger.box.height, typical)
    is_low = piece.box.height < LOW * height
    is_over = across > 0.5 * piece.box.width
    size = max(piece.box.width, piece.box.height)
    if is_low and is_over and size > BAR * height and -down < NEAR * larger.box.height:
        return True
    if _is_dotted(larger, piece.box):
        return True
    # A speck farther away than it is large is none of it.
    stroke = min(max(piece.stroke, larger.stroke), size)
    if max(-across, -down) > GAP * stroke:
        return False
    whole = piece.box.around(larger.box)
    is_as_high = whole.height < WIDE * height
    is_stacked = down < 0.5 * piece.box.height and is_as_high
    is_piece = (is_low or is_stacked) and whole.width < WIDE * height
    is_half = is_over and (is_as_high or not is_known)
    if not (is_piece or is_half):
        return False
    between = ((min(a, b), max(a, b)) for a in piece.numbers for b in larger.numbers)
    gap = min(gaps().get(pair, np.inf) for pair in between)
    return gap < (GAP if is_piece else HAIR) * stroke


def _is_dotted(stem: _Pieces, dot: Box) -> bool:
    """Decide whether a slim part has a dot above it."""
    across, down = dot.overlap(stem.box)
    size = max(dot.width, dot.height)
    return (
        stem.box.width < STEM * stem.box.height
        and 0.5 * stem.stroke < size < TITTLE * stem.box.height
        and dot.top < stem.box.top
        and -down < ABOVE * stem.box.height
        and -across < 0.5 * size
    )


def _without_specks(parts: list[_Pieces]) -> list[_Pieces]:
    """Leave out parts that are much smaller than the others, or as flat as a dash."""
    if not parts:
        return []
    sizes = [max(part.box.width, part.box.height) for part in parts]
    typical = np.median([size for size in sizes if size > SPECK * max(sizes)])
    return [
        part
        for part, size in zip(parts, sizes, strict=True)
        if size > SPECK * typical and part.box.width < DASH * part.box.height
    ]


def _without_cut_off(parts: list[_Pieces], height: int, width: int) -> list[_Pieces]:
    """Leave out what remains of a digit that the picture's edge cuts off.

    Such a rest touches the edge and is lower than the digits that do not.
    """

    def touches(box: Box) -> bool:
        return box.left == 0 or box.top == 0 or box.right == width or box.bottom == height

    inside = [part.box.height for part in parts if not touches(part.box)]
    if not inside:
        return parts
    least = CUT_OFF * float(np.median(inside))
    return [part for part in parts if not touches(part.box) or part.box.height >= least]


def rows(parts: list[Part]) -> list[list[Part]]:
    """Sort parts into rows, from the top, and each row from left to right."""
    parts = sorted(parts, key=lambda part: part.box.middle[0])
    row_of: dict[int, int] = {}
    for index, part in enumerate(parts):
        row_of[index] = index
        for before in range(index - 1, -1, -1):  # the nearest at its left
            _, down = part.box.overlap(parts[before].box)
            if down > SAME_ROW * min(part.box.height, parts[before].box.height):
                row_of[index] = row_of[before]
                break
    several: dict[int, list[Part]] = {}
    for index, part in enumerate(parts):
        several.setdefault(row_of[index], []).append(part)
    return sorted(several.values(), key=lambda row: np.mean([part.box.middle[1] for part in row]))
