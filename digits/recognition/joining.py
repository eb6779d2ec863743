"""Strokes of one digit that do not touch: joined where the model is surer of the whole."""

import cv2
import numpy as np

from digits.base.selection import sureness
from digits.recognition.boxes import Box
from digits.recognition.parts import WIDE, Part
from digits.recognition.touching import Predict

REACH = 0.3  # of the higher part's height; two parts of a digit are no farther from each other
SURE = 0.9  # least sureness of two parts as a digit that neither is by itself


def join(parts: list[Part], predict: Predict) -> list[Part]:
    """Join neighbouring parts of the ink that make one digit, such as an open 4.

    Two parts are joined if the model is surer of both together than of either by itself. The
    strokes of an open 4 are two sure 1s, though: parts are also joined if the model is sure of
    both together as a class that neither has. (Of a 3 with a 1 beside it the model may be sure
    too, but as a 3.) Each part is joined once at most, surest pairs first.

    Args:
        predict: gives probabilities, `(N, classes)`, of images `uint8 (N, 28, 28)`.
    """
    pairs = _near_pairs(parts)
    if not pairs:
        return parts
    wholes = [_join_two(parts[first], parts[second]) for first, second in pairs]
    probabilities = predict(np.stack([part.image for part in [*wholes, *parts]]))
    classes, own = np.split(probabilities.argmax(axis=1), [len(wholes)])
    together, alone = np.split(sureness(probabilities), [len(wholes)])
    joined: set[int] = set()
    made = []
    for index in np.argsort(-together, kind="stable").tolist():
        pair = list(pairs[index])
        is_surer = together[index] > alone[pair].max()
        is_new = together[index] >= SURE and classes[index] not in own[pair]
        if (is_surer or is_new) and not joined.intersection(pair):
            joined.update(pair)
            made.append(wholes[index])
    return [part for index, part in enumerate(parts) if index not in joined] + made


def _near_pairs(parts: list[Part]) -> list[tuple[int, int]]:
    """Find the pairs of parts that may be one digit by their size, with no other part between."""
    middles = np.array([part.box.middle for part in parts])
    pairs = []
    for second, part in enumerate(parts):
        for first in range(second):
            other = parts[first]
            reach = REACH * max(part.box.height, other.box.height)
            if max(-side for side in part.box.overlap(other.box)) >= reach:
                continue
            whole = part.box.around(other.box)
            if whole.width >= WIDE * whole.height:
                continue
            inside = (middles > (whole.left, whole.top)) & (middles < (whole.right, whole.bottom))
            is_free = np.count_nonzero(inside.all(axis=1)) == 2  # their own
            if is_free and _gap(part, other) < reach:
                pairs.append((first, second))
    return pairs


def _gap(part: Part, other: Part) -> float:
    """Measure the shortest distance between the ink of two parts, in pixels."""
    whole = part.box.around(other.box)
    away = (~_placed(part, whole)).astype(np.uint8)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_5)
    return float(distance[_placed(other, whole)].min())


def _join_two(part: Part, other: Part) -> Part:
    whole = part.box.around(other.box)
    mask = _placed(part, whole) | _placed(other, whole)
    return Part(whole, mask, max(part.stroke, other.stroke))


def _placed(part: Part, whole: Box) -> np.ndarray:
    """Place the ink of a part in a larger box, `bool (height, width)`."""
    mask = np.zeros((whole.height, whole.width), bool)
    top, left = part.box.top - whole.top, part.box.left - whole.left
    mask[top : top + part.box.height, left : left + part.box.width] = part.mask
    return mask
