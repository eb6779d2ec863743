"""From reviewed digits to a data set of the catalogue, which `data.extra` adds to the main one."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.base.errors import UserError
from digits.collection.records import NONE, Record
from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.importing import importing, writing
from digits.intake import digests, idx

PARTS = ("train", "validation", "test")
SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}  # of the sessions
RAW = Path("data/raw")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: of the IDX files.
        notes: what became of the digits, a line each.
    """

    folder: Path
    notes: list[str]


def part_of(session: str) -> str:
    """The part that a session belongs to: the same in every export, whoever else wrote."""
    hashed = hashlib.blake2b(session.encode(), digest_size=8).digest()
    place, end = int.from_bytes(hashed) / 2**64, 0.0
    for part, share in SHARES.items():
        end += share
        if place < end:
            return part
    return PARTS[-1]


def export(
    name: str, found: Sequence[Record], classes: Sequence[str], main: str, most: int
) -> Exported:
    """Write reviewed digits as a data set, an unchanging snapshot under a new name.

    Args:
        name: of the data set.
        found: all that was collected.
        classes: of the models that answered.
        main: the data set that it is to be added to; none of its images is taken.
        most: digits of a session.

    Raises:
        UserError: the name cannot be used, or there is too little for three parts.
    """
    writing.refuse_name(name, replace=False)
    known = {digests.digest(image) for image in _images_of(RAW)}
    chosen, notes = _choose(found, classes, known, most)
    splits = {part: _split(chosen[part], classes) for part in PARTS}
    for part, split in splits.items():
        if not len(split.labels):
            raise UserError(
                f"there is no reviewed digit for {part} yet: sessions are dealt out, about "
                f"{SHARES[part]:.0%} of them to it; collect and review more"
            )
    train = Split(
        np.concatenate([splits["train"].images, splits["validation"].images]),
        np.concatenate([splits["train"].labels, splits["validation"].labels]),
    )
    data_set = importing.DataSet(list(classes), train, splits["test"], [])
    sessions = len({record.session for records in chosen.values() for record in records})
    wishes = importing.Wishes(
        title=f"Digits collected by the server, added to {main}",
        citation=f"corrected or confirmed by people, {sessions} sessions",
        validation=len(splits["validation"].labels),
    )
    folder = writing.write(name, data_set, wishes)
    for part, split in splits.items():
        count = len({record.session for record in chosen[part]})
        notes.append(f"{part}: {len(split.labels):,} digits of {count:,} sessions")
    return Exported(folder, notes)


def _choose(
    found: Sequence[Record], classes: Sequence[str], known: set[bytes], most: int
) -> tuple[dict[str, list[Record]], list[str]]:
    """Deal out the digits by session; no image twice, and none that is known."""
    by_session: dict[str, list[Record]] = defaultdict(list)
    left: dict[str, int] = defaultdict(int)
    taken: set[bytes] = set()
    for record in sorted(found, key=lambda record: record.id):  # whoever wrote it first or last
        hashed = digests.digest(record.image)
        if record.label is None:
            left["not reviewed, or disputed"] += 1
        elif record.label == NONE:
            left["no digit"] += 1
        elif record.label not in classes:
            left[f"of another class than {', '.join(classes)}"] += 1
        elif hashed in known:
            left["an image of the main data set"] += 1
        elif hashed in taken:
            left["equal to another"] += 1
        elif record.image.min() == record.image.max():
            left["of one colour alone"] += 1
        else:
            taken.add(hashed)
            by_session[record.session].append(record)
    chosen: dict[str, list[Record]] = {part: [] for part in PARTS}
    for session, records in sorted(by_session.items()):
        kept = _balanced(records, most)
        left["beyond the most of a session"] += len(records) - len(kept)
        chosen[part_of(session)] += kept
    return chosen, [f"left out: {n:,} {reason}" for reason, n in left.items() if n]


def _balanced(records: Sequence[Record], most: int) -> list[Record]:
    """At most so many digits, one of each class in turn."""
    by_class: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_class[str(record.label)].append(record)
    kept: list[Record] = []
    turn = 0
    while len(kept) < min(most, len(records)):
        kept += [of_class[turn] for of_class in by_class.values() if turn < len(of_class)]
        turn += 1
    return kept[:most]


def _split(records: Sequence[Record], classes: Sequence[str]) -> Split:
    images = np.array([record.image for record in records], np.uint8).reshape(-1, 28, 28)
    labels = [list(classes).index(str(record.label)) for record in records]
    return Split(images, np.array(labels, np.uint8))


def _images_of(folder: Path) -> Iterable[np.ndarray]:
    """The images of the main data set, train and test.

    Raises:
        UserError: they are not there: what is in its test could not be told.
    """
    for name in FILES:
        if not (folder / name).exists():
            raise UserError(
                f"{folder / name}: is not there, so that its images could not be left out: "
                "`dvc pull data/raw` or `dvc repro download` brings it"
            )
        if "images" in name:
            yield from idx.read(folder / name)
