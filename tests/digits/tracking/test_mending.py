"""What a killed DVC leaves behind."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from digits.base.errors import UserError
from digits.tracking import mending


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / mending.NOTES
    path.parent.mkdir(parents=True)
    return path


def entries(notes: Path) -> set[int]:
    """The numbers of the processes that the notes name."""
    found = json.loads(notes.read_text())
    read = [entry for several in found["read"].values() for entry in several]
    return {entry["pid"] for entry in [*found["write"].values(), *read]}


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff", b"[]", b'{"write": {"out": 1}}'])
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


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[dict[str, tuple[int, str]]]:
    """What DVC may have noted: the number of a process and its arguments, by what it is."""
    script, module = tmp_path / "dvc", tmp_path / "tool" / "__main__.py"
    module.parent.mkdir()
    for path in (script, module):
        path.write_text("print(flush=True)\ninput()\n")
    commands = {
        "script": [sys.executable, str(script), "repro"],
        "module": [sys.executable, "-m", "tool", "repro"],
        "foreign": ["sh", "-c", "echo; read x", "repro"],
        "zombie": ["true"],
    }
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(
                subprocess.Popen(
                    command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            for name, command in commands.items()
        }
        for process in started.values():
            assert process.stdout is not None
            process.stdout.readline()  # it runs, or has ended
        dead = subprocess.Popen(["true"])
        dead.wait()
        pids = {name: process.pid for name, process in started.items()}
        pids |= {"dead": dead.pid, "itself": os.getpid()}
        noted = {"module": f"{module} repro"}
        yield {name: (pid, noted.get(name, f"{script} repro")) for name, pid in pids.items()}


@pytest.mark.parametrize("mode", ["write", "read"])
def test_of_whole_notes_only_those_of_living_processes_stay(
    notes: Path, tmp_path: Path, processes: dict[str, tuple[int, str]], mode: str
) -> None:
    noted = {name: {"pid": pid, "cmd": cmd} for name, (pid, cmd) in processes.items()}
    if mode == "write":
        notes.write_text(json.dumps({"write": noted}))
    else:
        notes.write_text(json.dumps({"read": {"data": list(noted.values())}}))
    said = mending.mend(tmp_path)
    assert "what a killed DVC, process " in said
    assert len(said.splitlines()) == 1
    assert entries(notes) == {processes["script"][0], processes["module"][0]}
    assert mending.mend(tmp_path) == ""


LOCK = """schema: '2.0'
stages:
  first:
    cmd: echo ä
    outs:
    - path: out
      md5: 37437919a
  second:
    cmd: echo
    outs:
    - path: out2
      md5: 37437919a
"""


@pytest.mark.parametrize(
    ("size", "left"),
    [
        (0, None),
        (12, None),
        (LOCK.index("  second") - 3, None),
        (LOCK.index("  second") + 5, LOCK[: LOCK.index("  second")]),
        (len(LOCK) - 2, LOCK[: LOCK.index("  second")]),
        (len(LOCK), LOCK),
    ],
)
def test_the_entry_that_was_cut_leaves_dvc_lock(
    tmp_path: Path, size: int, left: str | None
) -> None:
    path = tmp_path / "dvc.lock"
    path.write_text(LOCK[:size])
    said = mending.mend(tmp_path)
    assert ("written in part" in said) == (size < len(LOCK))
    assert (path.read_text() if path.exists() else None) == left


def test_what_was_copied_to_the_cache_in_part_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / mending.CACHE / "38"
    folder.mkdir(parents=True)
    (folder / ".a.tmp").touch()
    (folder / "cb1e").touch()
    assert mending.clear_cache(tmp_path).endswith(": 1")
    assert [path.name for path in folder.iterdir()] == ["cb1e"]
    assert mending.clear_cache(tmp_path) == ""
