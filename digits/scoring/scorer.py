"""Arrow batches in, Arrow batches out: what every engine calls, and which knows none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from digits.base.errors import UserError
from digits.recognition.recognizer import Recognizer
from digits.scoring import pixels
from digits.scoring.columns import ID, PICTURE


@dataclass(frozen=True)
class Settings:
    """How rows are scored.

    Attributes:
        read: `digit`, where an image is a digit, or `picture`, where it may have many.
        threshold: what the model is less sure of is refused; None: the model's own.
        probabilities: whether those of all classes are given.
    """

    read: Literal["digit", "picture"] = "digit"
    threshold: float | None = None
    probabilities: bool = False


class Scorer:
    """A model with its settings. One thread computes, so that every engine gives equal bits."""

    def __init__(self, model: Path, settings: Settings) -> None:
        """Load a model.onnx.

        Raises:
            UserError: it is not a model that `train` wrote.
        """
        self._recognizer = Recognizer(model, settings.threshold)
        self._settings = settings
        height, width = self._recognizer.network.image_shape
        self._shape = (height, width)

    def score(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """A row for each row, in the same order.

        Args:
            batches: columns `id` and `picture`; see `pixels.images_of`.

        Yields:
            As many batches. Of digits: `id`, `class` (the likeliest, refused or not),
            `confidence float32`, `refused`, `probabilities` on request. Of pictures: `id`,
            and `digits`, a list. And `error`: one of `pixels.ERRORS`, or null.
        """
        score = self._digits if self._settings.read == "digit" else self._pictures
        for batch in batches:
            yield score(batch)

    def _digits(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        images, errors = pixels.images_of(batch[PICTURE], self._shape)
        network = self._recognizer.network
        probabilities = network.predict(images)
        bad = np.array([error is not None for error in errors], bool)
        best = probabilities.argmax(axis=1)
        confidence = probabilities.max(axis=1, initial=0)
        names = pa.array(network.classes, pa.string())
        columns = {
            ID: batch[ID],
            "class": names.take(pa.array(best, mask=bad)),
            "confidence": pa.array(confidence, pa.float32(), mask=bad),
            "refused": pa.array(self._recognizer.refusals(probabilities), mask=bad),
        }
        if self._settings.probabilities:
            flat = pa.array(probabilities.ravel(), pa.float32())
            lists = pa.FixedSizeListArray.from_arrays(flat, len(network.classes))
            # A take by an index that is null gives null.
            chosen = pa.array(np.arange(len(best)), mask=bad)
            columns["probabilities"] = lists.take(chosen) if bad.any() else lists
        columns["error"] = pa.array(errors, pa.string())
        return pa.RecordBatch.from_pydict(columns)

    def _pictures(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not pixels.is_encoded(batch[PICTURE].type):
            raise UserError("--read picture: the input must hold pictures, not values of digits")
        answers, errors = [], []
        for content in pixels.files_of(batch[PICTURE]):
            answer, error = self._read(content)
            answers.append(answer)
            errors.append(error)
        columns = [batch[ID], pa.array(answers, ANSWERS), pa.array(errors, pa.string())]
        return pa.RecordBatch.from_arrays(columns, [ID, "digits", "error"])

    def _read(self, content: bytes | None) -> tuple[list[dict] | None, str | None]:
        if content is None:
            return None, pixels.MISSING
        try:
            found = self._recognizer.read(content)
        except UserError:
            return None, pixels.UNREADABLE
        except Exception:  # one strange picture must not end the scoring of millions
            return None, pixels.FAILED
        return [
            {
                "class": answer.top[0][0],
                "confidence": answer.confidence,
                "refused": answer.refused,
                "row": answer.row,
                "box": answer.as_json()["box"],
            }
            for answer in found
        ], None


ANSWERS = pa.list_(
    pa.struct(
        [
            ("class", pa.string()),
            ("confidence", pa.float32()),
            ("refused", pa.bool_()),
            ("row", pa.int32()),
            ("box", pa.list_(pa.int32(), 4)),
        ]
    )
)
