from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits.comparison import plot
from digits.comparison.paired import Comparison

MODELS = ["mlp", "cnn", "a", "b", "c"]  # more than there are colours


def comparison(fixed: int, broken: int) -> Comparison:
    return Comparison(0.1, 0.0, 0.2, 0.04, 0.9, np.arange(fixed), np.arange(broken))


@pytest.mark.parametrize("models", [1, 2, 5])
@pytest.mark.parametrize("error_rate", [0.0, 0.01, 1.0])
def test_draw(tmp_path: Path, models: int, error_rate: float) -> None:
    accuracy = 1 - error_rate
    interval = {"accuracy_low": max(0, accuracy - 0.1), "accuracy_high": min(1, accuracy + 0.1)}
    scores = {model: {"error_rate": error_rate, **interval} for model in MODELS[:models]}
    wrong = round(1000 * error_rate)
    by_class = pd.DataFrame({"class": ["7", "ankle boot"], "images": 1000})
    by_class = by_class.assign(**dict.fromkeys(scores, wrong))
    comparisons = {model: comparison(wrong, wrong // 2) for model in list(scores)[1:]}
    for name in ("first.png", "second.png"):
        plot.draw(scores, comparisons, by_class, tmp_path / name)
    content = (tmp_path / "first.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content == (tmp_path / "second.png").read_bytes()
