"""Stages as processes that share a store, and that end in every way."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import psutil
import pytest

from digits.tracking import store
from tests.digits.tracking.conftest import Enter, all_runs, ended
from tests.small_project import LIMIT

ROOT = Path(__file__).parents[3]


class TestProcesses:
    """Stages as processes, which say READY with their run's id and wait for a line."""

    SCRIPT = """
import sys
from digits.base import files
from digits.tracking import runs, stages
from pathlib import Path
from stages import runner

open_run, opened = runs.open_run, []
runs.open_run = lambda *arguments: opened.append(open_run(*arguments)) or opened[0]

def main(params):
    with stages.stage_run("compare", {}):
        print(opened[0].run_id, flush=True)
        sys.stdin.readline()
        files.write_json(Path(f"reports/compare/{id(runs)}.json"), {})
        Path("reports/compare/metrics.json").write_text("{}")

runner.run(main, "data")
"""

    @pytest.fixture
    def start(
        self, tmp_path: Path, clean_environment: dict[str, str]
    ) -> Iterator[Callable[[], subprocess.Popen[str]]]:
        shutil.copy(ROOT / "params.yaml", tmp_path)
        started: list[subprocess.Popen[str]] = []

        def start() -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", self.SCRIPT],
                cwd=tmp_path,
                env=clean_environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A test suite in the background of a shell ignores SIGINT, and so would these.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            started.append(process)
            return process

        yield start
        for process in started:
            process.kill()
            process.communicate()

    @staticmethod
    def run_of(process: subprocess.Popen[str]) -> str:
        """Wait for the id of the process's run."""
        assert process.stdout is not None
        return process.stdout.readline().strip()

    @staticmethod
    def status(folder: Path, run_id: str) -> str:
        return mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").get_run(run_id).info.status

    @pytest.mark.slow
    def test_eight_that_start_at_once_lose_nothing(
        self, tmp_path: Path, start: Callable[[], subprocess.Popen[str]]
    ) -> None:
        processes = [start() for _ in range(8)]
        outputs = [process.communicate("\n", timeout=LIMIT) for process in processes]
        assert [stderr for _, stderr in outputs] == [""] * 8  # nor does MLflow chatter
        found = all_runs(tmp_path)
        assert found["Default"] == []
        assert {run.info.status for run in found[store.PIPELINE]} == {"FINISHED"}
        ids = sorted(stdout.strip() for stdout, _ in outputs)
        assert sorted(run.info.run_id for run in found[store.PIPELINE]) == ids

    @pytest.mark.parametrize(
        "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
    )
    def test_one_that_is_stopped_leaves_a_killed_run(
        self, tmp_path: Path, start: Callable[[], subprocess.Popen[str]], number: signal.Signals
    ) -> None:
        process = start()
        run_id = self.run_of(process)
        process.send_signal(number)
        process.communicate(timeout=LIMIT)
        assert process.returncode == 128 + number
        assert self.status(tmp_path, run_id) == "KILLED"

    @pytest.mark.slow
    def test_the_next_marks_the_run_of_one_that_was_killed(
        self,
        tmp_path: Path,
        start: Callable[[], subprocess.Popen[str]],
        enter: Enter,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        killed, alive, zombie = start(), start(), start()
        ids = [self.run_of(process) for process in (killed, alive, zombie)]
        killed.kill()
        killed.wait(timeout=LIMIT)
        zombie.kill()  # and not waited for, as where nobody reaps the dead
        while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert {self.status(tmp_path, run_id) for run_id in ids} == {"RUNNING"}
        enter(tmp_path)
        ended()
        statuses = [self.status(tmp_path, run_id) for run_id in ids]
        assert statuses == ["KILLED", "RUNNING", "KILLED"]
        printed = capsys.readouterr().out
        assert f"marked as killed: MLflow run {ids[0]}, its process is gone" in printed
        alive.communicate("\n", timeout=LIMIT)
        assert self.status(tmp_path, ids[1]) == "FINISHED"
