"""Collecting beside the answers: a bounded queue, and one thread that writes what is in it.

No request waits for the file. Where it cannot be written, digits are lost and counted, one line
says why, and reading goes on.
"""

import contextlib
import hashlib
import json
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.base.text import one_line
from digits.collection import forgetting, records
from digits.collection.allowance import Allowance
from digits.collection.readings import Reading, Said, rows_of, said_in

WAITING = 5_000  # readings and verdicts in the queue; more are lost
PAUSE = 0.05  # seconds in which what comes is written together; longer ones hold answers up
TRIM_SECONDS = 60.0  # between two looks at size and age

logger = logging.getLogger("uvicorn.error")  # where the server's other lines go


@dataclass(frozen=True)
class Settings:
    """What is collected, and for how long.

    Attributes:
        folder: of the file.
        share: of the sessions.
        pictures: whether whole pictures are kept, too.
        most_bytes: of the file; the oldest digits go first.
        most_days: of a digit.
        patience: seconds to wait for another who writes.
    """

    folder: Path
    share: float = 1.0
    pictures: bool = False
    most_bytes: int = 1_000_000_000
    most_days: float = 90.0
    patience: float = 5.0


class Collector:
    """Takes readings and verdicts, and writes them by a thread of its own.

    Attributes:
        settings: what is collected.
    """

    def __init__(
        self,
        settings: Settings,
        classes: Sequence[str],
        tell: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        """Open the file, and start to write.

        Args:
            settings: what is collected.
            classes: of the main model.
            tell: told what became of digits, "stored", "lost" or "skipped", and of how many.

        Raises:
            UserError: the file cannot be used.
        """
        self.settings, self._tell = settings, tell
        self._path, self._classes = settings.folder / records.FILE, json.dumps(list(classes))
        # Equal crops of a session have one id, also after a restart: the page asks again and
        # again for the digits that are still there. Nobody can guess the id of another's.
        self._key = secrets.token_bytes(32)
        self._connect()
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()  # the one written in C
        self._hurry = threading.Event()  # somebody waits for what is in the queue
        self._complaint = ""
        self._trimmed = 0.0
        self._allowance = Allowance()
        self._thread = threading.Thread(target=self._work, name="collector", daemon=True)
        self._thread.start()

    def collect(self, reading: Reading) -> list[str]:
        """Take a reading, unless its session is not among the share or too much comes at once.

        Returns:
            An id for each digit; none if it is not collected.
        """
        session = reading.session or secrets.token_hex(8)
        if not len(reading.images) or not self._is_chosen(session):
            return []
        if not self._allowance.take(len(reading.images)):
            self._tell("skipped", len(reading.images))
            return []
        ids = [self._id(session, image.tobytes()) for image in reading.images]
        if self._queue.qsize() >= WAITING:
            self._tell("lost", len(ids))
            return []
        self._queue.put((time.time(), session, ids, reading))
        return ids

    def judge(self, identity: str, name: str | None, reviewer: str) -> Future[bool]:
        """Take a verdict, after the readings that came before it.

        Args:
            identity: of the digit.
            name: its class, or `records.NONE`; None takes the reviewer's verdict back.
            reviewer: whose verdict it is.

        Returns:
            Whether there is such a digit, once it is written; raises `queue.Full`,
            `sqlite3.Error` or what else went wrong if it could not be. One that is cancelled in
            the queue is not written.
        """
        future: Future[bool] = Future()
        verdict = {"id": identity, "class": name, "reviewer": reviewer, "time": time.time()}
        if self._queue.qsize() >= WAITING:
            future.set_exception(queue.Full())
        else:
            self._queue.put((verdict, future))
            self._hurry.set()
        return future

    def close(self) -> None:
        """Write what is left, and end; a second time does nothing."""
        if not self._thread.is_alive():
            return
        self._queue.put(None)
        self._hurry.set()
        self._thread.join()
        self._connection.close()

    def _connect(self) -> None:
        """Open the file; what it knows already of classes and key stays."""
        self._connection = records.connect(self._path, self.settings.patience)
        records.fact(self._connection, "classes", self._classes)
        self._key = records.fact(self._connection, "key", self._key)
        self._opened = records.identity(self._path)

    def _follow_file(self) -> None:
        """Open the file anew if it was deleted, which forgets all, or if another took its place."""
        if self._opened is None or records.identity(self._path) != self._opened:
            self._connection.close()
            self._opened = None
            self._connect()

    def _is_chosen(self, session: str) -> bool:
        """Whether a session is among the share: all of its digits, or none."""
        if self.settings.share >= 1:
            return True
        hashed = hashlib.blake2b(session.encode(), digest_size=8, key=self._key).digest()
        return int.from_bytes(hashed) < self.settings.share * 2**64

    def _id(self, session: str, pixels: bytes) -> str:
        content = session.encode() + b"\0" + pixels
        return hashlib.blake2b(content, digest_size=12, key=self._key).hexdigest()

    def _work(self) -> None:
        """Write what comes until None does; old digits are removed also while none come."""
        self._trim()
        is_ended = False
        while not is_ended:
            try:
                batch = [self._queue.get(timeout=TRIM_SECONDS)]
            except queue.Empty:
                self._trim()
                continue
            # One pause, not one wait for each reading: a thread that wakes costs the others time.
            self._hurry.wait(PAUSE)
            self._hurry.clear()
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._queue.get_nowait())
            is_ended = batch[-1] is None
            self._write([each for each in batch if each is not None])

    def _write(self, batch: list[Any]) -> None:
        readings = [each for each in batch if not isinstance(each[-1], Future)]
        # A verdict is cancelled if its request timed out in the queue; from here on none can be.
        given = [each for each in batch if isinstance(each[-1], Future)]
        verdicts = [each for each in given if each[-1].set_running_or_notify_cancel()]
        count = sum(len(ids) for _, _, ids, _ in readings)
        try:
            said = said_in([reading for *_, reading in readings])
            self._follow_file()
            with self._connection:  # one transaction
                self._connection.execute("BEGIN IMMEDIATE")
                rows = [
                    row
                    for (when, session, ids, reading), of_models in zip(readings, said, strict=True)
                    for row in self._rows(when, session, ids, reading, of_models)
                ]
                records.insert(self._connection, rows)
                found = [records.judge(self._connection, verdict) for verdict, _ in verdicts]
        except Exception as error:  # whatever it is, the thread goes on with the next batch
            self._fail(error, count, [future for _, future in verdicts])
            return
        self._complaint = ""
        self._tell("stored", count)
        for (_, future), is_there in zip(verdicts, found, strict=True):
            future.set_result(is_there)
        if time.monotonic() - self._trimmed >= TRIM_SECONDS:
            self._trim()

    def _fail(self, error: Exception, count: int, futures: Sequence[Future[bool]]) -> None:
        """Count what is lost, and say why, once until the reason is another."""
        self._tell("lost", count)
        for future in futures:
            future.set_exception(error)
        reason = one_line(error)
        if reason != self._complaint:
            logger.warning("not collected: %s; reading goes on", reason)
        self._complaint = reason

    def _rows(
        self,
        when: float,
        session: str,
        ids: Sequence[str],
        reading: Reading,
        said: Sequence[Sequence[Said]],
    ) -> list[tuple[Any, ...]]:
        """The digits of a reading as `records.insert` takes them; its picture is kept at once."""
        picture = None
        if (content := reading.picture_file) is not None:
            picture = self._id(session, content)
            picture_row = (picture, session, when, content)
            insert = "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?)"
            self._connection.execute(insert, picture_row)
        return rows_of(reading, ids, said, (session, when, picture))

    def _trim(self) -> None:
        self._trimmed = time.monotonic()
        oldest = time.time() - self.settings.most_days * records.DAY
        try:
            self._follow_file()
            with self._connection:
                forgetting.trim(self._connection, self.settings.most_bytes, oldest)
            self._connection.execute("PRAGMA incremental_vacuum").fetchall()
        except Exception as error:
            self._fail(error, 0, [])
