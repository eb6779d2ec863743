"""A collector that writes into the test's folder, and readings for it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from digits.collection.collector import Collector, Settings
from digits.collection.readings import Reading
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


class Model:
    """Stands for a `Recognizer` that said what a test wants."""

    def __init__(self, name: str, md5: str, refused: list[bool]) -> None:
        self.network = SimpleNamespace(name=name, classes=CLASSES)
        self.origin = SimpleNamespace(md5=md5, version="mnist version 3")
        self._refused = refused

    def refusals(self, probabilities: np.ndarray) -> np.ndarray:
        assert len(probabilities) == len(self._refused)
        return np.array(self._refused)


def reading(
    numbers: list[int], session: str | None = "session-1", wrong: bool = False, **changes: Any
) -> Reading:
    """A reading of images of scikit-learn's digits, all right, or each one too high."""
    pixels, labels = small_model.images()
    answers = [(str((labels[n] + wrong) % 10), 0.9 - n / 1e4) for n in numbers]
    others = [(str(labels[n]), 0.8) for n in numbers]
    said = changes.get("answers", {"cnn": answers, "mlp": others})
    refused = changes.get("refused", [False] * len(numbers))
    md5s = changes.get("md5s", {"cnn": "a" * 32, "mlp": "b" * 32})
    images = changes.get("images", pixels[numbers].reshape(-1, 28, 28))
    models = [(Model(name, md5s[name], refused), _spread(said[name])) for name in said]
    return Reading(session, images, models, changes.get("picture"))


def _spread(said: list[tuple[str, float]]) -> np.ndarray:
    """Probabilities of which these are the highest: what is left goes to the other classes."""
    probabilities = np.empty((len(said), len(CLASSES)), np.float32)
    for row, (name, confidence) in zip(probabilities, said, strict=True):
        row[:] = (1 - confidence) / (len(CLASSES) - 1)
        row[CLASSES.index(name)] = confidence
    return probabilities


def label(number: int) -> str:
    return str(small_model.images()[1][number])


def image(number: int) -> np.ndarray:
    return small_model.images()[0][number]
