"""What a model still gets right of corrupted images."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from digits.evaluation.corruptions import CORRUPTIONS, corrupt


def measure_robustness(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, labels: np.ndarray, seed: int
) -> pd.DataFrame:
    """Measure how many images a model still gets right under each corruption.

    Args:
        predict: gives probabilities, `(N, classes)`, of images.
        images: `uint8 (N, height, width)`.
        labels: `uint8 (N,)`.

    Returns:
        `corruption` and `accuracy`, a row for each of `CORRUPTIONS`.
    """
    predicted = {name: predict(corrupt(images, name, seed)).argmax(axis=1) for name in CORRUPTIONS}
    accuracies = [(numbers == labels).mean() for numbers in predicted.values()]
    return pd.DataFrame({"corruption": list(predicted), "accuracy": accuracies})
