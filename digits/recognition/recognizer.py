"""From a picture of handwriting to the digits in it: find them, classify them, or refuse to."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from digits.base.selection import sureness
from digits.inference import loading
from digits.inference.model import Model
from digits.recognition.answers import REFUSED, TOP, Answer
from digits.recognition.decoding import MOST_PIXELS
from digits.recognition.digitizing import Digit, Sheet, decode, examine


class Recognizer:
    """A model with all that leads from a picture to its answers. May be used by many threads.

    Attributes:
        network: the model.
        origin: where it came from.
        threshold: a digit that the model is less sure of, by `selection.sureness`, is refused.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        threshold: float | None = None,
        threads: int = 1,
        require_checked: bool = False,
    ) -> None:
        """Load a model.

        Args:
            model: a folder such as `models/cnn`, a model.onnx, `models:/mnist@champion` or
                `runs:/<run id>`; None: `models/cnn` if there is one, else the package's own.
            threshold: by default the model's own.
            threads: for one call.
            require_checked: refuse a model whose hash neither dvc.lock nor MLflow tells.

        Raises:
            UserError: there is no such model, or its content is not what it should be.
        """
        with loading.find(str(model or loading.default()), require_checked) as self.origin:
            self.network = Model(self.origin.path, threads)
        self.threshold = self.network.threshold if threshold is None else threshold

    def as_json(self) -> dict[str, str]:
        """Describe the model that answers."""
        return {"name": self.network.name, "md5": self.origin.md5}

    def read(self, picture: bytes | np.ndarray | Path) -> list[Answer]:
        """Read the digits of a picture, row by row, from left to right.

        Args:
            picture: a file or its content (PNG, JPEG, WebP, BMP, ...), or pixels, `uint8
                (height, width)` grey or `(height, width, 3)` red, green, blue.

        Raises:
            UserError: it is not a picture that can be read.
        """
        return self._answers_of(self.examine(picture))

    def examine(
        self,
        picture: bytes | np.ndarray | Path,
        most_pixels: int = MOST_PIXELS,
        parted: bool = True,
        deadline: float | None = None,
        most_digits: int | None = None,
    ) -> Sheet:
        """Find the digits of a picture, as images for `classify`, and keep how they were found.

        Args:
            picture: as for `read`.
            most_pixels: of a file; more are refused before anything is unpacked.
            parted: whether digits that touch are parted, which takes the most of the time.
            deadline: a time of `time.monotonic` after which the work is given up.
            most_digits: a picture with more is refused, before digits that touch are parted.

        Raises:
            UserError: it is not a picture that can be read, it has more digits, or the
                deadline has passed.
        """
        if isinstance(picture, Path):
            picture = picture.read_bytes()
        pixels = decode(picture, most_pixels) if isinstance(picture, bytes) else picture
        return examine(pixels, self.classify if parted else None, deadline, most_digits)

    def explain(self, picture: bytes | np.ndarray | Path, path: Path) -> list[Answer]:
        """Read a picture and draw how, as PNG: the ink, the digits, what the first layer sees.

        Args:
            picture: as for `read`.
            path: of the PNG.
        """
        from digits.recognition import explanation  # matplotlib, which nothing else here needs

        sheet = self.examine(picture)
        answers = self._answers_of(sheet)
        explanation.draw(sheet, answers, self.network, path)
        return answers

    def _answers_of(self, sheet: Sheet) -> list[Answer]:
        return self.answers(self.classify(stack(sheet.digits)), sheet.digits)

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Compute the probabilities of the classes.

        Args:
            images: `uint8 (N, 28, 28)`, light ink on black as MNIST's.

        Returns:
            `float32 (N, classes)`.
        """
        return self.network.predict(images)

    def refusals(self, probabilities: np.ndarray) -> np.ndarray:
        """Decide of each image whether the model is too unsure to answer: `bool (N,)`."""
        return ~(sureness(probabilities) >= self.threshold)

    def answers(
        self, probabilities: np.ndarray, digits: Sequence[Digit] | None = None
    ) -> list[Answer]:
        """Turn the probabilities of `classify` into answers, for digits found or bare images."""
        ranks = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
        highest = np.take_along_axis(probabilities, ranks, axis=1).astype(float).round(6).tolist()
        classes = self.network.classes
        refusals = self.refusals(probabilities).tolist()
        found = []
        for index, (rank, values) in enumerate(zip(ranks.tolist(), highest, strict=True)):
            top = tuple((classes[i], value) for i, value in zip(rank, values, strict=True))
            digit = REFUSED if refusals[index] else top[0][0]
            box, row = (
                (digits[index].box, digits[index].row) if digits is not None else (None, None)
            )
            found.append(Answer(box, row, digit, values[0], top, refusals[index]))
        return found


def stack(digits: Sequence[Digit]) -> np.ndarray:
    """Stack the images of digits in one array, `uint8 (N, 28, 28)`."""
    return np.array([digit.image for digit in digits], np.uint8).reshape(-1, 28, 28)
