"""Importing TensorFlow without the dozen lines that it writes of itself."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing_tensorflow() -> Iterator[None]:
    """Discard what is written to stderr, by C++ code too: no log level reaches these lines.

    A Python exception passes through, and is printed once stderr is back. A signal waits
    until then: what a handler raises inside TensorFlow's C++ code would abort the process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of what comes after the import
    waiting: list[int] = []
    handlers = {
        number: signal.signal(number, lambda received, _: waiting.append(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123, a device
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for received in waiting:
            signal.raise_signal(received)
