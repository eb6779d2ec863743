"""From a picture of handwriting to digits as MNIST made them.

`digitizing_decoding` makes pixels of bytes; `_ink` finds what was written, without what
`_ruling` finds to be printed; `_parts` finds what hangs together, and its order; `_touching`
cuts it where digits touch; `_crops` makes 28 x 28 pixels of each.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.recognition import ink, parts, touching
from digits.recognition.crops import scaled
from digits.recognition.decoding import decode
from digits.recognition.parts import Box
from digits.recognition.touching import Predict

__all__ = ["Box", "Digit", "Sheet", "decode", "digitize", "examine"]

WORKING_SIDES = (300, 1600)  # pixels of the longer side, between which the ink is looked for


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
        ink: `bool`, where it was found, in the size in which it was looked for.
        digits: as they are read.
    """

    pixels: np.ndarray
    ink: np.ndarray
    digits: list[Digit]


def digitize(picture: bytes | np.ndarray, predict: Predict | None = None) -> list[Digit]:
    """The digits of a picture, as they are read: row by row, from left to right.

    Args:
        picture: a file's bytes, see `decode`, or `uint8 (height, width)` or `(height, width,
            3)`; dark ink on a light ground or light on dark, in any light and colour.
        predict: gives probabilities, `(N, classes)`, of images `uint8 (N, 28, 28)`. With it
            digits that touch are parted where the parts are surer than the whole.

    Raises:
        UserError: the bytes are not a picture.
    """
    return examine(picture, predict).digits


def examine(picture: bytes | np.ndarray, predict: Predict | None = None) -> Sheet:
    """As `digitize`, with what was seen on the way, to be explained."""
    pixels = decode(picture) if isinstance(picture, bytes) else picture
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    working = _resized(pixels)
    mask = ink.find(working)
    found = parts.find(mask)
    if predict:
        found = [digit for part in found for digit in touching.split(part, predict)]
    scale = np.array(pixels.shape[:2]) / working.shape[:2]
    digits = [
        Digit(part.image, part.box.scaled(*scale), row, position)
        for row, several in enumerate(parts.rows(found))
        for position, part in enumerate(several)
    ]
    return Sheet(pixels, mask, digits)


def _resized(pixels: np.ndarray) -> np.ndarray:
    """Small enough to be quick, large enough for a stroke to have an inside."""
    side = max(pixels.shape[:2])
    scale = np.clip(side, *WORKING_SIDES) / side
    return scaled(pixels, scale, cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
