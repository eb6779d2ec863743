"""A store that fails: in mid-stage it costs no output and `digits sync` makes up for it."""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import psutil
import pytest

from tests.drills.gated import LATEST, REPORT, Fault, Place, line_of
from tests.small_project import Command

pytestmark = pytest.mark.slow
FILE_BYTES = 8192  # that a process may write to a file where the disk is to be full


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory, run: Command) -> Callable[[], Place]:
    return lambda: Place(tmp_path_factory.mktemp("place"), run)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    with closing(sqlite3.connect(place.folder / "mlflow.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def full(place: Place) -> Iterator[None]:
    for process in psutil.process_iter(["cmdline"]):
        if "gated.py" in (process.info["cmdline"] or [])[-1:] and is_in(process, place.folder):
            process.rlimit(psutil.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    yield


def is_in(process: psutil.Process, folder: Path) -> bool:
    return Path(process.cwd()) == folder


@pytest.mark.parametrize(
    ("fault", "reason"), [(locked, "database is locked"), (full, "disk I/O error")]
)
def test_a_fault_in_mid_stage_costs_the_run_alone(
    place: Callable[[], Place], environment: dict[str, str], fault: Fault, reason: str
) -> None:
    calm, troubled = place(), place()
    calm.repro(environment, lambda _: nullcontext())
    said, seconds = troubled.repro(environment, fault)
    assert reason in line_of(said)
    assert seconds < LATEST
    assert (troubled.folder / REPORT).read_text() == (calm.folder / REPORT).read_text()
    assert troubled.contents() == []
    synced = troubled.run(troubled.folder, "digits", "sync", env=troubled.env)
    assert "compare" in synced.stdout
    assert troubled.contents() == calm.contents() != []


def test_a_full_disk_at_the_start_ends_the_stage_at_once(
    place: Callable[[], Place], environment: dict[str, str]
) -> None:
    troubled = place()
    troubled.repro(environment, lambda _: nullcontext())
    code = "import resource, runpy\nfrom digits.tracking import store\n"
    code += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({FILE_BYTES}, {FILE_BYTES}))\n"
    code += "runpy.run_path('gated.py', run_name='__main__')"
    started = time.monotonic()
    command = (sys.executable, "-c", code)
    done = troubled.run(troubled.folder, *command, code=1, env=troubled.env)
    assert time.monotonic() - started < LATEST
    (line,) = done.stderr.splitlines()
    assert line.startswith("compare: MLflow's store ")
    assert line.endswith("look at its disk, or change MLFLOW_TRACKING_URI")
