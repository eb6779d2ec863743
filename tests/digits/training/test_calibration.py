import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from digits.training import calibration


def made(count: int, temperature: float, answers: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Answers that are right as often as they say once they are tempered, and the truth."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 5))
    labels = np.array([rng.choice(5, p=each) for each in softmax(logits, axis=1)])
    said = softmax(logits * temperature, axis=1).astype(np.float32)
    return np.repeat(said[:, None], answers, axis=1), labels.astype(np.uint8)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("answers", [1, 4])
def test_the_temperature_undoes_what_was_done_to_the_logits(
    temperature: float, answers: int
) -> None:
    found = calibration.temperature(*made(20_000, temperature, answers))
    assert found == pytest.approx(temperature, rel=0.05)


def test_probabilities_of_zero_do_no_harm() -> None:
    said, labels = np.eye(5, dtype=np.float32)[None].repeat(3, 0), np.zeros(3, np.uint8)
    assert 0.1 <= calibration.temperature(said, labels) <= 10


@given(st.lists(st.floats(0.1, 1), min_size=1, max_size=50), st.floats(0.01, 1))
def test_the_threshold_answers_the_share_that_is_asked_for(
    values: list[float], coverage: float
) -> None:
    sureness = np.array(values)
    threshold = calibration.threshold(sureness, coverage)
    assert (sureness >= threshold).mean() >= coverage - 1e-9
    higher = sureness[sureness > threshold + 1e-4]
    assert len(higher) / len(values) <= coverage + 1 / len(values)
