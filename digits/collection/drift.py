"""Tests of whether what is served is still like what was trained on, feature by feature.

A drift is told where a two-sample test is significant after Holm's correction and the effect is
not small: with many digits any difference is significant, with few any looks large.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from digits.collection.features import UNKNOWN, Features
from digits.comparison.correction import holm

LEVEL = 0.01  # of significance, for all features together
LEAST_EFFECT = 0.05  # PSI; by custom 0.1 is a small change, but of all digits, not of a fifth
BINS = 10  # of the PSI of a number, each with a tenth of the reference
LEAST_DIGITS = 50  # fewer are not compared
UNUSUAL = 24  # digits that are shown


@dataclass(frozen=True)
class Finding:
    """A feature compared with the reference.

    Attributes:
        feature: its name.
        reference, served: the mean; of classes the share of the most frequent one.
        psi: the effect size, a population stability index.
        p: of the two-sample test.
        corrected_p: after Holm's correction for the number of features.
        drifted: whether this is a drift.
    """

    feature: str
    reference: float
    served: float
    psi: float
    p: float
    corrected_p: float
    drifted: bool


def compare(reference: Features, served: Features) -> list[Finding]:
    """Compare served digits with the reference, feature by feature.

    Numbers by Kolmogorov's and Smirnov's test, flags by Fisher's, classes by the chi-squared test;
    answers with an unknown class are left out of the classes.

    Returns:
        A finding for each feature that both have.
    """
    rows = []
    for name, values in reference.numbers.items():
        theirs = served.numbers[name]
        p = _test_numbers(values, theirs)
        rows.append((name, values.mean(), theirs.mean(), psi_of_numbers(values, theirs), p))
    for name, flags in reference.flags.items():
        if name in served.flags:
            theirs = served.flags[name]
            table = _counted([flags.astype(int), theirs.astype(int)], 2)
            p = float(stats.fisher_exact(table).pvalue)
            rows.append((name, flags.mean(), theirs.mean(), _psi(*table), p))
    known = served.classes[served.classes != UNKNOWN]
    if len(known):
        table = _counted([reference.classes, known])
        seen = table[:, table.sum(axis=0) > 0]
        p = float(stats.chi2_contingency(seen).pvalue) if seen.shape[1] > 1 else 1.0
        most = int(table[0].argmax())
        shares = table[:, most] / table.sum(axis=1)
        rows.append(("classes", *shares, _psi(*table), p))
    corrected = holm([row[-1] for row in rows])
    return [
        Finding(
            name,
            round(float(ours), 6),
            round(float(theirs), 6),
            round(psi, 6),
            p,
            c,
            c < LEVEL and psi >= LEAST_EFFECT,
        )
        for (name, ours, theirs, psi, p), c in zip(rows, corrected, strict=True)
    ]


def _test_numbers(reference: np.ndarray, served: np.ndarray) -> float:
    """Kolmogorov's and Smirnov's test of the values and of their distance from the middle.

    The first hardly sees a distribution that became wider on both sides, such as that of the
    slant. The p value is the smaller one, corrected for the two.
    """
    middle = np.median(reference)
    pairs = [(reference, served), (np.abs(reference - middle), np.abs(served - middle))]
    return min(1.0, *(2 * float(stats.ks_2samp(*pair, method="asymp").pvalue) for pair in pairs))


def psi_of_numbers(reference: np.ndarray, served: np.ndarray) -> float:
    """The population stability index over bins that hold equal parts of the reference.

    Args:
        reference, served: `float (N,)` and `float (M,)`.
    """
    edges = np.unique(np.quantile(reference, np.arange(1, BINS) / BINS))
    # A value that many digits share, such as one part, has a bin of its own.
    shared = [edge for edge in edges if (reference == edge).mean() > 0.5 / BINS]
    edges = np.union1d(edges, np.nextafter(shared, np.inf))
    counts = [
        np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1)
        for values in (reference, served)
    ]
    return _psi(*counts)


def _psi(reference: np.ndarray, served: np.ndarray) -> float:
    """Of counts by bin; half a digit is added to each, so that an empty bin has a logarithm."""
    ours = (reference + 0.5) / (reference + 0.5).sum()
    theirs = (served + 0.5) / (served + 0.5).sum()
    return float(((theirs - ours) * np.log(theirs / ours)).sum())


def _counted(columns: Sequence[np.ndarray], least: int = 0) -> np.ndarray:
    """How often each number occurs in each of the columns, `int (columns, numbers)`."""
    length = max(least, *(int(column.max(initial=0)) + 1 for column in columns))
    return np.array([np.bincount(column, minlength=length) for column in columns])


def rarity(reference: Features, served: Features) -> np.ndarray:
    """How unusual each served digit is among the reference, `float (N,)`; the least is rarest.

    It is the share of the reference that is as far out, in the feature where that is smallest.
    """
    shares = np.ones(len(served))
    for name, values in reference.numbers.items():
        ordered, count = np.sort(values), len(values)
        below = (np.searchsorted(ordered, served.numbers[name], "right") + 1) / (count + 1)
        above = (count - np.searchsorted(ordered, served.numbers[name], "left") + 1) / (count + 1)
        tails = below if name == "confidence" else 2 * np.minimum(below, above)
        shares = np.minimum(shares, tails)
    return shares
