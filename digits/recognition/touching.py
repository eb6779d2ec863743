"""Digits that touch: cut where little ink is in the way, and the parts make better digits."""

from collections.abc import Callable

import cv2
import numpy as np

from digits.base.selection import sureness
from digits.recognition.boxes import Box
from digits.recognition.crops import scaled, stroke_width
from digits.recognition.parts import Part

Predict = Callable[[np.ndarray], np.ndarray]

NARROW = 0.75  # widths to a height; narrower parts are one digit
WIDE = 1.6  # widths to a height; wider pieces are several digits
LEAST = 0.15  # of the height; narrower pieces are no digit
LOW = 0.55  # of the height; lower pieces are no digit
HEIGHT = 80  # pixels; parts are searched for cuts at this height
CLEAN = 0.9  # least share of a piece's ink that hangs together; a bad cut leaves crumbs
SURE = 0.9  # least sureness of each piece
SURE_MEAN = 0.98  # least geometric mean of it; what a letter is cut into seldom reaches it
SLIM = 0.65  # widths to a height; what falls into such pieces alone may be a letter: m, u or w
AHEAD = 2.7  # log-odds by which the least sure piece is surer than the whole
NARROW_AHEAD = 8.0  # further log-odds, times the widths that lack to a height
DOUBT = 0.001  # added to each doubt, so that what is as sure as can be has odds too
ASIDE = 0.05  # cost of a step aside, where going through a pixel of ink costs 1
DIAGONAL = 0.4  # extra cost of a step aside through ink, because the way is longer
STEPS = 18  # places per height where a cut is tried
APART = 0.5  # widths of the stroke by which two cuts differ somewhere


def split(part: Part, predict: Predict, is_alone: bool) -> list[Part]:
    """Cut a part of the ink into the digits that it consists of, from left to right.

    Of all the ways to cut it at some of its narrow places, the one whose pieces the model is
    surest of, as their sureness multiplies. The pieces must be sure, and the least sure of them
    surer than the whole by far: a model may be sure of two digits in one image, as one digit,
    but seldom as sure as of either by itself. Where all pieces are slim and nothing else is
    there, the part stays whole: a letter whose strokes look like 1s.

    Args:
        predict: gives probabilities, `(N, classes)`, of images `uint8 (N, 28, 28)`.
        is_alone: whether the page has no other part.
    """
    height, width = part.mask.shape
    if width < NARROW * height:
        return [part]
    whole = _log_odds(sureness(predict(part.image[None])).item())
    ahead = AHEAD + NARROW_AHEAD * max(0.0, 1 - width / height)
    if whole + ahead >= _log_odds(1.0):  # no cut can be so much surer
        return [part]
    small = _resized(part.mask, min(1.0, HEIGHT / height))
    if not small.mask.any():  # lines so thin that they fall between its pixels
        return [part]
    cut = _surest_cut(small, predict)
    if not cut or (is_alone and all(_is_slim(piece) for piece, _ in cut)):
        return [part]
    sure = [own for _, own in cut]
    if np.log(sure).mean() < np.log(SURE_MEAN) or _log_odds(min(sure)) <= whole + ahead:
        return [part]
    return [_in_place(piece, part, small) for piece, _ in cut]


def _is_slim(piece: Part) -> bool:
    return piece.box.width < SLIM * piece.box.height


def _surest_cut(part: Part, predict: Predict) -> list[tuple[Part, float]]:
    """Find the pieces of the surest way to cut a part, and how sure each is; none if one is not."""
    seams = _seams(part)
    last = len(seams) - 1
    # The surest way to cut what is before a seam: its value and its pieces.
    best: dict[int, tuple[float, list[tuple[Part, float]]]] = {0: (0.0, [])}
    for start in range(last):
        if start not in best:
            continue
        before, cut = best[start]
        pieces = {
            end: piece
            for end in range(start + 1, last + 1)
            if (start, end) != (0, last) and (piece := _between(part, seams[start], seams[end]))
        }
        if not pieces:
            continue
        sure = sureness(predict(np.stack([piece.image for piece in pieces.values()])))
        for (end, piece), own in zip(pieces.items(), sure.tolist(), strict=True):
            value = before + np.log(own)
            if own >= SURE and (end not in best or value > best[end][0]):
                best[end] = value, [*cut, (piece, own)]
    return best[last][1] if last in best else []


def _log_odds(sure: float) -> float:
    return float(np.log(sure / (1 - sure + DOUBT)))


def _resized(mask: np.ndarray, scale: float) -> Part:
    """Shrink a part until it can be searched quickly."""
    own = scaled(mask.astype(np.uint8), scale, cv2.INTER_NEAREST) > 0
    height, width = own.shape
    return Part(Box(0, 0, width, height), own, stroke_width(own))


def _in_place(digit: Part, part: Part, small: Part) -> Part:
    """Bring a digit of a shrunk part back to the part's place and size."""
    down, across = part.box.height / small.box.height, part.box.width / small.box.width
    there = digit.box.scaled(down, across).moved(part.box.left, part.box.top)
    size = there.width, there.height
    mask = cv2.resize(digit.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return Part(there, mask, part.stroke)


def _seams(part: Part) -> list[np.ndarray]:
    """Find where to cut: columns for each row, from left to right, with the outer edges."""
    height, width = part.mask.shape
    step = max(1, height // STEPS)
    ways = _ways(part.mask, np.arange(step, width - step, step), step)
    ink = part.mask[np.arange(height), ways].sum(axis=1)
    kept: list[int] = []
    for index in np.argsort(ink, kind="stable").tolist():
        if (np.abs(ways[kept] - ways[index]).max(axis=1) > APART * part.stroke).all():
            kept.append(index)
    seams = [np.zeros(height, int)]
    for index in sorted(kept):
        seams.append(np.maximum(ways[index], seams[-1]))
    return [*seams, np.full(height, width)]


def _ways(mask: np.ndarray, places: np.ndarray, reach: int) -> np.ndarray:
    """Find the ways from top to bottom through the least ink, one near each place.

    Args:
        mask: `bool (height, width)`.
        places: `int (N,)`, columns.
        reach: columns, at most, between a way and its place.

    Returns:
        `int (N, height)`, columns.
    """
    aside = np.arange(-reach, reach + 1)
    ink = mask[:, places[:, np.newaxis] + aside]
    total = ink + 0.01 * np.abs(aside)
    for row in range(1, len(total)):
        best = total[row - 1].copy()
        step = best + ASIDE + DIAGONAL * ink[row - 1]
        np.minimum(best[:, 1:], step[:, :-1], out=best[:, 1:])
        np.minimum(best[:, :-1], step[:, 1:], out=best[:, :-1])
        total[row] += best
    ways = np.empty(total.shape[:2], int)
    ways[-1] = total[-1].argmin(axis=1)
    for row in range(len(total) - 2, -1, -1):
        near = (ways[row + 1][:, np.newaxis] + [-1, 0, 1]).clip(0, 2 * reach)
        least = np.take_along_axis(total[row], near, axis=1).argmin(axis=1, keepdims=True)
        ways[row] = np.take_along_axis(near, least, axis=1)[:, 0]
    return (ways + places - reach).T


def _between(part: Part, start: np.ndarray, end: np.ndarray) -> Part | None:
    """Take the ink between two seams, if it may be a digit."""
    columns = np.arange(part.mask.shape[1])
    mask = part.mask & (columns >= start[:, None]) & (columns < end[:, None])
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    most = part.box.height
    if height < LOW * most or not LEAST * most < width < WIDE * most:
        return None
    own = mask[top : top + height, left : left + width]
    areas = cv2.connectedComponentsWithStats(own.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    if areas.max() < CLEAN * areas.sum():
        return None
    return Part(Box(left, top, width, height), own, part.stroke)
