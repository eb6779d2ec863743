"""What a model says of a digit that was found in a picture."""

from dataclasses import dataclass
from typing import Any

from digits.recognition.boxes import Box

TOP = 3  # classes named in an answer
REFUSED = "?"


@dataclass(frozen=True)
class Answer:
    """What a model says of a digit.

    Attributes:
        box: in the picture, in pixels; None where the image was given without a picture.
        row: of the picture, from 0 at the top; None as above.
        digit: the name of its class, "?" if refused.
        confidence: the probability of the likeliest class.
        top: the likeliest classes and their probabilities.
        refused: whether the model is less sure than its threshold: nothing that it knows.
    """

    box: Box | None
    row: int | None
    digit: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    refused: bool

    def as_json(self) -> dict[str, Any]:
        """Return what the command line and the server give of it."""
        return {
            "box": self.box and corners(self.box),
            "row": self.row,
            "digit": self.digit,
            "confidence": self.confidence,
            "top": [{"class": name, "probability": value} for name, value in self.top],
            "refused": self.refused,
        }


def corners(box: Box) -> list[int]:
    """Return left, top, width and height."""
    return [box.left, box.top, box.width, box.height]
