"""Data that is added to the main data set: read, and mixed into its splits.

Each lies in a folder of its name beside the main data set's files, with its entry of the
catalogue: all that follows from it follows from the content of `data/raw`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.base.schema import check as check_schema
from digits.data.catalogue import ENTRY, DataSet
from digits.data.splits import Split
from digits.intake import digests, idx


@dataclass(frozen=True)
class Extra:
    """A data set that is added.

    Attributes:
        name: of its entry.
        folder: of its four files.
        entry: what the catalogue says of it.
        train: the last `entry.rows.validation` images of it are held out for validation.
        test: its own test split, which nothing learns or chooses from.
    """

    name: str
    folder: Path
    entry: DataSet
    train: Split
    test: Split


def read_all(raw: Path) -> list[Extra]:
    """The data sets in folders of `raw`, in the order of their names."""
    found = []
    for path in sorted(raw.glob(f"*/{ENTRY}")):
        folder = path.parent
        entry = check_schema(DataSet, json.loads(path.read_text(encoding="utf-8")), str(path))
        train, test = idx.read_split(folder, "train"), idx.read_split(folder, "test")
        found.append(Extra(folder.name, folder, entry, train, test))
    return found


@dataclass(frozen=True)
class Mixture:
    """The main data set with what is added.

    Attributes:
        whole: the images of both to learn and to choose from.
        kept, held: the rows of `whole` to train with, some of them several times, and those
            held out for validation, `int (N,)`.
        collected: the test images of what is added; None where none is left.
    """

    whole: Split
    kept: np.ndarray
    held: np.ndarray
    collected: Split | None


def mix(
    whole: Split, rows: tuple[np.ndarray, np.ndarray], extras: Sequence[Extra], weight: int
) -> Mixture:
    """Add data sets to the main one. Of equal images of several of them the first counts.

    So no image is in two splits.

    Args:
        whole: the main data set's images to learn and to choose from.
        rows: of it, those kept and those held out, `int (N,)`.
        extras: at least one.
        weight: how often each training image of these is there.
    """
    known: set[bytes] = set()
    digests.first_seen(whole.images, known)
    added, tests = [whole], []
    (kept, held), begin = rows, len(whole.labels)
    for extra in extras:
        last = len(extra.train.labels) - extra.entry.rows.validation
        new = digests.first_seen(extra.train.images, known)
        kept = np.concatenate([kept, np.tile(begin + new[new < last], weight)])
        held = np.concatenate([held, begin + new[new >= last]])
        added.append(extra.train)
        begin += len(extra.train.labels)
        own = digests.first_seen(extra.test.images, known)
        tests.append(Split(extra.test.images[own], extra.test.labels[own]))
    collected = _joined(tests)
    return Mixture(_joined(added), kept, held, collected if len(collected.labels) else None)


def _joined(parts: Sequence[Split]) -> Split:
    return Split(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
