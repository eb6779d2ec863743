"""Strokes of one digit that do not touch: joined where the model is sure of the whole."""

import cv2
import numpy as np

from digits.recognition.boxes import Box
from digits.recognition.parts import GAP, WIDE, Part
from digits.recognition.touching import Predict

SURE = 0.95  # least probability of two parts as one digit


def join(parts: list[Part], predict: Predict) -> list[Part]:
    """Join neighbouring parts of the ink that make one digit, such as an open 4.

    Two parts are joined if the gap between them is one that a pen may leave in a digit, and
    the model is sure of both together, as a class that neither has by itself: a 3 with a 1
    beside it looks like a 3, but an open 4 like two 1s. Each part is joined once at most,
    surest pairs first.

    Args:
        predict: gives probabilities, `(N, classes)`, of images `uint8 (N, 28, 28)`.
    """
    pairs = _near_pairs(parts)
    if not pairs:
        return parts
    wholes = [_join_two(parts[first], parts[second]) for first, second in pairs]
    probabilities = predict(np.stack([part.image for part in [*wholes, *parts]]))
    confidences = probabilities[: len(wholes)].max(axis=1)
    classes, own = np.split(probabilities.argmax(axis=1), [len(wholes)])
    joined: set[int] = set()
    made = []
    for index in np.argsort(-confidences, kind="stable").tolist():
        pair = pairs[index]
        is_new = classes[index] not in own[list(pair)]
        if confidences[index] >= SURE and is_new and not joined.intersection(pair):
            joined.update(pair)
            made.append(wholes[index])
    return [part for index, part in enumerate(parts) if index not in joined] + made


def _near_pairs(parts: list[Part]) -> list[tuple[int, int]]:
    """Find the pairs of parts that may be one digit by their size and their gap."""
    pairs = []
    for second, part in enumerate(parts):
        for first in range(second):
            other = parts[first]
            reach = GAP * max(part.stroke, other.stroke)
            if max(-side for side in part.box.overlap(other.box)) >= reach:
                continue
            whole = part.box.around(other.box)
            if whole.width < WIDE * whole.height and _gap(part, other) < reach:
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
