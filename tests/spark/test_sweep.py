"""`digits sweep` on a cluster: each worker trains trials of one study."""

import subprocess
from pathlib import Path

import mlflow
import optuna
import pytest

from digits.spark import cluster as clusters
from digits.sweeping import record, study
from tests.digits.sweeping.conftest import workspace  # noqa: F401, a fixture
from tests.small_project import BIN, LIMIT

pytestmark = pytest.mark.spark


def test_its_trials_are_those_of_one_study(
    cluster: clusters.Cluster,
    workspace: Path,  # noqa: F811
) -> None:
    command = ["sweep", "rates.yaml", "--model", "mlp", "--trials", "5", "--jobs", "2"]
    done = subprocess.run(
        [BIN / "digits", *command, "--no-experiment", "--engine", cluster.url],
        cwd=workspace,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert "the best is trial" in done.stdout, done.stderr
    trials = optuna.load_study(study_name="rates-mlp", storage=study.default_url()).trials
    assert 5 <= sum(trial.state in study.ENDED for trial in trials) <= 6
    client = mlflow.MlflowClient(f"sqlite:///{workspace / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(record.EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == len(trials) + 1
    assert {run.info.status for run in runs} == {"FINISHED"}
