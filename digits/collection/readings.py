"""What a request was answered, as it is handed to the collector."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
import orjson

from digits.collection.records import DECIMALS
from digits.recognition.recognizer import Recognizer

Said = tuple[str, float, bool]  # the likeliest class, its confidence, whether it was refused


@dataclass(frozen=True, eq=False)
class Reading:
    """What a request was answered.

    Attributes:
        session: of the client; None: one is made for this request alone.
        images: `uint8 (N, 28, 28)`.
        answers: the models, the main one first, and their probabilities, `float32 (N, classes)`.
        picture: what was read, a file or grey pixels, if it is to be kept.
    """

    session: str | None
    images: np.ndarray
    answers: Sequence[tuple[Recognizer, np.ndarray]]
    picture: bytes | np.ndarray | None = None

    @property
    def picture_file(self) -> bytes | None:
        """The picture as the file that came, pixels as PNG."""
        if self.picture is None or isinstance(self.picture, bytes):
            return self.picture
        return cv2.imencode(".png", self.picture)[1].tobytes()


def said_in(readings: Sequence[Reading]) -> list[list[list[Said]]]:
    """Find out what was said in readings: of each, by each of its models, of each digit.

    NumPy takes as long for one image as for a hundred, so each model's are looked at together.
    """
    given: dict[Recognizer, list[np.ndarray]] = {}
    for reading in readings:
        for recognizer, probabilities in reading.answers:
            given.setdefault(recognizer, []).append(probabilities)
    said = {of: iter(_said(of, np.concatenate(arrays))) for of, arrays in given.items()}
    return [
        [list(islice(said[recognizer], len(reading.images))) for recognizer, _ in reading.answers]
        for reading in readings
    ]


def rows_of(
    reading: Reading,
    ids: Sequence[str],
    said: Sequence[Sequence[Said]],
    common: tuple[str, float, str | None],
) -> list[tuple[Any, ...]]:
    """The digits of a reading as `records.insert` takes them.

    Args:
        reading: of which they are.
        ids: of its digits.
        said: by each of its models, of each digit.
        common: the session, the time, and the id of the picture.
    """
    session, when, picture = common
    models = [(of.network.name, of.origin.md5) for of, _ in reading.answers]
    main, md5 = models[0]
    version = reading.answers[0][0].origin.version
    rows = []
    for identity, image, of_digit in zip(ids, reading.images, zip(*said, strict=True), strict=True):
        given = {
            name: {"digit": digit, "confidence": confidence, "md5": its_md5}
            for (name, its_md5), (digit, confidence, _) in zip(models, of_digit, strict=True)
        }
        digit, confidence, is_refused = of_digit[0]
        row = (
            identity,
            session,
            when,
            image.tobytes(),
            digit,
            confidence,
            is_refused,
            any(other != digit for other, *_ in of_digit),
            orjson.dumps(given).decode(),
            main,
            version,
            md5,
            picture,
        )
        rows.append(row)
    return rows


def _said(recognizer: Recognizer, probabilities: np.ndarray) -> list[Said]:
    """What a model said of each image, the likeliest class also where it refused."""
    names = [recognizer.network.classes[index] for index in probabilities.argmax(axis=1).tolist()]
    confidences = probabilities.max(axis=1).astype(float).round(DECIMALS).tolist()
    return list(zip(names, confidences, recognizer.refusals(probabilities).tolist(), strict=True))
