"""P values of several tests at once, against the definition of Holm's procedure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.comparison.correction import holm


def test_holms_correction() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=8), st.sampled_from([0.001, 0.01, 0.05, 0.3]))
def test_holm_rejects_what_its_procedure_rejects(p_values: list[float], level: float) -> None:
    rejected = set()
    for step, number in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[number] * (len(p_values) - step) >= level:
            break
        rejected.add(number)
    corrected = holm(p_values)
    assert {number for number, p in enumerate(corrected) if p < level} == rejected
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
