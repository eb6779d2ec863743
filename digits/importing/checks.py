"""What a source must have to become a data set, and how what is left out is told."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from digits.base.errors import UserError
from digits.data.splits import Split
from digits.importing import shaping

SHOWN = 10  # bad rows that are named
LEAST_TRAIN, LEAST_TEST = 2, 1  # pictures of a class: the two can be parted for the validation


def refuse_bad(bad: Sequence[tuple[str, str]], kind: str, skip: bool) -> list[str]:
    """Name the pictures that cannot be used; where they are skipped, one line tells of them.

    Args:
        bad: the name of each such picture, and why it cannot be used.
        kind: what they have in common, after "pictures".
        skip: whether they are left out.

    Raises:
        UserError: there are such, and they are not to be skipped.
    """
    if bad and not skip:
        lines = [f"{name}: {reason}" for name, reason in bad[:SHOWN]]
        more = f"and {len(bad) - SHOWN:,} more; " if len(bad) > SHOWN else ""
        raise UserError("\n".join([*lines, f"{more}--skip-bad goes on without these"]))
    return left_out(kind, [name for name, _ in bad])


def name_pale(names: Sequence[str], ranges: np.ndarray, threshold: int) -> list[tuple[str, str]]:
    """Name the pictures that have no ink or no paper, and say why; not those of one colour.

    Args:
        names: of the pictures.
        ranges: of their values, see `shaping.value_ranges`.
        threshold: from which value on a pixel is ink.
    """
    has_two = ranges[:, 0] < ranges[:, 1]
    pale = np.flatnonzero(has_two & ~shaping.have_both(ranges, threshold)).tolist()
    reason = "has no ink or no paper: its pixels are {} to {}, ink is from {} on"
    return [(names[i], reason.format(*ranges[i], threshold)) for i in pale]


def left_out(kind: str, names: Sequence[str]) -> list[str]:
    """One line about pictures of a kind, or none where there is no such picture."""
    if not names:
        return []
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [f"left out: {len(names):,} {kind}: {some}"]


def check_classes(labels: Sequence[str], names: Sequence[str]) -> None:
    """Check that the labels are classes, and that each has a name of its own where any has.

    Raises:
        UserError: they are too few or too many, or the names are not as many, or not unique.
    """
    if not 2 <= len(labels) <= 256:
        raise UserError(f"there are {len(labels)} classes, must be 2 to 256")
    if names and len(names) != len(labels):
        raise UserError(
            f"--classes has {len(names)} names, but there are {len(labels)} classes: "
            + ", ".join(labels)
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"--classes has {', '.join(twice)} twice: give each class its own name")


def check_counts(splits: Sequence[Split], labels: Sequence[str]) -> None:
    """Check that every split has enough pictures of every class.

    Args:
        splits: test and train, or one that is to be divided.
        labels: of the classes, in their order.

    Raises:
        UserError: a class has too few.
    """
    least = {"the test split": LEAST_TEST, "the training split": LEAST_TRAIN}
    if len(splits) == 1:
        least = {"all": LEAST_TEST + LEAST_TRAIN}
    for split, (place, required) in zip(splits, least.items(), strict=True):
        counts = np.bincount(split.labels, minlength=len(labels))
        for label, count in zip(labels, counts, strict=True):
            if count < required:
                raise UserError(
                    f"class {label} has {count} pictures in {place}, at least {required} must be "
                    "there, without those left out (equal ones, those of one colour, bad ones): "
                    "add some, or leave the class out"
                )


def natural(label: str) -> tuple[float, str]:
    """The key to sort labels by: numbers by their value, then texts; no two have the same."""
    return (int(label), label) if re.fullmatch(r"\d{1,15}", label) else (float("inf"), label)
