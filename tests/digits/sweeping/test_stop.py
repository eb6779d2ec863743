"""A sweep that is ended in its middle goes on, and loses no trial."""

import os
import signal
import subprocess
import time
from pathlib import Path

import mlflow
import optuna
import pytest

from digits.sweeping import record, study
from tests.small_project import BIN, LIMIT

pytestmark = pytest.mark.slow

TRIALS = 6


def sweep(workspace: Path) -> subprocess.Popen:
    command = ["sweep", "rates.yaml", "--model", "mlp", "--trials", str(TRIALS), "--jobs", "2"]
    return subprocess.Popen(
        [BIN / "digits", *command, "--no-experiment"],
        cwd=workspace,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C reaches the workers too
    )


def trials() -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="rates-mlp", storage=study.default_url()).trials


def states() -> list[str]:
    return [trial.state.name for trial in trials()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_the_same_command_goes_on(workspace: Path, number: signal.Signals) -> None:
    process, deadline = sweep(workspace), time.monotonic() + LIMIT
    while True:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        if (workspace / study.FILE).exists():
            time.sleep(0.2)
            try:
                now = states()
            except Exception:  # noqa: S112, its tables are being made
                continue
            if {"COMPLETE", "PRUNED"} & {*now} and "RUNNING" in now and len(now) < TRIALS:
                break
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=LIMIT)
        assert errors.splitlines()[-1] == (
            "digits: the sweep was stopped: the same command goes on"
        )
        assert process.returncode == 1
    else:
        process.kill()
        process.communicate(timeout=LIMIT)
    printed, errors = sweep(workspace).communicate(timeout=LIMIT)
    ended = [trial for trial in trials() if trial.state in study.ENDED]
    assert len(ended) in (TRIALS, TRIALS + 1), errors  # two may begin a last one at once
    assert "the best is trial" in printed, errors
    # Where two were stopped near the end, enough may have ended before the second is tried again.
    kept = ended + [trial for trial in trials() if trial.state.name == "WAITING"]
    for failed in (trial for trial in trials() if trial.state.name == "FAIL"):
        assert [trial for trial in kept if trial.params == failed.params] or not failed.params
    client = mlflow.MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(record.EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if record.PARENT not in run.data.tags]
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert "RUNNING" not in {run.info.status for run in runs}
    assert (workspace / "build/sweeps/rates-mlp/index.html").exists()
