"""When a model had better not answer: what it was given may be no digit, or not a clear one."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rejection:
    """A threshold of the confidence, and what it does.

    Attributes:
        threshold: an answer with less confidence is refused.
        coverage: share of the digits that are answered.
        risk: share of wrong answers among them; 0 where none is answered.
        accepted: share of what is no digit, answered all the same.
    """

    threshold: float
    coverage: float
    risk: float
    accepted: float


def choose(
    confidence: np.ndarray, correct: np.ndarray, others: np.ndarray, most_risk: float, most: float
) -> Rejection:
    """The lowest threshold that keeps both shares, or the one that refuses everything.

    To be chosen on validation images: what it does is then reported on others.

    Args:
        confidence: `(N,)`, of the answers to digits.
        correct: `bool (N,)`, whether they were right.
        others: `(M,)`, confidence of the answers to what is no digit.
        most_risk: the largest share of wrong answers among those given to digits.
        most: the largest share of what is no digit that may be answered.
    """
    candidates = np.unique(np.concatenate([[0.0], confidence, others]))
    for threshold in [*candidates, np.nextafter(candidates[-1], np.inf)]:
        found = effect(float(threshold), confidence, correct, others)
        if found.risk <= most_risk and found.accepted <= most:
            break
    return found


def effect(
    threshold: float, confidence: np.ndarray, correct: np.ndarray, others: np.ndarray
) -> Rejection:
    """What a threshold does to these answers, see `choose`."""
    answered = confidence >= threshold
    risk = 1 - correct[answered].mean() if answered.any() else 0.0
    accepted = (others >= threshold).mean() if len(others) else 0.0
    return Rejection(threshold, float(answered.mean()), float(risk), float(accepted))
