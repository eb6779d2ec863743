"""Holding images out for validation."""

import numpy as np
from sklearn.model_selection import train_test_split

from digits.base.errors import UserError
from digits.data.splits import Split


def hold_out(whole: Split, size: int, seed: int) -> tuple[Split, Split]:
    """Part a split in two; see `rows_held_out`.

    Returns:
        What remains and what was held out.
    """
    kept, held = rows_held_out(whole.labels, size, seed)
    remaining = Split(whole.images[kept], whole.labels[kept])
    return remaining, Split(whole.images[held], whole.labels[held])


def rows_held_out(labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Part rows in two, each class in proportion, each part in the order of the whole.

    Args:
        labels: `uint8 (N,)`.
        size: how many rows the second part gets.
        seed: of the choice.

    Returns:
        The rows that remain and those held out, `int (N - size,)` and `int (size,)`.

    Raises:
        UserError: a part would be empty or too small to hold each class.
    """
    everything = np.arange(len(labels))
    try:
        kept, held = train_test_split(
            everything, test_size=size, random_state=seed, stratify=labels
        )
    except ValueError as error:
        raise UserError(
            f"preprocess.validation_size = {size}: {error}; "
            "`-S preprocess.validation_size=N` sets it"
        ) from None
    kept, held = np.sort(kept), np.sort(held)
    if not np.array_equal(np.sort(np.concatenate([kept, held])), everything):
        raise AssertionError("an image was lost or doubled")
    return kept, held
