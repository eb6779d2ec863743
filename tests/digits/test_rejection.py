import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.rejection import choose, effect

CONFIDENCE = np.array([0.5, 0.7, 0.9, 0.99])
CORRECT = np.array([False, True, False, True])
OTHERS = np.array([0.4, 0.6, 0.8])


def test_what_a_threshold_does() -> None:
    found = effect(0.7, CONFIDENCE, CORRECT, OTHERS)
    assert (found.coverage, found.accepted) == pytest.approx((0.75, 1 / 3))
    assert found.risk == pytest.approx(1 / 3)


def test_the_lowest_threshold_that_keeps_both_shares() -> None:
    assert choose(CONFIDENCE, CORRECT, OTHERS, most_risk=0.5, most=1).threshold == 0
    assert choose(CONFIDENCE, CORRECT, OTHERS, most_risk=0.4, most=1).threshold == 0.6
    assert choose(CONFIDENCE, CORRECT, OTHERS, most_risk=0.4, most=0.4).threshold == 0.7
    assert choose(CONFIDENCE, CORRECT, OTHERS, most_risk=0, most=1).threshold == 0.99


def test_where_nothing_will_do_everything_is_refused() -> None:
    found = choose(CONFIDENCE, np.zeros(4, bool), OTHERS, most_risk=0.1, most=0.1)
    assert (found.coverage, found.risk, found.accepted) == (0, 0, 0)
    assert found.threshold > CONFIDENCE.max()


shares = st.floats(0, 1)


@given(st.lists(st.tuples(shares, st.booleans()), min_size=1), st.lists(shares), shares, shares)
def test_both_shares_are_kept(
    digits: list[tuple[float, bool]], others: list[float], most_risk: float, most: float
) -> None:
    confidence, correct = map(np.array, zip(*digits, strict=True))
    found = choose(confidence, correct, np.array(others), most_risk, most)
    assert found.risk <= most_risk
    assert found.accepted <= most
