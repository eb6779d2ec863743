"""Which images a model had better leave unanswered."""

import numpy as np

TEMPERATURE = 2.0  # at 3 more of what is no digit is refused, but also more errors are answered


def sureness(probabilities: np.ndarray) -> np.ndarray:
    """How sure a model is of each answer, to be held to its threshold.

    It is the confidence at a higher temperature: S. Liang, Y. Li, R. Srikant, Enhancing the
    reliability of out-of-distribution image detection in neural networks, 2018,
    arXiv:1706.02690. A digit that is hard to read leaves some probability to one other class,
    what is no digit to many: the temperature makes the many count.

    Args:
        probabilities: `float32 (N, classes)`.

    Returns:
        `float32 (N,)`, above 0 and at most 1, never above the confidence.
    """
    tempered = probabilities ** (1 / TEMPERATURE)
    return tempered.max(axis=1) / tempered.sum(axis=1)
