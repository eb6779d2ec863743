"""Fewer pixels of a picture, on which statistics are quicker, and how far values spread."""

import cv2
import numpy as np

from digits.recognition.crops import scaled


def sampled(image: np.ndarray, side: int) -> np.ndarray:
    """Take every n-th pixel of an image whose longer side has more pixels than this."""
    step = -(-max(image.shape[:2]) // side)
    return image[::step, ::step]


def shrunk(image: np.ndarray, side: int, interpolation: int = cv2.INTER_AREA) -> np.ndarray:
    """Shrink an image until its longer side has at most this many pixels."""
    return scaled(image, min(1.0, side / max(image.shape[:2])), interpolation)


def spread(differences: np.ndarray) -> float:
    """Estimate the standard deviation from differences to the middle, were they Gaussian."""
    return 1.4826 * float(np.median(np.abs(differences)))
