"""kill -9 of the whole pipeline at random moments: the next start goes on, and nothing is lost."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import mlflow
import psutil
import pytest
from mlflow.entities import Run

from tests.drills.shortened import MODEL, STAGES, TRAINING, shortened
from tests.pipeline.content import is_timing
from tests.small_project import LIMIT, outputs, runs, store

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("KILLS", "100"))
LANES = 2  # projects that are killed side by side
TRAININGS = -(-KILLS // 10)  # kills of a training beside them, each of which takes much longer


@dataclass
class Lane:
    """A project that is killed again and again, and what an undisturbed one wrote.

    Attributes:
        kills: of the stages before the training.
        trainings: kills of the training.
        moments: at which to kill.
    """

    folder: Path
    environment: dict[str, str]
    kills: int
    trainings: int
    moments: random.Random

    def hold(self) -> None:
        """Kill what comes before the training, then the training."""
        self.survive(self.kills, ["preprocess"], forget)
        if self.trainings:
            self.survive(self.trainings, ["--force", "--single-item", TRAINING], lambda _: None)
            assert (self.folder / "models" / MODEL / "model.onnx").exists()

    def survive(self, kills: int, target: list[str], begin: Callable[[Path], None]) -> None:
        """Kill `dvc repro` so many times, then let it end, and look at all that it left."""
        duration = self.run_to_its_end(target)
        undisturbed = outputs(self.folder)
        contents = {run.info.run_name: content(self.folder, run) for run in finished(self.folder)}
        assert contents.keys() >= set(STAGES) - {"params"}
        begin(self.folder)
        while kills:
            took = self.start(target, self.moments.uniform(0, duration))
            kills -= took is None
            if took is not None:  # it was over before the kill: once more from the beginning
                duration = min(duration, took)
                assert outputs(self.folder) == undisturbed
                begin(self.folder)
        self.run_to_its_end(target)

        assert outputs(self.folder) == undisturbed
        names = [path.name for path in self.folder.rglob("*") if ".venv" not in path.parts]
        assert [name for name in names if "partial" in name or name.endswith("-journal")] == []
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        statuses = {run.info.status for found in runs(self.folder).values() for run in found}
        assert statuses <= {"FINISHED", "KILLED"}
        for run in finished(self.folder):
            assert content(self.folder, run) == contents[run.info.run_name]

    def start(self, target: list[str], moment: float) -> float | None:
        """Start `dvc repro`, and kill all of it after `moment` seconds.

        Returns:
            How many seconds it took, where it was faster; None: it was killed.
        """
        options = {"cwd": self.folder, "env": self.environment, "text": True}
        with (self.folder.parent / f"{self.folder.name}.log").open("w+") as log:
            started = time.monotonic()
            process = subprocess.Popen(
                ["dvc", "repro", *target], stdout=log, stderr=log, start_new_session=True, **options
            )
            try:
                code = process.wait(moment)
            except subprocess.TimeoutExpired:
                group = [each for each in psutil.process_iter() if is_of(process.pid, each.pid)]
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(LIMIT)
                psutil.wait_procs(group, LIMIT)
                return None
            took = time.monotonic() - started
            log.seek(0)
            said = log.read()
        if code == 0:
            return took
        assert "Traceback" not in said
        # What DVC stumbles over, and docs/troubleshooting.md has lines of.
        mended = subprocess.run(["digits", "mend"], capture_output=True, check=True, **options)
        assert mended.stderr.startswith("removed "), said
        return self.start(target, moment)

    def run_to_its_end(self, target: list[str]) -> float:
        took = self.start(target, LIMIT)
        assert took is not None
        return took


def test_a_pipeline_killed_at_any_moment_goes_on(
    new_project: Callable[[], Path], environment: dict[str, str]
) -> None:
    lanes = [
        Lane(
            shortened(new_project()),
            environment,
            kills=(KILLS + lane) // LANES,
            trainings=0 if lane else TRAININGS,
            moments=random.Random(lane),  # noqa: S311
        )
        for lane in range(LANES)
    ]
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(Lane.hold, lanes))


def is_of(group: int, pid: int) -> bool:
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def forget(folder: Path) -> None:
    """Forget all that was made but the store."""
    for path in ("data", "reports", ".dvc/cache", "dvc.lock"):
        if (folder / path).is_dir():
            shutil.rmtree(folder / path)
        else:
            (folder / path).unlink(missing_ok=True)


def finished(folder: Path) -> list[Run]:
    found = [run for several in runs(folder).values() for run in several]
    return [run for run in found if run.info.status == "FINISHED"]


def content(folder: Path, found: Run) -> tuple[object, ...]:
    """What a run says, but for what is of the machine and the moment."""
    client: mlflow.MlflowClient = store(folder)
    metrics = {key: value for key, value in found.data.metrics.items() if not is_timing(key)}
    files = [(file.path, file.file_size) for file in client.list_artifacts(found.info.run_id)]
    data = sorted(each.dataset.digest for each in found.inputs.dataset_inputs)
    return metrics, found.data.params, found.data.tags["content"], files, data
