"""How good a model's probabilities are: accuracy, calibration, and when to trust it."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn import metrics

from digits.base.tables import tabulate_predictions

DECIMALS = 6  # of every score: the last bits differ between machines


def score(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: int,
    bins: int,
    confidence_level: float,
) -> dict[str, float]:
    """Score a model as a whole: accuracy, its interval, and how good the probabilities are.

    Args:
        probabilities: `float32 (N, classes)`, the rows add up to 1.
        labels: `uint8 (N,)`, N at least 1.
        classes: how many there are.
        bins: of the calibration error.
        confidence_level: of the interval of the accuracy.

    Returns:
        Rounded numbers by name. A class neither predicted nor present is left out of the
        macro F1.

        "brier" is the squared distance of the probabilities from the truth, from 0 to 2,
        over all classes as in: G. W. Brier, Verification of forecasts expressed in terms
        of probability. Monthly Weather Review 78(1), 1950.
    """
    # scikit-learn warns of rows whose sum differs from 1 by the last bit of float32.
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    numbers = np.arange(classes)
    table = tabulate_predictions(probabilities, labels)
    predicted = table["predicted"].to_numpy()
    correct = predicted == labels
    low, high = wilson_interval(int(correct.sum()), len(labels), confidence_level)
    top2 = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    values = {
        "accuracy": correct.mean(),
        "accuracy_low": low,
        "accuracy_high": high,
        "error_rate": 1 - correct.mean(),
        "top2_accuracy": (top2 == labels[:, None]).any(axis=1).mean(),
        "macro_f1": np.nanmean(
            metrics.f1_score(labels, predicted, labels=numbers, average=None, zero_division=np.nan)
        ),
        "log_loss": metrics.log_loss(labels, probabilities, labels=numbers),
        "brier": metrics.brier_score_loss(
            labels, probabilities, labels=numbers, scale_by_half=False
        ),
        "ece": expected_calibration_error(bin_by_confidence(table, bins)),
    }
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def score_selection(
    table: pd.DataFrame, sureness: np.ndarray, threshold: float
) -> dict[str, float]:
    """Score a model that refuses to answer where it is less sure than a threshold.

    Args:
        table: from `tables.tabulate_predictions`.
        sureness: of its rows, `(N,)`, from `selection.sureness`.

    Returns:
        `coverage`, the share of images answered, and `risk`, that of wrong ones among
        them, 0 where none is answered; see `trace_risk_coverage`.
    """
    answered = table[sureness >= threshold]
    risk = (answered["label"] != answered["predicted"]).mean() if len(answered) else 0.0
    values = {"coverage": len(answered) / len(table), "risk": risk}
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def score_corruptions(table: pd.DataFrame) -> dict[str, float]:
    """Name the accuracies of a table from `measure_robustness`, and add their mean."""
    names = ["corrupted_" + name for name in table["corruption"]]
    values = {"corrupted_accuracy": table["accuracy"].mean()}
    values |= dict(zip(names, table["accuracy"], strict=True))
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def score_collected(
    table: pd.DataFrame, classes: Sequence[str], confidence_level: float
) -> dict[str, float]:
    """Score a model on images that were collected where it serves.

    Args:
        table: from `tables.tabulate_predictions`, of at least one image.
        classes: their names.
        confidence_level: of the interval of the accuracy.

    Returns:
        Number of images, accuracy, its interval, and the accuracy of each class that occurs, by
        its name; by its number where a metric cannot tell the names apart.
    """
    right = table["label"] == table["predicted"]
    low, high = wilson_interval(int(right.sum()), len(table), confidence_level)
    values = {
        "collected_images": len(table),
        "collected_accuracy": right.mean(),
        "collected_accuracy_low": low,
        "collected_accuracy_high": high,
    }
    names = [re.sub(r"\W+", "_", name) for name in classes]
    if len(set(names)) < len(names):  # of + and -, say
        names = [str(number) for number in range(len(classes))]
    for label, of_class in right.groupby(table["label"]):
        values[f"collected_accuracy_of_{names[label]}"] = of_class.mean()
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def score_classes(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Score each class by itself.

    Args:
        table: from `tables.tabulate_predictions`.
        classes: their names.

    Returns:
        A row for each class: `class`, `images`, `precision`, `recall`, `f1`. A class that
        was never predicted has no precision and one without an image no recall: NaN.
    """
    precision, recall, f1, images = metrics.precision_recall_fscore_support(
        table["label"],
        table["predicted"],
        labels=np.arange(len(classes)),
        zero_division=np.nan,
    )
    return pd.DataFrame(
        {"class": classes, "images": images, "precision": precision, "recall": recall, "f1": f1}
    )


def wilson_interval(successes: int, trials: int, confidence_level: float) -> tuple[float, float]:
    """The lower and upper end of E. B. Wilson's interval of a proportion, 1927.

    Unlike the usual plus-minus it stays within 0 and 1, and is right near them too.
    """
    interval = binomtest(successes, trials).proportion_ci(confidence_level, method="wilson")
    return float(interval.low), float(interval.high)


def bin_by_confidence(table: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Sort the images by their confidence into bins of equal width.

    Bin m holds the confidences in ((m - 1) / bins, m / bins], as in Guo et al., On
    calibration of modern neural networks, 2017, arXiv:1706.04599.

    Args:
        table: from `tables.tabulate_predictions`.
        bins: how many.

    Returns:
        One row for each bin that is not empty: `bin`, from 1; the means `confidence` and
        `accuracy`; `count`, of images.
    """
    images = pd.DataFrame(
        {
            # A confidence in float32 may exceed 1 by its last bit.
            "bin": np.ceil(table["confidence"] * bins).clip(1, bins).astype(int),
            "confidence": table["confidence"],
            "correct": table["label"] == table["predicted"],
        }
    )
    return images.groupby("bin", as_index=False).agg(
        confidence=("confidence", "mean"), accuracy=("correct", "mean"), count=("correct", "size")
    )


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """The mean distance between confidence and accuracy, over the images' bins.

    Args:
        bins: from `bin_by_confidence`; the same article defines both.
    """
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float((bins["count"] * gaps).sum() / bins["count"].sum())


def trace_risk_coverage(
    table: pd.DataFrame, sureness: np.ndarray, points: int = 100
) -> pd.DataFrame:
    """Trace the error rate against the share of images answered, the surest first.

    Y. Geifman, R. El-Yaniv: Selective classification for deep neural networks, 2017,
    arXiv:1705.08500. Of images it is equally sure of the first come first.

    Args:
        table: from `tables.tabulate_predictions`.
        sureness: of its rows, `(N,)`, from `selection.sureness`.
        points: of the curve, equally spaced; fewer where there are fewer images.

    Returns:
        Rows of `coverage`, the share of images answered, and `risk`, the error rate on them.
    """
    ranked = table.iloc[np.argsort(-sureness, kind="stable")]
    errors = (ranked["label"] != ranked["predicted"]).to_numpy().cumsum()
    answered = np.unique(-(-np.arange(1, points + 1) * len(table) // points))
    return pd.DataFrame(
        {"coverage": answered / len(table), "risk": errors[answered - 1] / answered}
    )
