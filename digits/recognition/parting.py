"""Drawn digits that touch, parted where the model is surer of the parts."""

from collections.abc import Callable, Sequence

import numpy as np

from digits.base.selection import sureness
from digits.recognition.strokes import Extent, crop, extent, joint_extent

Predict = Callable[[np.ndarray], np.ndarray]
Strokes = list[np.ndarray]

NARROW = 0.75  # widths to a height: what is narrower is one digit
WIDE = 1.2  # widths to a height: such a stroke is several digits, and cut along its way
WIDEST = 1.6  # widths to a height: more is no digit
LEAST = 0.15  # of the height: the width of a digit
LOW = 0.55  # of the height: what is lower is none
STEPS = 6  # pieces of a wide stroke, in the height
MOST = 24  # pieces that are looked at: more are a scribble
SURE = 0.9  # least sureness of each part; what a letter is cut into seldom reaches it
CUT_COST = 0.02  # log-probability penalty for each cut
NARROW_COST = 0.5  # the same, times the widths that the cluster lacks to a height


def parted(pieces: Sequence[Strokes], predict: Predict) -> list[Strokes]:
    """Part a cluster into its digits, from left to right.

    Of all the ways to part its pieces in their order, the one whose digits the model is surest
    of, as their probabilities multiply; each of them must be sure.

    Args:
        pieces: the strokes of each, `float64 (points, 3)`.
        predict: gives probabilities, `(N, classes)`, of images `uint8 (N, 28, 28)`.
    """
    whole = [stroke for piece in pieces for stroke in piece]
    covered = joint_extent(whole)
    if covered.width < NARROW * covered.height:
        return [whole]
    confidence = float(predict(crop(whole)[None]).max())
    cost = CUT_COST + NARROW_COST * max(0.0, 1 - covered.width / covered.height)
    if np.log(confidence) > -cost:  # no cut pays
        return [whole]
    atoms = _atoms(pieces, covered.height)
    if not 1 < len(atoms) <= MOST:
        return [whole]
    return _best(atoms, covered, confidence, cost, predict)


def _best(
    atoms: list[Strokes], covered: Extent, confidence: float, cost: float, predict: Predict
) -> list[Strokes]:
    """Find the best way to read the first n atoms, for each n: its value and its digits."""
    last = len(atoms)
    spans = [
        (start, end)
        for end in range(1, last + 1)
        for start in range(end)
        if (start, end) != (0, last) and _may_be_digit(atoms[start:end], covered.height)
    ]
    if not spans:
        return [_flat(atoms)]
    images = np.stack([crop(_flat(atoms[start:end])) for start, end in spans])
    probabilities = predict(images)
    confidences = np.where(sureness(probabilities) >= SURE, probabilities.max(axis=1), 0)
    sure = dict(zip(spans, confidences.tolist(), strict=True)) | {(0, last): confidence}
    best: list[tuple[float, list[Strokes]]] = [(0.0, [])]
    for end in range(1, last + 1):
        value, digits = -np.inf, []
        for start in range(end):
            each = sure.get((start, end), 0)
            if not each:
                continue
            total = best[start][0] + float(np.log(each)) - cost
            if total > value:
                value, digits = total, [*best[start][1], _flat(atoms[start:end])]
        best.append((value, digits))
    return best[last][1]


def _may_be_digit(atoms: list[Strokes], height: float) -> bool:
    covered = joint_extent(_flat(atoms))
    return covered.height >= LOW * height and LEAST * height < covered.width < WIDEST * height


def _atoms(pieces: Sequence[Strokes], height: float) -> list[Strokes]:
    """Divide strokes into atoms, which are not parted any further, from left to right."""
    atoms: list[Strokes] = []
    for piece in pieces:
        width = extent(piece[0]).width
        if len(piece) == 1 and width > WIDE * height:
            count = int(min(STEPS * width / height + 0.5, MOST + 1))  # a dash has thousands
            atoms += [[part] for part in _cut(piece[0], count)]
        else:
            atoms.append(piece)
    extents = [joint_extent(atom) for atom in atoms]
    order = sorted(range(len(atoms)), key=lambda i: extents[i].left + extents[i].right)
    return [atoms[index] for index in order]


def _cut(stroke: np.ndarray, count: int) -> list[np.ndarray]:
    """Cut a stroke into this many parts of equal length."""
    steps = np.diff(stroke[:, :2], axis=0)
    lengths = np.sqrt(steps[:, 0] * steps[:, 0] + steps[:, 1] * steps[:, 1])
    ways = np.concatenate([[0.0], np.cumsum(lengths)])
    parts, begin = [], stroke[0]
    first = 1  # point after `begin`
    for number in range(1, count):
        way = ways[-1] * number / count
        last = first
        while ways[last] < way:
            last += 1
        share = (way - ways[last - 1]) / (ways[last] - ways[last - 1])
        between = stroke[last - 1] + share * (stroke[last] - stroke[last - 1])
        parts.append(np.stack([begin, *stroke[first:last], between]))
        begin, first = between, last
    parts.append(np.stack([begin, *stroke[first:]]))
    return parts


def _flat(atoms: Sequence[Strokes]) -> Strokes:
    return [stroke for atom in atoms for stroke in atom]
