import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from digits.base.errors import UserError
from digits.comparison import paired
from digits.params import Compare

LABELS = [0, 0, 1, 1, 2, 2]
SETTINGS = Compare(confidence_level=0.95, resamples=1000, seed=0)


def predicted(*classes: int, labels: list[int] = LABELS) -> pd.DataFrame:
    return pd.DataFrame({"index": range(len(labels)), "label": labels, "predicted": classes})


BASELINE = predicted(0, 0, 1, 0, 0, 0)
CHALLENGER = predicted(0, 1, 1, 1, 2, 1)

classes = st.integers(0, 2)
pairs = st.lists(st.tuples(classes, classes, classes), min_size=1, max_size=60)


def compare(baseline: pd.DataFrame, challenger: pd.DataFrame) -> paired.Comparison:
    return paired.compare(baseline, challenger, SETTINGS)


def test_compare() -> None:
    result = compare(BASELINE, CHALLENGER)
    assert result.fixed.tolist() == [3, 4]
    assert result.broken.tolist() == [1]
    assert result.difference == pytest.approx(1 / 6)
    assert result.agreement == pytest.approx(2 / 6)
    assert result.metrics("cnn", "mlp") == {
        "accuracy_difference": 0.166667,
        "difference_low": pytest.approx(-0.333333),
        "difference_high": pytest.approx(0.666667),
        "mcnemar_p": 1.0,
        "only_cnn_right": 2,
        "only_mlp_right": 1,
        "agreement": 0.333333,
    }


@given(pairs)
def test_exchanging_the_models_exchanges_the_answer(rows: list) -> None:
    labels, first, second = (list(column) for column in zip(*rows, strict=True))
    one = compare(predicted(*first, labels=labels), predicted(*second, labels=labels))
    other = compare(predicted(*second, labels=labels), predicted(*first, labels=labels))
    assert one.difference == -other.difference
    assert one.p_value == other.p_value
    assert one.agreement == other.agreement
    assert one.fixed.tolist() == other.broken.tolist()
    assert {one.verdict(0.95), other.verdict(0.95)} in ({"better", "worse"}, {"within noise"})


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_a_coin_tossed_for_each_image_that_differs(fixed: int, broken: int) -> None:
    n, rarer = fixed + broken, min(fixed, broken)
    tail = sum(math.comb(n, k) for k in range(rarer + 1)) / 2**n
    assert paired.mcnemar(fixed, broken) == pytest.approx(min(1, 2 * tail))
    assert paired.mcnemar(broken, fixed) == paired.mcnemar(fixed, broken)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 10_000))
def test_bootstrap_interval_contains_the_observed_difference(
    fixed: int, broken: int, images: int
) -> None:
    assume(fixed + broken <= images)
    low, high = paired.bootstrap(fixed, broken, images, SETTINGS)
    assert -1 <= low <= (fixed - broken) / images <= high <= 1
    assert (low, high) == paired.bootstrap(fixed, broken, images, SETTINGS)


def test_bootstrap_is_what_drawing_images_gives() -> None:
    fixed, broken, images = 60, 30, 1000
    change = np.repeat([1, -1, 0], [fixed, broken, images - fixed - broken])
    rng = np.random.default_rng(1)
    means = [rng.choice(change, images).mean() for _ in range(4000)]
    expected = np.quantile(means, [0.05, 0.95])
    settings = Compare(confidence_level=0.9, resamples=4000, seed=2)
    interval = paired.bootstrap(fixed, broken, images, settings)
    # The quantiles of so few resamples vary; the interval is 0.03 wide.
    assert interval == pytest.approx(expected.tolist(), abs=0.0015)


def test_equal_models_do_not_differ() -> None:
    result = compare(BASELINE, BASELINE)
    assert (result.low, result.difference, result.high) == (0, 0, 0)
    assert result.p_value == result.agreement == 1
    assert result.verdict(0.95) == "within noise"


@pytest.mark.parametrize(("right", "verdict"), [(True, "better"), (False, "worse")])
def test_a_clear_verdict(right: bool, verdict: str) -> None:
    baseline = predicted(*[int(right)] * 20, labels=[0] * 20)
    challenger = predicted(*[int(not right)] * 20, labels=[0] * 20)
    assert compare(baseline, challenger).verdict(0.95) == verdict
    assert compare(baseline, challenger).verdict(0.9999999) == "within noise"


@pytest.mark.parametrize(
    "other",
    [
        predicted(0, 0, labels=[0, 0]),
        predicted(0, 0, 1, 0, 0, 0, labels=[0, 0, 1, 1, 2, 1]),
        BASELINE.assign(index=range(1, 7)),
    ],
)
def test_other_images_are_refused(other: pd.DataFrame) -> None:
    paired.require_same_images({"mlp": BASELINE})
    paired.require_same_images({"mlp": BASELINE, "cnn": CHALLENGER})
    with pytest.raises(UserError, match="predictions of cnn and mlp are not for the same images"):
        paired.require_same_images({"mlp": BASELINE, "cnn": other})


def test_errors_by_class_leaves_out_a_class_without_images() -> None:
    table = paired.count_errors_by_class(
        {"mlp": BASELINE, "cnn": CHALLENGER}, ["zero", "one", "two", "three"]
    )
    assert table.to_dict("list") == {
        "class": ["zero", "one", "two"],
        "images": [2, 2, 2],
        "mlp": [0, 1, 2],
        "cnn": [1, 0, 1],
    }


class TestLowestDifference:
    def test_is_the_published_one(self) -> None:
        """Fagerland, Lydersen, Laake: Statistical analysis of contingency tables, 2017, ch. 8."""
        low = paired.lowest_difference(1, 7, 21, 0.95)
        high = -paired.lowest_difference(7, 1, 21, 0.95)
        assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)

    @given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 10_000))
    def test_excludes_zero_where_mcnemars_score_does(
        self, fixed: int, broken: int, rest: int
    ) -> None:
        images = fixed + broken + rest
        assume(images > 0)
        low = paired.lowest_difference(fixed, broken, images, 0.95)
        assert -1 <= low <= (fixed - broken) / images
        score = (fixed - broken) / np.sqrt(fixed + broken) if fixed + broken else 0.0
        assume(abs(score - norm.ppf(0.975)) > 1e-6)
        assert (low > 0) == (score > norm.ppf(0.975))

    def test_more_images_and_less_confidence_bring_it_nearer(self) -> None:
        lows = [paired.lowest_difference(0, 0, n, 0.95) for n in (100, 1000, 10_000)]
        assert lows == sorted(lows)
        assert lows[-1] < paired.lowest_difference(0, 0, 10_000, 0.5) < 0

    def test_covers_the_truth_as_often_as_it_says(self) -> None:
        images, shares = 1000, [0.004, 0.010, 0.986]
        draws = np.random.default_rng(0).multinomial(images, shares, size=2000)
        lows = [paired.lowest_difference(f, b, images, 0.95) for f, b, _ in draws.tolist()]
        assert np.mean(np.array(lows) <= -0.006) == pytest.approx(0.975, abs=0.01)
