"""A split of a data set, and the file that keeps it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Split:
    """Images `uint8 (N, height, width)` and their labels `uint8 (N,)`."""

    images: np.ndarray
    labels: np.ndarray


def save(split: Split, path: Path) -> None:
    """Write a split as one uncompressed .npz file; equal splits give equal bytes."""
    with path.open("wb") as file:  # given a path, savez would add the ending .npz
        np.savez(
            file,
            images=np.ascontiguousarray(split.images),  # the file records the order in memory
            labels=np.ascontiguousarray(split.labels),
        )


def load(path: Path) -> Split:
    """Read what `save` wrote. Never unpickles."""
    with np.load(path, allow_pickle=False) as arrays:
        return Split(arrays["images"], arrays["labels"])
