"""A store that fails: in mid-stage it costs no output and `digits sync` makes up for it."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import psutil
import pytest
from mlflow.entities import Run

from tests.pipeline.content import is_timing
from tests.small_project import LIMIT, PIPELINE, ROOT, Command, runs, store, wait_for

pytestmark = pytest.mark.slow
LATEST = 60  # seconds after its own work for a stage to end, whatever the store does
FILE_BYTES = 8192  # that a process may write to a file where the disk is to be full
Fault = Callable[["Place"], AbstractContextManager[None]]

STAGE = """
import time
from pathlib import Path
from digits.base import files
from digits.tracking import stages
from stages import runner

def main(params):
    with stages.stage_run("compare", params.compare.flat()):
        Path("opened").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        files.write_json(Path("reports/compare/metrics.json"), {"cnn": {"difference": 0.5}})

runner.run(main, "compare")
"""
PIPELINE_OF_ONE = """
stages:
  compare:
    cmd: python3 gated.py
    params: [compare]
    outs: [reports/compare/metrics.json: {cache: false}]
"""


class Place:
    """A repository with a pipeline of one stage, which waits in the middle for a sign."""

    def __init__(self, folder: Path, run: Command) -> None:
        self.folder, self.run = folder, run
        self.env = {"PYTHONPATH": str(ROOT)}
        (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        (folder / "gated.py").write_text(STAGE)
        (folder / "dvc.yaml").write_text(PIPELINE_OF_ONE)
        for command in ("git init", "dvc init", "git add .", "git commit --message Begin"):
            names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER")
                     for what in ("NAME", "EMAIL")}  # fmt: skip
            run(folder, *command.split(), env=names)

    def repro(self, environment: dict[str, str], fault: Fault) -> tuple[str, float]:
        """Run the stage, with a fault from its middle on: what it said, and its last seconds."""
        process = subprocess.Popen(
            ["dvc", "repro"], cwd=self.folder, env=environment | self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        wait_for((self.folder / "opened").exists)
        with fault(self):
            (self.folder / "go").touch()
            started = time.monotonic()
            said, _ = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, said
        return said, time.monotonic() - started

    def finished(self) -> list[Run]:
        found = runs(self.folder)[PIPELINE]
        return [run for run in found if run.info.status == "FINISHED"]

    def contents(self) -> list[tuple[object, ...]]:
        """What the finished runs say, but for what is of the machine and the moment."""
        client = store(self.folder)
        return [
            (
                {key: value for key, value in run.data.metrics.items() if not is_timing(key)},
                run.data.params,
                run.data.tags["content"],
                [(file.path, file.file_size) for file in client.list_artifacts(run.info.run_id)],
            )
            for run in self.finished()
        ]


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
    (line,) = [line for line in said.splitlines() if "MLflow" in line]
    assert line.startswith("compare: MLflow lacks some of this run: ")
    assert reason in line
    assert line.endswith("once its store works again, `digits sync` adds what is missing")
    assert "Traceback" not in said
    assert seconds < LATEST
    report = Path("reports/compare/metrics.json")
    assert (troubled.folder / report).read_text() == (calm.folder / report).read_text()
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
