"""How good a model's probabilities are: accuracy, calibration, and when to trust it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn import metrics

from digits.base.tables import predictions

DECIMALS = 6  # of every score: the last bits differ between machines


def scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: int,
    bins: int,
    confidence_level: float,
) -> dict[str, float]:
    """All there is to say of the model as a whole, in numbers.

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
    # Exactly 1, because scikit-learn warns of the last bit of float32.
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    numbers = np.arange(classes)
    table = predictions(probabilities, labels)
    predicted = table["predicted"].to_numpy()
    correct = predicted == labels
    low, high = wilson(int(correct.sum()), len(labels), confidence_level)
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
        "ece": expected_calibration_error(reliability(table, bins)),
    }
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def selective(table: pd.DataFrame, threshold: float) -> dict[str, float]:
    """What the model does if it refuses to answer where its confidence is below a threshold.

    Args:
        table: from `tables.predictions`.

    Returns:
        `coverage`, the share of images answered, and `risk`, that of wrong ones among
        them, 0 where none is answered; see `risk_coverage`.
    """
    answered = table[table["confidence"] >= threshold]
    risk = (answered["label"] != answered["predicted"]).mean() if len(answered) else 0.0
    values = {"coverage": len(answered) / len(table), "risk": risk}
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def of_corruptions(table: pd.DataFrame) -> dict[str, float]:
    """The accuracy with each corruption, of a table from `measure_robustness`, and their mean."""
    names = ["corrupted_" + name for name in table["corruption"]]
    values = {"corrupted_accuracy": table["accuracy"].mean()}
    values |= dict(zip(names, table["accuracy"], strict=True))
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def by_class(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """How well each class is recognised.

    Args:
        table: from `tables.predictions`.
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


def wilson(successes: int, trials: int, confidence_level: float) -> tuple[float, float]:
    """The interval of a proportion by E. B. Wilson, 1927: from, to.

    Unlike the usual plus-minus it stays within 0 and 1, and is right near them too.
    """
    interval = binomtest(successes, trials).proportion_ci(confidence_level, method="wilson")
    return float(interval.low), float(interval.high)


def reliability(table: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Sort the images by their confidence into bins of equal width.

    Bin m holds the confidences in ((m - 1) / bins, m / bins], as in Guo et al., On
    calibration of modern neural networks, 2017, arXiv:1706.04599.

    Args:
        table: from `tables.predictions`.
        bins: how many.

    Returns:
        One row for each bin that is not empty: `bin`, from 1; the means `confidence` and
        `accuracy`; `count`, of images.
    """
    images = pd.DataFrame(
        {
            # float32 may exceed 1 by its last bit.
            "bin": np.ceil(table["confidence"] * bins).clip(1, bins).astype(int),
            "confidence": table["confidence"],
            "correct": table["label"] == table["predicted"],
        }
    )
    return images.groupby("bin", as_index=False).agg(
        confidence=("confidence", "mean"), accuracy=("correct", "mean"), count=("correct", "size")
    )


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """How far confidence and accuracy are apart in an image's bin, on average over the images.

    Args:
        bins: from `reliability`; the same article defines both.
    """
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float((bins["count"] * gaps).sum() / bins["count"].sum())


def risk_coverage(table: pd.DataFrame, points: int = 100) -> pd.DataFrame:
    """The error rate, were the model to answer only where it is surest.

    Y. Geifman, R. El-Yaniv: Selective classification for deep neural networks, 2017,
    arXiv:1705.08500. Of equally confident images the first come first.

    Args:
        table: from `tables.predictions`.
        points: of the curve, equally spaced; fewer where there are fewer images.

    Returns:
        Rows of `coverage`, the share of images answered, and `risk`, the error rate on them.
    """
    ranked = table.sort_values("confidence", ascending=False, kind="stable")
    errors = (ranked["label"] != ranked["predicted"]).to_numpy().cumsum()
    answered = np.unique(-(-np.arange(1, points + 1) * len(table) // points))
    return pd.DataFrame(
        {"coverage": answered / len(table), "risk": errors[answered - 1] / answered}
    )
