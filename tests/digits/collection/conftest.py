"""A collector that writes into the test's folder, and readings for it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from digits.collection.collector import Collector, Settings
from digits.collection.readings import Answers, Reading
from tests import small_model

CLASSES = [str(number) for number in range(10)]


@pytest.fixture
def told() -> Counter[str]:
    """What became of the digits."""
    return Counter()


@pytest.fixture
def collect(tmp_path: Path, told: Counter[str]) -> Iterator[Callable[..., Collector]]:
    """Start a collector."""

    def tell(result: str, count: int) -> None:
        told[result] += count

    with ExitStack() as stack:

        def start(**settings: object) -> Collector:
            collector = Collector(Settings(tmp_path / "kept", **settings), CLASSES, tell)
            stack.callback(collector.close)
            return collector

        yield start


def reading(
    numbers: list[int], session: str | None = "session-1", wrong: bool = False, **changes: object
) -> Reading:
    """A reading of images of scikit-learn's digits, all right, or each one too high."""
    pixels, labels = small_model.images()
    answers = [(str((labels[n] + wrong) % 10), 0.9 - n / 1e4) for n in numbers]
    others = [(str(labels[n]), 0.8) for n in numbers]
    values = {
        "session": session,
        "images": pixels[numbers].reshape(-1, 28, 28),
        "answers": {"cnn": answers, "mlp": others},
        "refused": [False] * len(numbers),
        "md5s": {"cnn": "a" * 32, "mlp": "b" * 32},
        "version": "mnist version 3",
    }
    values |= changes
    answers = Answers(values.pop("answers"), values.pop("refused"))
    return Reading(answers=lambda: answers, **values)


def label(number: int) -> str:
    return str(small_model.images()[1][number])


def image(number: int) -> np.ndarray:
    return small_model.images()[0][number]
