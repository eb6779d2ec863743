"""What a killed DVC leaves behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from digits.base.errors import UserError
from digits.tracking import mending


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / mending.NOTES
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff", b"[]"])
def test_damaged_notes_are_removed(notes: Path, tmp_path: Path, content: bytes) -> None:
    notes.write_bytes(content)
    assert "removed .dvc/tmp/rwlock" in mending.mend(tmp_path)
    assert not notes.exists()


def test_whole_notes_stay(notes: Path, tmp_path: Path) -> None:
    assert mending.mend(tmp_path) == ""
    notes.write_text('{"write": {}}')
    assert mending.mend(tmp_path) == ""
    assert notes.exists()


def test_nothing_is_removed_while_dvc_works(notes: Path, tmp_path: Path) -> None:
    notes.write_bytes(b"")
    script = tmp_path / "dvc"
    script.write_text("import time\ntime.sleep(600)\n")
    with subprocess.Popen([sys.executable, script], cwd=tmp_path) as dvc:
        try:
            end = time.monotonic() + 60
            while dvc.pid not in mending._workers(tmp_path):
                assert time.monotonic() < end
            with pytest.raises(UserError, match=f"process {dvc.pid}: wait .* `digits mend`"):
                mending.mend(tmp_path)
        finally:
            dvc.kill()
    assert mending.mend(tmp_path)
