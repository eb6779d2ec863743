import math
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from digits.base import selection, tables
from digits.evaluation import metrics
from digits.evaluation.corruptions import CORRUPTIONS


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `float32 (N, classes)` and labels, some of the classes without an image."""
    images, classes = draw(st.integers(1, 30)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = rng.normal(scale=draw(st.sampled_from([0.1, 1, 10])), size=(images, classes))
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    labels = rng.integers(0, draw(st.integers(1, classes)), size=images)
    return probabilities.astype(np.float32), labels.astype(np.uint8)


def score(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> dict:
    return metrics.score(probabilities, labels, probabilities.shape[1], bins, 0.95)


@pytest.mark.parametrize(
    ("classes", "names"),
    [(["a", "b c"], ["a", "b_c"]), (["+", "-"], ["0", "1"]), (["+", "-", "0"], ["0", "1"])],
)
def test_each_class_of_what_was_collected_has_a_metric(
    classes: list[str], names: list[str]
) -> None:
    table = tables.tabulate_predictions(np.eye(len(classes))[[0, 1, 0]], np.array([0, 1, 1]))
    scores = metrics.score_collected(table, classes, 0.95)
    of_class = {key[22:]: value for key, value in scores.items() if "accuracy_of" in key}
    assert of_class == {names[0]: 1, names[1]: 0.5}


@given(answers())
def test_scores_are_what_their_definitions_say(given_answers: tuple) -> None:
    probabilities, labels = given_answers
    images, classes = probabilities.shape
    scores = score(probabilities, labels)
    table = tables.tabulate_predictions(probabilities, labels)
    of_class = metrics.score_classes(table, [str(k) for k in range(classes)])
    rows = [[float(p) for p in row] for row in probabilities]
    ranked = [sorted(range(classes), key=lambda k, row=row: -row[k]) for row in rows]
    truth = [[float(k == label) for k in range(classes)] for label in labels]
    right = sum(r[0] == y for r, y in zip(ranked, labels, strict=True))

    def mean(values: list[float]) -> object:
        return pytest.approx(sum(values) / len(values), abs=2e-6)

    assert scores["accuracy"] == mean([right / images])
    assert scores["error_rate"] == mean([1 - right / images])
    assert scores["top2_accuracy"] == mean(
        [y in r[:2] for r, y in zip(ranked, labels, strict=True)]
    )
    assert scores["log_loss"] == mean(
        [
            -math.log(max(row[y], sys.float_info.epsilon))
            for row, y in zip(rows, labels, strict=True)
        ]
    )
    assert scores["brier"] == mean(
        [math.dist(row, t) ** 2 for row, t in zip(rows, truth, strict=True)]
    )
    f1s = []
    for k in range(classes):
        said = {i for i, r in enumerate(ranked) if r[0] == k}
        true = {i for i, y in enumerate(labels) if y == k}
        hits = len(said & true)
        nothing = pytest.approx(math.nan, nan_ok=True)
        assert of_class["images"][k] == len(true)
        assert of_class["precision"][k] == (mean([hits / len(said)]) if said else nothing)
        assert of_class["recall"][k] == (mean([hits / len(true)]) if true else nothing)
        if said or true:
            f1s.append(2 * hits / (len(said) + len(true)))
    assert scores["macro_f1"] == mean(f1s)


@given(answers(), st.integers(1, 20))
def test_calibration_error_is_what_guo_et_al_define(given_answers: tuple, bins: int) -> None:
    probabilities, labels = given_answers
    confidence = probabilities.max(axis=1).astype(float)
    correct = probabilities.argmax(axis=1) == labels
    expected = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & ((confidence <= m / bins) | (m == bins))
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    table = metrics.bin_by_confidence(tables.tabulate_predictions(probabilities, labels), bins)
    error = metrics.expected_calibration_error(table)
    assert error == pytest.approx(expected)
    assert 0 <= error <= 1
    assert table["count"].sum() == len(labels)
    assert table["bin"].between(1, bins).all()


def test_calibration_error_of_the_sure_and_right_is_0_of_the_sure_and_wrong_1() -> None:
    sure = np.eye(3, dtype=np.float32)
    assert score(sure, np.array([0, 1, 2], np.uint8))["ece"] == 0
    assert score(sure, np.array([1, 2, 0], np.uint8))["ece"] == 1


@given(st.integers(1, 10_000), st.data(), st.sampled_from([(0.9, 1.6449), (0.95, 1.95996)]))
def test_wilson_interval(trials: int, data: st.DataObject, level: tuple[float, float]) -> None:
    successes = data.draw(st.integers(0, trials))
    (confidence_level, z), p = level, successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(p * (1 - p) / trials + (z / (2 * trials)) ** 2) / (1 + z**2 / trials)
    low, high = metrics.wilson_interval(successes, trials, confidence_level)
    assert (low, high) == pytest.approx((max(0, centre - half), min(1, centre + half)), abs=1e-4)
    assert low <= p <= high


@given(answers(), st.integers(1, 50))
def test_risk_coverage(given_answers: tuple, points: int) -> None:
    table = tables.tabulate_predictions(*given_answers)
    sureness = selection.sureness(given_answers[0])
    curve = metrics.trace_risk_coverage(table, sureness, points)
    wrong = (table["label"] != table["predicted"]).to_numpy()
    assert curve["coverage"].is_monotonic_increasing
    assert len(curve) == min(points, len(table))
    assert curve.iloc[-1].tolist() == [1, wrong.mean()]
    surest_first = sorted(range(len(table)), key=lambda i: -sureness[i])
    for coverage, risk in curve.itertuples(index=False):
        answered = surest_first[: round(coverage * len(table))]
        assert risk == pytest.approx(wrong[answered].mean())


@given(answers(), st.floats(0, 1))
def test_selective(given_answers: tuple, threshold: float) -> None:
    table = tables.tabulate_predictions(*given_answers)
    sureness = selection.sureness(given_answers[0])
    found = metrics.score_selection(table, sureness, threshold)
    answered = [row for row in table.itertuples() if sureness[row.index] >= threshold]
    wrong = sum(row.label != row.predicted for row in answered)
    assert found["coverage"] == pytest.approx(len(answered) / len(table), abs=1e-6)
    assert found["risk"] == pytest.approx(wrong / max(1, len(answered)), abs=1e-6)


def test_a_real_overconfident_model() -> None:
    # Naive Bayes takes the pixels for independent and so is far too sure of itself.
    images, labels = load_digits(return_X_y=True)
    model = GaussianNB(var_smoothing=1e-3).fit(images[::2], labels[::2])
    probabilities = model.predict_proba(images[1::2]).astype(np.float32)
    scores = score(probabilities, labels[1::2].astype(np.uint8))
    assert scores["accuracy_low"] < scores["accuracy"] < scores["accuracy_high"]
    table = tables.tabulate_predictions(probabilities, labels[1::2])
    overconfidence = table["confidence"].mean() - scores["accuracy"]
    assert scores["ece"] == pytest.approx(overconfidence, abs=0.02)
    curve = metrics.trace_risk_coverage(table, selection.sureness(probabilities))
    assert curve["risk"].iloc[0] < scores["error_rate"]


def test_scores_do_not_warn_of_the_last_bits(recwarn: pytest.WarningsRecorder) -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 1000).astype(np.float32)
    score(probabilities, np.zeros(1000, np.uint8))
    assert not recwarn.list


def test_reliability_of_a_confidence_a_bit_above_1() -> None:
    table = pd.DataFrame({"label": [0], "predicted": [0], "confidence": [1.0000001]})
    assert metrics.bin_by_confidence(table, 15)["bin"].tolist() == [15]


@given(st.dictionaries(st.sampled_from(list(CORRUPTIONS)), st.floats(0, 1), min_size=1))
def test_of_corruptions_are_each_accuracy_and_their_mean(accuracies: dict[str, float]) -> None:
    table = pd.DataFrame({"corruption": list(accuracies), "accuracy": list(accuracies.values())})
    scores = metrics.score_corruptions(table)
    mean = sum(accuracies.values()) / len(accuracies)
    assert scores.pop("corrupted_accuracy") == pytest.approx(mean, abs=1e-6)
    assert scores == {f"corrupted_{key}": round(value, 6) for key, value in accuracies.items()}
