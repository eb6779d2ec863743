"""Find the digits of a picture and make of each an image like MNIST's.

`page` finds where to look; `ink` what is written there, without the lines that `ruling` finds;
`parts` finds which ink hangs together and the order of reading; `joining` and `touching` ask
the model whether parts are one digit or several; `crops` makes 28 x 28 pixels of each. See
docs/recogniser.md.
"""

import time
from dataclasses import dataclass

import cv2
import numpy as np

from digits.base.errors import UserError
from digits.recognition import ink, joining, page, parts, touching
from digits.recognition.boxes import Box
from digits.recognition.crops import scaled
from digits.recognition.decoding import decode
from digits.recognition.parts import Part
from digits.recognition.touching import Predict

__all__ = [
    "Box",
    "DeadlineError",
    "Digit",
    "Sheet",
    "TooManyDigitsError",
    "check_deadline",
    "decode",
    "digitize",
    "examine",
]

WORKING_SIDES = (300, 1600)  # pixels of the longer side, between which the ink is looked for


class DeadlineError(UserError):
    """A picture took longer than the caller allows."""


class TooManyDigitsError(UserError):
    """A picture has more digits than the caller allows."""


@dataclass(frozen=True, eq=False)
class Digit:
    """A digit of a picture.

    Attributes:
        image: `uint8 (28, 28)`, as MNIST made them: light ink on black, in a box of 20 x 20,
            anti-aliased, its centre of mass in the centre.
        box: around its ink, in pixels of the picture.
        row: as it is read, from 0, downwards.
        position: in its row, from 0, from left to right.
    """

    image: np.ndarray
    box: Box
    row: int
    position: int


@dataclass(frozen=True, eq=False)
class Sheet:
    """A picture and what was found in it.

    Attributes:
        pixels: `uint8 (height, width, 3)`, red, green, blue.
        page: the part of them that was looked at.
        ink: `bool`, where it was found on the page, in the size in which it was looked for.
        digits: as they are read.
    """

    pixels: np.ndarray
    page: Box
    ink: np.ndarray
    digits: list[Digit]


def digitize(picture: bytes | np.ndarray, predict: Predict | None = None) -> list[Digit]:
    """Find the digits of a picture, row by row, from left to right.

    Args:
        picture: a file's bytes, see `decode`, or `uint8 (height, width)` or `(height, width,
            3)`; dark ink on a light ground or light on dark, in any light and colour.
        predict: gives probabilities, `(N, classes)`, of images `uint8 (N, 28, 28)`. With it
            digits that touch are parted where the parts are surer than the whole.

    Raises:
        UserError: the bytes are not a picture.
    """
    return examine(picture, predict).digits


def examine(
    picture: bytes | np.ndarray,
    predict: Predict | None = None,
    deadline: float | None = None,
    most_digits: int | None = None,
) -> Sheet:
    """Find the digits of a picture as `digitize` does, and keep what was seen on the way.

    Args:
        picture: as for `digitize`.
        predict: as for `digitize`.
        deadline: a time of `time.monotonic`, checked between the steps and before each part
            of the ink is cut into digits.
        most_digits: a picture with more is refused, before digits that touch are cut apart.

    Raises:
        DeadlineError: the deadline has passed.
        TooManyDigitsError: there are more digits than `most_digits`.
        UserError: the bytes are not a picture.
    """
    pixels = decode(picture) if isinstance(picture, bytes) else picture
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    check_deadline(deadline)
    place = page.find(pixels)
    working = _resized(pixels[place.top : place.bottom, place.left : place.right])
    mask = ink.find(working)
    check_deadline(deadline)
    found = parts.find(mask)
    _check_count(len(found), most_digits)
    if predict:
        found = joining.join(found, predict)
        check_deadline(deadline)
        found = _cut_apart(found, predict, deadline, most_digits)
    scale = np.array([place.height, place.width]) / working.shape[:2]
    digits = [
        Digit(part.image, part.box.scaled(*scale).moved(place.left, place.top), row, position)
        for row, several in enumerate(parts.rows(found))
        for position, part in enumerate(several)
    ]
    return Sheet(pixels, place, mask, digits)


def _cut_apart(
    found: list[Part], predict: Predict, deadline: float | None, most_digits: int | None
) -> list[Part]:
    """Cut digits that touch, and stop at the deadline or at one digit too many."""
    digits: list[Part] = []
    for index, part in enumerate(found):
        check_deadline(deadline)
        digits += touching.split(part, predict, is_alone=len(found) == 1)
        _check_count(len(digits) + len(found) - index - 1, most_digits)
    return digits


def check_deadline(deadline: float | None) -> None:
    """Give up what takes too long.

    Args:
        deadline: a time of `time.monotonic`; None: there is none.

    Raises:
        DeadlineError: it has passed.
    """
    if deadline is not None and time.monotonic() > deadline:
        raise DeadlineError(
            "the picture takes too long to read; send a smaller one, or one with fewer digits"
        )


def _check_count(count: int, most_digits: int | None) -> None:
    if most_digits is not None and count > most_digits:
        raise TooManyDigitsError(
            f"a picture of {count} digits or more: at most {most_digits} are answered"
        )


def _resized(pixels: np.ndarray) -> np.ndarray:
    """Resize a picture: small enough to be quick, large enough for a stroke to have an inside."""
    side = max(pixels.shape[:2])
    scale = np.clip(side, *WORKING_SIDES) / side
    return scaled(pixels, scale, cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
