"""What passes through the import of TensorFlow, and when."""

import os
import signal

import pytest

from digits.base.quiet import importing_tensorflow


def test_stderr_is_discarded_and_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with importing_tensorflow():
        os.write(2, b"of C++\n")
    os.write(2, b"of ours\n")
    assert capfd.readouterr().err == "of ours\n"


def test_an_exception_passes_through() -> None:
    with pytest.raises(ImportError, match="no such"), importing_tensorflow():
        raise ImportError("no such")


def test_a_signal_waits_until_the_import_is_done() -> None:
    seen: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("signal"))
    try:
        with importing_tensorflow():
            signal.raise_signal(signal.SIGTERM)
            seen.append("imported")
        assert seen == ["imported", "signal"]
        signal.raise_signal(signal.SIGTERM)  # the handler is back
        assert len(seen) == 3
    finally:
        signal.signal(signal.SIGTERM, before)
