import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.base.selection import TEMPERATURE, sureness

logits = st.lists(st.floats(-20, 20), min_size=2, max_size=12)


@given(logits)
def test_it_is_the_confidence_of_the_logits_at_the_temperature(values: list[float]) -> None:
    def softmax(logits: np.ndarray) -> np.ndarray:
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()

    given_logits = np.array(values)
    probabilities = softmax(given_logits)
    (found,) = sureness(probabilities[np.newaxis].astype(np.float32))
    assert found == pytest.approx(softmax(given_logits / TEMPERATURE).max(), rel=1e-4)
    assert 1 / len(values) - 1e-6 <= found <= probabilities.max() + 1e-6


def test_many_classes_that_are_left_make_it_less_sure_than_one() -> None:
    one, many = [0.9, 0.1] + 8 * [0.0], [0.9] + 9 * [0.1 / 9]
    first, second = sureness(np.float32([one, many]))
    assert second < first - 0.1


def test_of_no_image() -> None:
    assert sureness(np.empty((0, 10), np.float32)).shape == (0,)
