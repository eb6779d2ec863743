"""JSON and forms of clients that mean no good."""

import contextlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from digits.base.errors import UserError
from digits.serving import bodies

SHAPE = (28, 28)
SIZE = 80_000  # bytes


def repeated(part: str) -> bytes:
    """JSON of `inputs` that has a part very often."""
    parts = ",".join([part] * (SIZE // (len(part) + 1)))
    return f'{{"inputs": [{parts}]}}'.encode()


def attacks() -> Iterator[object]:
    texts = {
        "long texts": f'"{"a" * 40_000}"',
        "short texts": '"é"',
        "empty lists": "[]",
        "objects": "{}",
        "keys": '{"a":0}',
        "lists of one": "[0]",
        "floats": "1e1",
        "large numbers": "257",
        "numbers": "0",
        "booleans": "true",
        "null": "null",
        "an image": json.dumps([0] * 784, separators=(",", ":")),
        "images": json.dumps([[255] * 28] * 28),
        "floats in images": json.dumps([1.0] * 784),
    }
    for name, part in texts.items():
        yield pytest.param(repeated(part), id=name)
    yield pytest.param(b'{"inputs": ' + b"[" * SIZE, id="deep")
    yield pytest.param(b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}", id="less deep")
    yield pytest.param(b'{"inputs": [[' + b"1" * SIZE + b"]]}", id="a huge number")
    columns = b'{"dataframe_split": {"columns": [' + b'"",' * (SIZE // 3) + b'""], "data": [[0]]}}'
    yield pytest.param(columns, id="columns")


@pytest.mark.parametrize("body", list(attacks()))
def test_no_body_takes_more_than_fifteen_times_its_size(body: bytes) -> None:
    bodies.scoring(json.dumps({"inputs": [[0] * 784]}).encode(), SHAPE)
    tracemalloc.start()
    with contextlib.suppress(UserError):
        bodies.scoring(body, SHAPE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15 * max(len(body), 10_000)


# The parser takes memory that Python knows nothing of: this asks the system for the peak.
RESIDENT = """
import contextlib, pathlib
from digits.base.errors import UserError
from digits.serving import bodies

def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])

def dense(part, size):
    return b'{"inputs": [[' + (part + b",") * (size // (len(part) + 1)) + b"0]]}"

sent = [dense(part, 4_000_000) for part in (b"1e1", b"1.0", b"257", b"0")]
bodies.scoring(dense(b"0", 2 * 783), (28, 28))
before = peak()
for body in sent:
    with contextlib.suppress(UserError):
        bodies.scoring(body, (28, 28))
print((peak() - before) / 4_000_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_densest_bodies_take_at_most_twenty_times_their_size_of_the_system() -> None:
    command = [sys.executable, "-c", RESIDENT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 20


def test_whole_numbers_are_read_however_they_are_written() -> None:
    image = np.arange(784).reshape(1, 28, 28) % 256
    for value in (image.tolist(), image.astype(float).tolist(), image.reshape(1, 784).tolist()):
        read = bodies.scoring(json.dumps({"inputs": value}).encode(), SHAPE)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("pixel", [-1, 256, 0.5, 1e300, True, None, "1", []])
def test_a_pixel_is_a_whole_number(pixel: object) -> None:
    body = json.dumps({"inputs": [[pixel] + [0] * 783]}).encode()
    with pytest.raises(UserError):
        bodies.scoring(body, SHAPE)


def form(*names: str) -> bytes:
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n{name}!\r\n'
        for name in names
    )
    return f"{parts}--x--\r\n".encode()


def test_the_file_of_a_form() -> None:
    kind = "multipart/form-data; boundary=x"
    assert bodies.form(form("other", "file"), kind) == b"file!"
    assert bodies.form(form("file"), kind.replace("b", "B")) == b"file!"
    for names, reason in ((["other"], "no file of the name"), (["a"] * 11, "at most 10 fields")):
        with pytest.raises(UserError, match=reason):
            bodies.form(form(*names), kind)
    with pytest.raises(UserError, match="boundary"):
        bodies.form(b"", "multipart/form-data")
