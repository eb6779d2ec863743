"""Starting what writes dozens of lines of itself to stderr, without them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def discarding_stderr() -> Iterator[None]:
    """Discard what is written to stderr, by C++ code and child processes too.

    A Python exception passes through, and is printed once stderr is back.
    """
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123, a device
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@contextmanager
def importing_tensorflow() -> Iterator[None]:
    """Import TensorFlow without the dozen lines that no log level reaches.

    A signal waits until the import is over: what a handler raises inside TensorFlow's C++
    code would abort the process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of what comes after the import
    waiting: list[int] = []
    handlers = {
        number: signal.signal(number, lambda received, _: waiting.append(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with discarding_stderr():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for received in waiting:
            signal.raise_signal(received)
