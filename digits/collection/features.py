"""Numbers about digits by which served ones are compared with those of the training data."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from digits.base import selection
from digits.collection.records import DECIMALS, Record

INK = 100  # a pixel counts as ink from this value on
FAINT, FULL = 25, 230  # between them a pixel is grey
SHAPE = ("stroke_width", "height", "width", "slant", "grey", "parts")
UNKNOWN = -1  # in place of the index of a class that the reference does not have


@dataclass(frozen=True, eq=False)
class Features:
    """Columns about N digits.

    Attributes:
        numbers: `float (N,)` by name: share of ink; width of the strokes, height and width, in
            pixels; slant in degrees, to the right above 0; share of grey among the inked pixels;
            number of parts; confidence of the main model.
        flags: `bool (N,)` by name: refused by the main model; models disagree, where several
            answered.
        classes: index of the class that the main model gave, or `UNKNOWN`, `int (N,)`.
    """

    numbers: dict[str, np.ndarray]
    flags: dict[str, np.ndarray]
    classes: np.ndarray

    def __len__(self) -> int:
        """N."""
        return len(self.classes)

    def chosen(self, rows: np.ndarray) -> "Features":
        """Some of the digits, by their positions or a mask."""
        return Features(
            {name: values[rows] for name, values in self.numbers.items()},
            {name: values[rows] for name, values in self.flags.items()},
            self.classes[rows],
        )


def of_images(images: np.ndarray) -> dict[str, np.ndarray]:
    """What the pixels alone say, see `Features.numbers`.

    Args:
        images: `uint8 (N, height, width)`, 0 the paper and 255 full ink.
    """
    rows = np.array([_measure(image) for image in images]).reshape(-1, len(SHAPE))
    shape = dict(zip(SHAPE, rows.T, strict=True))
    return {"ink": images.reshape(len(images), -1).mean(axis=1) / 255, **shape}


def _measure(image: np.ndarray) -> tuple[float, ...]:
    """The numbers of `SHAPE`."""
    ink = (image >= INK).astype(np.uint8)
    if not ink.any():
        return (0.0,) * len(SHAPE)
    # Across a stroke of width w the distance to the paper is w / 4 + 1 / 2 on average.
    distance = cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    stroke = 4 * float(distance.sum()) / float(ink.sum()) - 2
    _, _, width, height = cv2.boundingRect(ink)
    moments = cv2.moments(image)
    slant = -float(np.degrees(np.arctan2(moments["mu11"], moments["mu02"])))
    touched = np.count_nonzero(image >= FAINT)
    grey = 1 - np.count_nonzero(image >= FULL) / touched
    parts = cv2.connectedComponents((image >= FAINT).astype(np.uint8))[0] - 1
    return stroke, float(height), float(width), slant, grey, float(parts)


def of_answers(images: np.ndarray, answers: Sequence[np.ndarray], threshold: float) -> Features:
    """Features of images as models answer them.

    Args:
        images: `uint8 (N, height, width)`.
        answers: probabilities of each model, the main one first, `float32 (N, classes)`.
        threshold: of the main model: what it is less sure of it refuses.
    """
    main = answers[0]
    confidence = main.max(axis=1).astype(float)
    confidence = confidence.round(DECIMALS)  # as those kept are: most are nearly 1
    flags = {"refused": selection.sureness(main) < threshold}
    if len(answers) > 1:
        given = np.array([probabilities.argmax(axis=1) for probabilities in answers])
        flags["disagree"] = (given != given[0]).any(axis=0)
    return Features(of_images(images) | {"confidence": confidence}, flags, main.argmax(axis=1))


def of_records(records: Sequence[Record], classes: Sequence[str]) -> Features:
    """Features of digits that were collected.

    Args:
        records: of the digits.
        classes: of the model that the reference was made with; what another model answered may
            be none of them.
    """
    images = np.array([record.image for record in records], np.uint8).reshape(-1, 28, 28)
    confidence = np.array([record.confidence for record in records])
    flags = {"refused": np.array([record.refused for record in records], bool)}
    if any(len(record.answers) > 1 for record in records):
        flags["disagree"] = np.array([record.disagree for record in records], bool)
    numbers = {name: number for number, name in enumerate(classes)}
    given = np.array([numbers.get(record.digit, UNKNOWN) for record in records], int)
    return Features(of_images(images) | {"confidence": confidence}, flags, given)
