"""P values of several tests at once, corrected for their number."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number: the chance that any of the verdicts errs stays as it is.

    S. Holm: A simple sequentially rejective multiple test procedure. Scandinavian Journal
    of Statistics 6(2), 1979.
    """
    order = np.argsort(p_values)
    tests_left = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(tests_left * np.sort(p_values)).clip(max=1)
    return corrected.tolist()
