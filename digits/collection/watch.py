"""The drift of a window of time: as a whole, by day, and the digits that are most unusual."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from digits.base import files
from digits.base.errors import UserError
from digits.collection import drift, features
from digits.collection.drift import Finding
from digits.collection.features import Features
from digits.collection.records import DAY, DRIFT, Record

DURATION = re.compile(r"(\d+(?:\.\d+)?)([hd])")
HOURS = {"h": 1, "d": 24}


@dataclass(frozen=True)
class Day:
    """A day, UTC.

    Attributes:
        date: such as 2026-01-31.
        number: days since 1970.
        digits: how many were served.
        means: of each feature.
        psi: of each feature; none where there are too few digits.
    """

    date: str
    number: int
    digits: int
    means: dict[str, float]
    psi: dict[str, float]


@dataclass(frozen=True)
class Watch:
    """What was found.

    Attributes:
        served, reference: how many digits.
        findings: of each feature, the largest effect first.
        days: the oldest first.
        unusual: the rarest digits, the rarest first.
        others: how many digits another version answered than the reference was made with.
    """

    served: int
    reference: int
    findings: list[Finding]
    days: list[Day]
    unusual: list[Record]
    others: int

    @property
    def drifted(self) -> list[str]:
        """The features that drifted."""
        return [finding.feature for finding in self.findings if finding.drifted]

    def as_json(self) -> dict[str, Any]:
        """As --json prints it and `DRIFT` holds it."""
        return {
            "served": self.served,
            "reference": self.reference,
            "of_another_model": self.others,
            "drifted": self.drifted,
            "features": [asdict(finding) for finding in self.findings],
            "days": [asdict(day) for day in self.days],
        }


def since(text: str) -> float:
    """The time that a duration before now, such as 7d or 12h, is at: seconds since 1970.

    Raises:
        UserError: it is no duration.
    """
    found = DURATION.fullmatch(text)
    if not found:
        raise UserError(f"--since {text}: must be a number of days or hours, such as 7d or 12h")
    return time.time() - 3600 * HOURS[found[2]] * float(found[1])


def watch(
    records: Sequence[Record], classes: Sequence[str], reference: Features, md5: str
) -> Watch:
    """Compare collected digits with the reference.

    Args:
        records: of the window.
        classes: of the main model that answered the reference.
        reference: of the data that the models were made with.
        md5: of the main model that answered the reference.

    Raises:
        UserError: there are too few.
    """
    if len(records) < drift.LEAST_DIGITS:
        raise UserError(
            f"{len(records)} digits were collected in this time, at least {drift.LEAST_DIGITS} "
            "are needed: name a longer time by --since"
        )
    served = features.of_records(records, classes)
    findings = sorted(drift.compare(reference, served), key=lambda finding: -finding.psi)
    rarest = np.argsort(drift.rarity(reference, served), kind="stable")[: drift.UNUSUAL]
    return Watch(
        len(served),
        len(reference),
        findings,
        _days(records, served, reference),
        [records[index] for index in rarest],
        sum(record.md5 != md5 for record in records),
    )


def _days(records: Sequence[Record], served: Features, reference: Features) -> list[Day]:
    rows: dict[int, list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        rows[int(record.time // DAY)].append(row)
    days = []
    for number, of_day in sorted(rows.items()):
        part = served.chosen(np.array(of_day))
        values = {**part.numbers, **part.flags}
        means = {name: round(float(value.mean()), 6) for name, value in values.items()}
        psi = {}
        if len(of_day) >= drift.LEAST_DIGITS:
            psi = {each.feature: each.psi for each in drift.compare(reference, part)}
        date = datetime.fromtimestamp(DAY * number, UTC).date().isoformat()
        days.append(Day(date, number, len(of_day), means, psi))
    return days


def describe(
    images: np.ndarray, models: Sequence[Callable[[np.ndarray], np.ndarray]], threshold: float
) -> Features:
    """The reference: images that were held out of the training, as the models answer them.

    Args:
        images: `uint8 (N, 28, 28)`.
        models: the main one first.
        threshold: of the main one.
    """
    return features.of_answers(images, [model(images) for model in models], threshold)


def write(found: Watch, folder: Path) -> None:
    """Write `DRIFT`, for the server's gauges and for whoever reads JSON."""
    files.write_json(folder / DRIFT, found.as_json())
