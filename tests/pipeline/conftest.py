"""Loads the models of the pipeline's runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run


@pytest.fixture
def load_model(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Run], Any]:
    """Load the model of a run by MLflow's generic interface."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it: restored at the end

    def load(folder: Path, model_run: Run) -> Any:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        return mlflow.pyfunc.load_model(f"runs:/{model_run.info.run_id}/{model_run.info.run_name}")

    return load
