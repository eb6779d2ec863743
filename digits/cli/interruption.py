"""Ctrl-C and SIGTERM as a wish to end, for work that keeps what is done."""

import os
import signal
import sys
from threading import Event
from types import FrameType
from typing import NoReturn


class Interruption:
    """While it is entered the first of the two signals sets an event; the next one kills.

    Attributes:
        event: that is set.
    """

    def __init__(self) -> None:
        self.event = Event()
        self._number = 0

    def __enter__(self) -> None:
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def leave(self) -> NoReturn:
        """End without waiting for threads, with the exit code that a shell gives the signal."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + self._number)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._number = number
        self.event.set()
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
