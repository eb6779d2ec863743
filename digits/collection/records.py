"""The file of collected digits: what is kept of each, who judged it, and what may be forgotten.

One SQLite file in WAL mode, so that a review or an export reads while the server writes.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digits.base.errors import UserError
from digits.base.text import one_line

FILE = "collected.sqlite"
DRIFT = "drift.json"  # beside it, what `digits drift` found last
NONE = "none"  # the class of what is no digit
WRITER = "writer"  # who judges on the page that he or she wrote on
SIDE = 28
DECIMALS = 6  # of a confidence that is kept
DAY = 86_400  # seconds
SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS digits (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, time REAL NOT NULL, crop BLOB NOT NULL,
    digit TEXT NOT NULL, confidence REAL NOT NULL, refused INTEGER NOT NULL,
    disagree INTEGER NOT NULL, answers TEXT NOT NULL, model TEXT NOT NULL, version TEXT,
    md5 TEXT NOT NULL, picture TEXT
);
CREATE TABLE IF NOT EXISTS verdicts (
    id TEXT NOT NULL REFERENCES digits ON DELETE CASCADE, reviewer TEXT NOT NULL,
    class TEXT NOT NULL, time REAL NOT NULL, PRIMARY KEY (id, reviewer)
);
CREATE TABLE IF NOT EXISTS pictures (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, time REAL NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS digits_by_time ON digits (time);
CREATE INDEX IF NOT EXISTS pictures_by_time ON pictures (time);
"""
ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # a digit's columns in their order
AT_ONCE = 100  # rows of a statement
# One row a digit: how many classes the verdicts name, one of them, and whose they are.
JUDGED = """
SELECT digits.*, COUNT(DISTINCT verdicts.class) AS classes, MIN(verdicts.class) AS class,
    json_group_object(verdicts.reviewer, verdicts.class)
        FILTER (WHERE verdicts.reviewer IS NOT NULL) AS verdicts,
    MAX(verdicts.reviewer = :reviewer) AS is_mine
FROM digits LEFT JOIN verdicts USING (id) GROUP BY digits.id
"""


@dataclass(frozen=True, eq=False)
class Record:
    """A collected digit.

    Attributes:
        id: of the answer, unguessable.
        session: of one visit to the page, or of one request; says nothing of the person.
        time: when it was read, seconds since 1970.
        image: `uint8 (28, 28)`, what the models saw.
        digit: the main model's answer, the likeliest class, also where it refused.
        confidence: of this answer.
        refused: whether the main model refused.
        disagree: whether the models' likeliest classes differ.
        answers: of each model by its name: `digit`, `confidence`, `md5`.
        model, version, md5: of the main model; version is MLflow's, if it comes from there.
        verdicts: the class that each reviewer gave it, by reviewer; `NONE`: no digit.
    """

    id: str
    session: str
    time: float
    image: np.ndarray
    digit: str
    confidence: float
    refused: bool
    disagree: bool
    answers: Mapping[str, Mapping[str, Any]]
    model: str
    version: str | None
    md5: str
    verdicts: Mapping[str, str]

    @property
    def label(self) -> str | None:
        """The class that all verdicts agree on; None without one, or if they differ."""
        given = set(self.verdicts.values())
        return given.pop() if len(given) == 1 else None

    @property
    def state(self) -> str:
        """open, confirmed, corrected, no digit, or disputed."""
        if not self.verdicts:
            return "open"
        if self.label is None:
            return "disputed"
        if self.label == NONE:
            return "no digit"
        return "confirmed" if self.label == self.digit else "corrected"


def connect(path: Path, patience: float = 5.0) -> sqlite3.Connection:
    """Open the file to write, made if there is none; its tables are there afterwards.

    Args:
        path: of the file.
        patience: seconds to wait for another writer.

    Raises:
        UserError: it cannot be used, with the reason.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # handwriting is personal
        connection = sqlite3.connect(path, timeout=patience, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is forgotten leaves no bytes
        connection.executescript(SCHEMA)
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"{path}: cannot be used to collect: {one_line(error)}") from None
    return connection


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that took its name; None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the file of a folder that is there.

    Raises:
        UserError: nothing was collected there, or the file cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise UserError(f"{folder}: nothing was collected there; `digits serve --collect` does it")
    with closing(connect(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise UserError(f"{path}: {one_line(error)}") from None


def select(connection: sqlite3.Connection, since: float = 0.0) -> list[Record]:
    """All that was collected since a time, oldest first."""
    query = f"SELECT * FROM ({JUDGED}) WHERE time >= :since ORDER BY time, id"  # noqa: S608
    rows = connection.execute(query, {"reviewer": "", "since": since})
    return [_record(row) for row in rows]


def to_review(
    connection: sqlite3.Connection, reviewer: str, most: int, first: int = 0
) -> list[Record]:
    """What a reviewer has not judged: first what is worth a look most.

    Corrected and disputed digits come first, then refused ones, those that the models disagree
    on, and the least sure. So many are given at most; `first` are left out before them.
    """
    query = f"""
    SELECT * FROM ({JUDGED}) WHERE is_mine IS NOT 1
    ORDER BY classes > 1 OR (class IS NOT NULL AND class != digit) DESC, refused DESC,
        disagree DESC, confidence, id
    LIMIT :most OFFSET :first
    """  # noqa: S608
    rows = connection.execute(query, {"reviewer": reviewer, "most": most, "first": first})
    return [_record(row) for row in rows]


def insert(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep digits that are not there yet, the columns of each in their order.

    A statement has many rows: while SQLite works on them, the other threads run.
    """
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        statement = f"INSERT OR IGNORE INTO digits VALUES {', '.join([ROW] * len(some))}"  # noqa: S608
        connection.execute(statement, [value for row in some for value in row])


def judge(connection: sqlite3.Connection, verdict: Mapping[str, Any]) -> bool:
    """Keep a verdict, or take it back; say whether there is such a digit.

    Args:
        connection: to the file.
        verdict: `id`, `reviewer`, `class` (None: taken back), `time`.
    """
    if not connection.execute("SELECT 1 FROM digits WHERE id = ?", [verdict["id"]]).fetchone():
        return False
    if verdict["class"] is None:
        connection.execute("DELETE FROM verdicts WHERE id = :id AND reviewer = :reviewer", verdict)
    else:
        connection.execute(
            "INSERT OR REPLACE INTO verdicts VALUES (:id, :reviewer, :class, :time)", verdict
        )
    return True


def classes_of(connection: sqlite3.Connection) -> list[str]:
    """The classes that the models which answered know, in their order."""
    row = connection.execute("SELECT value FROM facts WHERE key = 'classes'").fetchone()
    return json.loads(row["value"]) if row else []


def fact(connection: sqlite3.Connection, key: str, value: bytes | str) -> Any:
    """Look a fact up; the first value that is given for it stays."""
    with connection:
        connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", [key, value])
    row = connection.execute("SELECT value FROM facts WHERE key = ?", [key]).fetchone()
    return row["value"]


def _record(row: sqlite3.Row) -> Record:
    return Record(
        id=row["id"],
        session=row["session"],
        time=row["time"],
        image=np.frombuffer(row["crop"], np.uint8).reshape(SIDE, SIDE),
        digit=row["digit"],
        confidence=row["confidence"],
        refused=bool(row["refused"]),
        disagree=bool(row["disagree"]),
        answers=json.loads(row["answers"]),
        model=row["model"],
        version=row["version"],
        md5=row["md5"],
        verdicts=json.loads(row["verdicts"] or "{}"),
    )


def count(records: Sequence[Record]) -> dict[str, dict[str, dict[str, int]]]:
    """Count records by class, by state and by session, each by state.

    The class is that of the verdict where there is one, else that of the answer.
    """
    tables: dict[str, dict[str, dict[str, int]]] = {"class": {}, "session": {}}
    for record in records:
        for name, key in (("class", record.label or record.digit), ("session", record.session)):
            states = tables[name].setdefault(key, {})
            states[record.state] = states.get(record.state, 0) + 1
    return tables
