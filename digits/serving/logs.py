"""The server's log: bounded, whoever asks."""

import logging
import time

LINES = 20  # in PERIOD
PERIOD = 60.0  # seconds


class Bounded(logging.Filter):
    """Lets some lines pass in each period, and then says how many it left out."""

    def __init__(self, lines: int = LINES, period: float = PERIOD) -> None:
        super().__init__()
        self._lines, self._period = lines, period
        self._start, self._count = float("-inf"), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide whether a line is written."""
        now = time.monotonic()
        if now - self._start >= self._period:
            omitted = self._count - self._lines
            self._start, self._count = now, 0
            if omitted > 0:
                record.msg = f"{record.getMessage()} ({omitted} lines before it were left out)"
                record.args = ()
        self._count += 1
        return self._count <= self._lines
