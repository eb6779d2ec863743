"""What a kill -9 of DVC leaves in a workspace: DVC stumbles over it, `digits mend` removes it."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.small_project import BIN, Command

pytestmark = pytest.mark.slow
PIPELINE = """
stages:
  first:
    cmd: echo 1 > one
    outs: [one]
  second:
    cmd: cp one two
    deps: [one]
    outs: [two]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: Command) -> Path:
    """A pipeline that has run."""
    folder = tmp_path_factory.mktemp("pipeline")
    for command in ("git init", "dvc init"):
        run(folder, *command.split())
    (folder / "dvc.yaml").write_text(PIPELINE)
    run(folder, "dvc", "repro")
    return folder


def stumbles(folder: Path, run: Command, says: str) -> None:
    """DVC refuses to start; after `digits mend` it runs as ever."""
    (folder / "two").unlink()
    done = run(folder, "dvc", "repro", code=255)
    assert says in done.stdout + done.stderr
    mended = run(folder, "digits", "mend")
    (line,) = mended.stderr.splitlines()
    assert line.startswith("removed ")
    run(folder, "dvc", "repro")
    assert (folder / "two").read_text() == "1\n"


@pytest.mark.parametrize("kind", ["foreign", "zombie"])
def test_notes_whose_process_is_another_now(folder: Path, run: Command, kind: str) -> None:
    command = ["cat"] if kind == "foreign" else ["true"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        entry = {"pid": process.pid, "cmd": f"{BIN / 'dvc'} repro"}
        notes = {"write": {str(folder / "two"): entry}, "read": {}}
        (folder / ".dvc/tmp/rwlock").write_text(json.dumps(notes))
        stumbles(folder, run, "is busy, it is being blocked by")


def test_empty_notes(folder: Path, run: Command) -> None:
    (folder / ".dvc/tmp/rwlock").write_text("")
    stumbles(folder, run, "Unable to read RWLock-file")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("schema", "", "validation failed"),
        ("'2.0'", "'2.", "is invalid"),
        ("md5: ", "md5: 37", "not a valid value"),
    ],
)
def test_a_cut_dvc_lock(folder: Path, run: Command, before: str, after: str, says: str) -> None:
    lock = folder / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(whole[: whole.rindex(before)] + after)
    stumbles(folder, run, says)
    assert lock.read_text() == whole
