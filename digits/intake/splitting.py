"""Holding images out for validation."""

import numpy as np
from sklearn.model_selection import train_test_split

from digits.base.errors import UserError
from digits.data.splits import Split


def hold_out(whole: Split, size: int, seed: int) -> tuple[Split, Split]:
    """Split the images in two, stratified by class, each part in the order of the whole.

    Args:
        size: how many images the second part gets.

    Returns:
        What remains and what was held out.

    Raises:
        UserError: a part would be empty or too small to hold each class.
    """
    everything = np.arange(len(whole.labels))
    try:
        kept, held = train_test_split(
            everything, test_size=size, random_state=seed, stratify=whole.labels
        )
    except ValueError as error:
        raise UserError(f"validation_size = {size}: {error}") from None
    if not np.array_equal(np.sort(np.concatenate([kept, held])), everything):
        raise AssertionError("an image was lost or doubled")
    kept, held = np.sort(kept), np.sort(held)
    remaining = Split(whole.images[kept], whole.labels[kept])
    return remaining, Split(whole.images[held], whole.labels[held])
