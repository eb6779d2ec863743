"""A repository with a pipeline of one stage, which waits in the middle for a sign."""

import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import mlflow
from mlflow.entities import Run

from tests.pipeline.content import is_timing
from tests.small_project import LIMIT, PIPELINE, ROOT, Command, runs_of, wait_for

LATEST = 60  # seconds after its own work for a stage to end, whatever the store does
REPORT = Path("reports/compare/metrics.json")
LACKS = "compare: MLflow lacks some of this run: "
CURE = "once its store works again, `digits sync` adds what is missing"
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
    """The repository, and a store: its own, or that of a server."""

    def __init__(self, folder: Path, run: Command, server: str = "") -> None:
        self.folder, self.run = folder, run
        self.env = {"PYTHONPATH": str(ROOT)}
        if server:
            self.env["MLFLOW_TRACKING_URI"] = server
        self.uri = server or f"sqlite:///{folder / 'mlflow.db'}"
        (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        (folder / "gated.py").write_text(STAGE)
        (folder / "dvc.yaml").write_text(PIPELINE_OF_ONE)
        for command in ("git init", "dvc init", "git add .", "git commit --message Begin"):
            names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER")
                     for what in ("NAME", "EMAIL")}  # fmt: skip
            run(folder, *command.split(), env=names)

    def repro(self, environment: dict[str, str], fault: Fault) -> tuple[str, float]:
        """Run the stage, with a fault from its middle on: what it said, and its last seconds."""
        for sign in ("opened", "go"):
            (self.folder / sign).unlink(missing_ok=True)
        process = subprocess.Popen(
            ["dvc", "repro", "--force"], cwd=self.folder, env=environment | self.env, text=True,
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
        found = runs_of(mlflow.MlflowClient(self.uri))[PIPELINE]
        return [run for run in found if run.info.status == "FINISHED"]

    def contents(self) -> list[tuple[object, ...]]:
        """What the finished runs say, but for what is of the machine and the moment."""
        client = mlflow.MlflowClient(self.uri)
        return [
            (
                {key: value for key, value in run.data.metrics.items() if not is_timing(key)},
                run.data.params,
                run.data.tags["content"],
                [(file.path, file.file_size) for file in client.list_artifacts(run.info.run_id)],
            )
            for run in self.finished()
        ]


def line_of(said: str) -> str:
    """The one line in which a stage says that its run lacks something."""
    (line,) = [line for line in said.splitlines() if "MLflow" in line]
    assert line.startswith(LACKS)
    assert line.endswith(CURE)
    assert "Traceback" not in said
    return line
