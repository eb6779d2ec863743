"""A run that `digits sync` makes anew has what the live stage logged: the whole pipeline's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run

from tests import small_project
from tests.pipeline.content import is_timing
from tests.small_project import Command

# What a process was, which another process cannot have been.
OF_THE_PROCESS = {"host", "process", "command", "restored", "git.commit", "git.dirty"}
OF_MLFLOW = {"mlflow.source.git.commit", "mlflow.source.name", "mlflow.source.type", "mlflow.user"}


def files_below(client: mlflow.MlflowClient, run: Run, folder: str = "") -> set[str]:
    found: set[str] = set()
    for file in client.list_artifacts(run.info.run_id, folder or None):
        found |= files_below(client, run, file.path) if file.is_dir else {file.path}
    return found


def content(client: mlflow.MlflowClient, run: Run) -> dict[str, Any]:
    """All that a run holds but for times, ids and the process that logged it."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    history = {
        key: {m.step: m.value for m in client.get_metric_history(run.info.run_id, key)}
        for key in run.data.metrics
        if not is_timing(key)
    }
    ignored = OF_THE_PROCESS | OF_MLFLOW
    models = run.outputs.model_outputs if run.outputs else []
    return {
        "status": run.info.status,
        "params": run.data.params,
        "metrics": history,
        "tags": {key: value for key, value in run.data.tags.items() if key not in ignored},
        "artifacts": files_below(client, run),
        "models": [client.get_logged_model(model.model_id).name for model in models],
        "inputs": {
            (one.tags[0].value, one.dataset.name, one.dataset.digest, one.dataset.source)
            for one in inputs
        },
    }


def contents(folder: Path) -> dict[str, dict[str, Any]]:
    """The content of each run of a store, by experiment and name."""
    client = small_project.store(folder)
    return {
        f"{experiment}/{run.info.run_name}": content(client, run)
        for experiment, found in small_project.runs(folder).items()
        for run in found
    }


@pytest.mark.slow
def test_restored_runs_equal_the_live_ones(
    repo: Path, copy: Callable[[], Path], run: Command
) -> None:
    live, restored = contents(repo), copy()
    run(restored, "python3", "-m", "digits.cli", "sync")
    made = contents(restored)
    assert run(restored, "python3", "-m", "digits.cli", "sync").stdout == "nothing to register\n"
    assert made.keys() == live.keys()
    assert len(made) == 9  # every stage but `params`, which measures nothing
    for name, expected in live.items():
        assert made[name] == expected, name
        assert expected["metrics"] or name.endswith("card"), name
