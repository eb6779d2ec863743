"""Is one model better than another? Answered on the same images, with the chance of error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import binomtest, norm

from digits.base.errors import UserError
from digits.params import Compare


@dataclass(frozen=True)
class Comparison:
    """A model, the challenger, against another, the baseline.

    Attributes:
        difference: the challenger's accuracy less the baseline's.
        low, high: bootstrap interval of the difference.
        p_value: of the exact McNemar test.
        agreement: share of the images for which both predict the same class.
        fixed: indices of the images that only the challenger gets right, `int (M,)`.
        broken: of those that only the baseline gets right.
    """

    difference: float
    low: float
    high: float
    p_value: float
    agreement: float
    fixed: np.ndarray
    broken: np.ndarray

    def verdict(self, confidence_level: float) -> str:
        """What the McNemar test lets one say of the challenger."""
        if self.p_value >= 1 - confidence_level:
            return "within noise"
        return "better" if self.difference > 0 else "worse"

    def summary(self, confidence_level: float) -> str:
        """The verdict and the figures behind it, as a stage prints them."""
        return (
            f"{self.verdict(confidence_level)}; accuracy {100 * self.difference:+.2f} points "
            f"({100 * self.low:+.2f} to {100 * self.high:+.2f}), McNemar's p {self.p_value:.2g}"
        )

    def metrics(self, challenger: str, baseline: str) -> dict[str, float]:
        """The numbers by name, rounded because the last bits differ between machines."""
        return {
            "accuracy_difference": round(self.difference, 6),
            "difference_low": round(self.low, 6),
            "difference_high": round(self.high, 6),
            "mcnemar_p": float(
                f"{self.p_value:.6g}"
            ),  # six significant digits: it may be tiny without being 0
            f"only_{challenger}_right": len(self.fixed),
            f"only_{baseline}_right": len(self.broken),
            "agreement": round(self.agreement, 6),
        }


def compare(
    baseline: pd.DataFrame,
    challenger: pd.DataFrame,
    settings: Compare,
) -> Comparison:
    """Compare two models' predictions of the same images.

    Args:
        baseline, challenger: tables as `evaluate` writes them.
        settings: of the interval.
    """
    fixed, broken = find_flips(baseline, challenger)
    low, high = bootstrap(len(fixed), len(broken), len(baseline), settings)
    return Comparison(
        difference=(len(fixed) - len(broken)) / len(baseline),
        low=low,
        high=high,
        p_value=mcnemar(len(fixed), len(broken)),
        agreement=float((baseline["predicted"] == challenger["predicted"]).mean()),
        fixed=fixed,
        broken=broken,
    )


def find_flips(baseline: pd.DataFrame, challenger: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Find the images that only the challenger gets right, and those that only the baseline does.

    Args:
        baseline, challenger: tables as `evaluate` writes them, of the same images.

    Returns:
        Their indices, "fixed" and "broken", `int64 (M,)` each.
    """
    was_right = baseline["predicted"] == baseline["label"]
    is_right = challenger["predicted"] == challenger["label"]
    fixed = baseline.loc[is_right & ~was_right, "index"]
    broken = baseline.loc[was_right & ~is_right, "index"]
    return fixed.to_numpy(), broken.to_numpy()


def mcnemar(fixed: int, broken: int) -> float:
    """The p-value of the exact McNemar test, that two models are equally good.

    Of the images that one model alone gets right, each is then a toss of a fair coin. Q.
    McNemar: Note on the sampling error of the difference between correlated proportions
    or percentages. Psychometrika 12(2), 1947.

    Returns:
        The two-sided p-value; 1 where the models are right on the same images.
    """
    return float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0


def lowest_difference(fixed: int, broken: int, images: int, confidence_level: float) -> float:
    """The lower end of the score interval of the difference of two accuracies on the same images.

    A challenger is not worse by a margin or more if this is above minus the margin: a test
    of non-inferiority at half of 1 less the level. Unlike the bootstrap it is also right
    where few images differ, or none: then it depends on how many images there are. T.
    Tango: Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design. Statistics in Medicine 17(8), 1998.

    Args:
        fixed: images that only the challenger gets right.
        broken: images that only the baseline gets right.
        images: all of them.
        confidence_level: of the two-sided interval.
    """
    if broken == images:
        return -1.0

    def excess(difference: float) -> float:
        """The score statistic less the level's quantile; at a difference of 0 it is McNemar's."""
        # The maximum-likelihood share of broken images, given this difference.
        half = (2 * images - fixed + broken) * difference - fixed - broken
        variance = difference * (1 - difference)
        likeliest = (np.sqrt(half**2 + 8 * images * broken * variance) - half) / (4 * images)
        score = (fixed - broken - images * difference) / np.sqrt(
            images * (2 * likeliest + variance)
        )
        return float(score - norm.ppf((1 + confidence_level) / 2))

    return float(brentq(excess, -1 + 1e-6, (fixed - broken) / images - 1e-12))


def bootstrap(fixed: int, broken: int, images: int, settings: Compare) -> tuple[float, float]:
    """The percentile interval of the difference of two accuracies on the same images: from, to.

    Each resample draws as many images, with replacement; their pairs of answers stay
    together. Of a drawn image only this counts: it is fixed, broken, or neither. So the
    counts of a resample are one draw from the multinomial distribution, and no image
    need be touched. B. Efron, R. Tibshirani: An introduction to the bootstrap, 1993,
    chapter 13.

    Args:
        fixed: images that only the challenger gets right.
        broken: images that only the baseline gets right.
        images: all of them.
        settings: how many resamples, by which seed, and the share of them inside the interval.
    """
    shares = np.array([fixed, broken, images - fixed - broken]) / images
    draws = np.random.default_rng(settings.seed).multinomial(
        images, shares, size=settings.resamples
    )
    differences = (draws[:, 0] - draws[:, 1]) / images
    tail = (1 - settings.confidence_level) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)


def require_same_images(predictions: Mapping[str, pd.DataFrame]) -> None:
    """Raise UserError unless the models' predictions are for the same images and labels."""
    (first, expected), *others = predictions.items()
    for model, table in others:
        if not table[["index", "label"]].equals(expected[["index", "label"]]):
            raise UserError(
                f"the predictions of {model} and {first} are not for the same images: "
                "evaluate both on the same test split"
            )


def count_errors_by_class(
    predictions: Mapping[str, pd.DataFrame], classes: Sequence[str]
) -> pd.DataFrame:
    """Count each model's errors by class: columns `class`, `images`, and one for each model."""
    columns = {
        model: (table["label"] != table["predicted"]).groupby(table["label"]).sum()
        for model, table in predictions.items()
    }
    images = next(iter(predictions.values()))["label"].value_counts(sort=False)
    table = pd.DataFrame({"images": images, **columns}).sort_index()
    table.insert(0, "class", [classes[number] for number in table.index])
    return table.reset_index(drop=True)
