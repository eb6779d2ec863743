"""Whatever a file holds: a value or one bounded line, soon. `make fuzz` tries thousands."""

import io
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from digits import params
from digits.base.errors import UserError
from digits.base.reports import parse_metrics
from digits.data import catalogue
from digits.intake import idx
from digits.recognition import decoding, digitizing
from digits.tracking import lock
from tests import small_model
from tests.small_project import ROOT

CASES = int(os.environ.get("FUZZ", "20"))
SECONDS = 10  # of this process' CPU, for one case
MEMORY = 1_000_000  # kB that one case may add to the most this process ever held
IDX = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2]) + bytes(8)


def from_file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of content that goes by way of a file."""

    def parse(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(content)
            return read(path)

    return parse


def picture(suffix: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(small_model.handwriting("12")).save(content, suffix)
    return content.getvalue()


READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "parameters": (from_file(params.load), (ROOT / "params.yaml").read_bytes()),
    "catalogue": (
        from_file(lambda path: catalogue.find("mnist", path)),
        (ROOT / "datasets.yaml").read_bytes(),
    ),
    "IDX": (idx.parse, IDX),
    "lock": (
        lambda content: lock.read(content.decode(errors="replace")),
        (ROOT / "dvc.lock").read_bytes()[:3000],
    ),
    "reports": (lambda content: parse_metrics(content, "r"), b'{"accuracy": 0.9, "a": {"b": 1}}'),
} | {
    suffix: (
        from_file(lambda path: digitizing.digitize(decoding.decode(path))),
        picture(suffix),
    )
    for suffix in decoding.FORMATS
}


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_any_content_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    read, content = READERS[kind]
    damaged = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=10)):
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    inserted = data.draw(st.binary(max_size=100))
    case = bytes(damaged[:cut]) + inserted + bytes(damaged[cut:])
    begun, held, refusal = time.process_time(), most_memory(), ""
    try:
        read(case)
    except UserError as error:
        refusal = str(error)
    assert all(len(line) < 2000 for line in refusal.splitlines())
    assert time.process_time() - begun < SECONDS
    assert most_memory() - held < MEMORY


def most_memory() -> int:
    """The most that this process has held so far, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
