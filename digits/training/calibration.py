"""How sure a trained model may be: its temperature, and how sure it has to be to answer."""

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

DECIMALS = 4  # of both: more would be noise


def temperature(answers: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that makes what a model says of these images as likely as can be.

    C. Guo et al., On calibration of modern neural networks, 2017, arXiv:1706.04599. Where
    several answers are averaged, each is tempered before.

    Args:
        answers: probabilities, `float32 (N, K, classes)`; K answers for each image, one from
            each network and view of it.
        labels: `uint8 (N,)`.

    Returns:
        What to divide the logits by: above 1, the model was too sure of itself.
    """
    logits = np.log(answers.astype(np.float64).clip(np.finfo(np.float32).tiny))

    def log_loss(log_temperature: float) -> float:
        probabilities = softmax(logits / math.exp(log_temperature), axis=2).mean(axis=1)
        return -float(np.log(probabilities[np.arange(len(labels)), labels]).mean())

    found = minimize_scalar(log_loss, bounds=(math.log(0.1), math.log(10)), method="bounded")
    return round(math.exp(found.x), DECIMALS)


def threshold(sureness: np.ndarray, coverage: float) -> float:
    """The value that this share of the images reaches, rounded down; an image more may reach it.

    Args:
        sureness: `(N,)`, of each image, from `selection.sureness`.
        coverage: share of the images that are to be answered, above 0.
    """
    reached = float(np.quantile(sureness, 1 - coverage, method="lower"))
    return math.floor(reached * 10**DECIMALS) / 10**DECIMALS
