"""Workspaces with real SQLite stores, and runs in them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run as StoredRun

from digits.tracking import provenance, runs, store

Enter = Callable[[Path], Path]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace for the tests that leave its store usable; to make one takes a second."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Enter]:
    """Make a folder the main workspace."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.setenv(name, "")  # MLflow sets its own: restored at the end
    for name in ("DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", *store.PATIENCE):
        monkeypatch.delenv(name, raising=False)

    def go(folder: Path) -> Path:
        monkeypatch.setenv("DVC_ROOT", str(folder))
        monkeypatch.chdir(folder)
        return folder

    yield go
    mlflow.set_tracking_uri("")


@pytest.fixture
def workspace(shared: Path, enter: Enter) -> Path:
    return enter(shared)


def stored(run: runs.Run) -> StoredRun:
    return mlflow.MlflowClient().get_run(run.run_id)


def all_runs(folder: Path) -> dict[str, list[StoredRun]]:
    """Every run of the workspace's store, by the name of its experiment."""
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = client.search_experiments()
    return {e.name: client.search_runs([e.experiment_id]) for e in experiments}


def opened(name: str = "a-stage", experiment: str = store.PIPELINE) -> runs.Run:
    """A run that is still RUNNING, of this process."""
    return runs.open_run(store.connect(experiment), name, provenance.tags(name))


def ended(name: str = "a-stage", experiment: str = store.PIPELINE) -> runs.Run:
    run = opened(name, experiment)
    run.end("FINISHED")
    return run
