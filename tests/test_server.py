"""The pipeline against a team's MLflow server: that of compose.yaml, on a real PostgreSQL.

Here it runs without Docker: the same command, environment and health check, with other
addresses. `make test-server` runs these tests; `make test` needs nothing but Python.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import optuna
import pytest
from mlflow.entities import Run
from ruamel.yaml import YAML

from digits.base import yaml12
from digits.data.splits import Split
from tests.small_project import (
    BIN,
    LIMIT,
    MODELS,
    PIPELINE,
    ROOT,
    STAGES,
    TRAIN_IMAGES,
    Command,
    postgres_folder,
    ran,
    runs_of,
    wait_for,
)

pytestmark = pytest.mark.server

PASSWORD = "p@ss/word: 100% ?&'s"  # noqa: S105
RATES = ("0.01", "0.02", "0.03")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Start PostgreSQL with an empty database: host and port. As it refuses root, not as root."""
    tools, port = postgres_folder(), free_port()
    assert tools, "PostgreSQL is missing: `make test-server` installs it"
    account: dict[str, Any] = {}
    # pytest's own temporary folders are closed to other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            account = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(folder, "postgres", "postgres")
        (folder / "password").write_text(PASSWORD)

        def call(tool: str, *arguments: str) -> None:
            command = [tools / tool, *arguments]
            environment = os.environ | {"PGPASSWORD": PASSWORD}
            with (folder / "calls").open("a") as log:
                subprocess.run(
                    command, cwd=folder, env=environment, stdout=log, check=True, **account
                )

        secret = ("--auth=scram-sha-256", "--pwfile=password")
        call("initdb", "--pgdata=data", "--username=mlflow", *secret)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        call("pg_ctl", "start", "--pgdata=data", "--log=log", f"--options={options}")
        try:
            account_of = ("--host=127.0.0.1", f"--port={port}", "--username=mlflow")
            for each in ("mlflow", "sweeps"):
                call("createdb", *account_of, each)
            yield f"127.0.0.1:{port}"
        finally:
            call("pg_ctl", "stop", "--pgdata=data", "--mode=fast")


@pytest.fixture(scope="module")
def server(
    database: str, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """MLflow's server as compose.yaml starts it: its URI."""
    service = YAML().load(ROOT / "compose.yaml")["services"]["mlflow"]
    folder, port = tmp_path_factory.mktemp("server"), str(free_port())
    composed = {key: value for key, value in service["environment"].items() if value is not None}
    settings = composed | {
        "MLFLOW_BACKEND_STORE_URI": composed["MLFLOW_BACKEND_STORE_URI"].replace(
            "@postgres/", f"@{database}/"
        ),
        "PGPASSWORD": PASSWORD,
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
        "MLFLOW_HOST": "127.0.0.1",
        "MLFLOW_PORT": port,
    }
    health_check = [part.replace("5000", port) for part in service["healthcheck"]["test"][1:]]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            service["command"],
            cwd=folder,
            env=environment | settings,
            stdout=log,
            stderr=log,
            start_new_session=True,  # its workers end with it
        )

    def is_healthy() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        done = subprocess.run(health_check, env=environment, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    try:
        wait_for(is_healthy)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=LIMIT)


@pytest.fixture(scope="module")
def project(
    server: str, new_project: Callable[[], Path], run: Command, run_queue: Callable[..., None]
) -> Path:
    """The pipeline run once against the server; then three experiments at a time."""
    folder, env = new_project(), {"MLFLOW_TRACKING_URI": server}
    assert ran(run(folder, "dvc", "repro", env=env)) == STAGES.split()
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--message", "Results")
    for rate in RATES:
        setting = f"train.mlp.learning_rate={rate}"
        run(folder, "dvc", "exp", "run", "--queue", "-n", f"rate-{rate}", "-S", setting)
    run_queue(folder, jobs=len(RATES), env=env)
    return folder


@pytest.fixture(scope="module")
def runs(server: str, project: Path) -> dict[str, list[Run]]:
    return runs_of(mlflow.MlflowClient(server))


class TestPipeline:
    def test_every_trained_model_has_one_finished_run(self, runs: dict[str, list[Run]]) -> None:
        trained = [(run.info.run_name, run.data.tags.get("dvc.experiment")) for run in runs[MODELS]]
        expected = [("cnn", None), ("mlp", None), *(("mlp", f"rate-{rate}") for rate in RATES)]
        assert sorted(trained, key=str) == sorted(expected, key=str)
        assert {run.info.status for run in runs[MODELS]} == {"FINISHED"}
        assert len({run.data.tags["model.md5"] for run in runs[MODELS]}) == len(expected)
        rates = {run.data.params["learning_rate"] for run in runs[MODELS]}
        assert rates >= set(RATES)

    def test_every_other_stage_has_one_too(self, runs: dict[str, list[Run]]) -> None:
        once = ["download", "validate", "preprocess", "evaluate-cnn"]
        each = ["evaluate-mlp", "compare", "card"] * (1 + len(RATES))
        assert sorted(run.info.run_name for run in runs[PIPELINE]) == sorted(once + each)
        assert {run.info.status for run in runs[PIPELINE]} == {"FINISHED"}

    def test_no_run_is_elsewhere(self, runs: dict[str, list[Run]], project: Path) -> None:
        assert runs.keys() == {MODELS, PIPELINE, "Default"}
        assert runs["Default"] == []
        assert [path for name in ("mlflow.db", "mlruns") for path in project.rglob(name)] == []

    def test_nothing_is_left_to_register(self, server: str, project: Path, run: Command) -> None:
        done = run(
            project, "digits", "sync", "--all-experiments", env={"MLFLOW_TRACKING_URI": server}
        )
        assert done.stdout == "nothing to register\n"

    def test_the_models_load_through_the_server(
        self,
        server: str,
        runs: dict[str, list[Run]],
        handwriting: Split,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it: restored at the end
        mlflow.set_tracking_uri(server)
        for run in runs[MODELS]:
            assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
            model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/{run.info.run_name}")
            answers = np.argmax(model.predict(handwriting.images[TRAIN_IMAGES:]), axis=1)
            accuracy = (answers == handwriting.labels[TRAIN_IMAGES:]).mean()
            assert run.data.metrics["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_the_first_runs_of_several_machines_do_not_collide(
    server: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """Each has its own checkout, so that no lock on a file keeps them apart."""
    code = """
import sys
from digits.tracking import runs, store
sys.stdin.readline()
runs.open_run(store.connect("first-runs"), "stage", {}).end("FINISHED")
"""
    processes = []
    for number in range(4):
        (checkout := tmp_path / str(number)).mkdir()
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=checkout,
                env=environment | {"MLFLOW_TRACKING_URI": server, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    found = runs_of(mlflow.MlflowClient(server))
    assert len(found["first-runs"]) == 4
    assert {run.info.status for run in found["first-runs"]} == {"FINISHED"}
    assert found["Default"] == []


SPACE = """
trial:
  train.mlp.epochs: 9
space:
  train.mlp.learning_rate: {low: 0.0001, high: 0.5, log: true}
  train.mlp.batch_size: {low: 32, high: 256, step: 32}
"""
TRIALS = 20


@pytest.fixture(scope="module")
def ended(
    server: str, database: str, project: Path, environment: dict[str, str]
) -> tuple[str, optuna.Study]:
    """What the sweep printed, and its study."""
    (project / "rates.yaml").write_text(SPACE)
    storage = f"postgresql+psycopg2://mlflow@{database}/sweeps"
    options = ["--trials", str(TRIALS), "--jobs", "2", "--storage", storage]
    process = subprocess.Popen(
        [BIN / "digits", "sweep", "rates.yaml", "--model", "mlp", *options],
        cwd=project,
        env=environment | {"MLFLOW_TRACKING_URI": server, "PGPASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        text=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", PASSWORD)

        loaded: list[optuna.Study] = []

        def has_killed() -> bool:
            assert process.poll() is None
            try:
                if not loaded:
                    loaded.append(optuna.load_study(study_name="rates-mlp", storage=storage))
            except Exception:  # its tables are being made
                return False
            trials = loaded[0].trials
            working = [t for t in trials if t.state.name == "RUNNING" and t.params]
            if len(trials) < 5 or not working or "process" not in working[0].user_attrs:
                return False
            os.kill(int(working[0].user_attrs["process"].split(":")[0]), signal.SIGKILL)
            return True

        wait_for(has_killed, interval=0.5)
        printed, _ = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, printed
        return printed, loaded[0]


class TestSweep:
    """20 trials, two at a time, whose study and runs are on the servers; a worker is killed."""

    def test_every_trial_ended_and_the_killed_one_was_retried(
        self, ended: tuple[str, optuna.Study]
    ) -> None:
        trials = ended[1].trials
        states = [trial.state.name for trial in trials]
        assert {*states} == {"COMPLETE", "PRUNED", "FAIL"}
        # Two workers that begin at the same moment may add one.
        assert TRIALS <= states.count("COMPLETE") + states.count("PRUNED") <= TRIALS + 1
        failed = [trial for trial in trials if trial.state.name == "FAIL"]
        for trial in failed:
            (again,) = [t for t in trials if t.system_attrs.get("failed_trial") == trial.number]
            assert again.params == trial.params
            assert again.state.name in ("COMPLETE", "PRUNED")

    def test_pruned_trials_cost_less(self, ended: tuple[str, optuna.Study]) -> None:
        pruned = [trial for trial in ended[1].trials if trial.state.name == "PRUNED"]
        assert min(len(trial.intermediate_values) for trial in pruned) < 9

    def test_each_trial_has_a_run_in_that_of_the_sweep(
        self, ended: tuple[str, optuna.Study], server: str
    ) -> None:
        client, study = mlflow.MlflowClient(server), ended[1]
        runs = {run.info.run_id: run for run in runs_of(client)["digits-sweeps"]}
        parent = runs.pop(study.user_attrs["run"])
        assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {
            parent.info.run_id
        }
        assert {run.data.tags["sweep"] for run in runs.values()} == {"rates-mlp"}
        assert runs.keys() == {t.user_attrs["run"] for t in study.trials if "run" in t.user_attrs}
        states = {trial.user_attrs.get("run"): trial.state.name for trial in study.trials}
        for run_id, run in runs.items():
            assert run.info.status == ("KILLED" if states[run_id] == "FAIL" else "FINISHED")
        artifacts = {file.path for file in client.list_artifacts(parent.info.run_id)}
        assert artifacts == {"index.html", "history.png", "importances.png", "coordinates.png"}

    def test_the_best_became_an_experiment_that_names_its_trial(
        self, ended: tuple[str, optuna.Study], server: str, project: Path, run: Command
    ) -> None:
        study, client = ended[1], mlflow.MlflowClient(server)
        best = study.best_trial
        name = f"rates-mlp-{best.number}"
        shown = run(
            project, "digits", "experiments", "--json", env={"MLFLOW_TRACKING_URI": server}
        ).stdout
        (row,) = [row for row in json.loads(shown) if row["experiment"] == name]
        assert row["model"] == "mlp"
        assert row["sweep"] == f"rates-mlp {best.number}"
        # A value that is the recipe's own is not shown; a rate is rounded to four digits.
        values = yaml12.flatten(yaml12.read(project / "params.yaml")) | row["params"]
        assert values["train.mlp.batch_size"] == best.params["train.mlp.batch_size"]
        rate = best.params["train.mlp.learning_rate"]
        assert values["train.mlp.learning_rate"] == pytest.approx(rate, rel=1e-3)
        assert "train.mlp.epochs" not in row["params"]  # the whole recipe
        tags = client.get_run(row["run"]).data.tags
        assert tags["sweep.run"] == best.user_attrs["run"]
        of_trial = client.get_run(best.user_attrs["run"]).data.tags
        assert of_trial["dvc.experiment"] == name
        assert of_trial["sweep.model_run"] == row["run"]
        assert "a trial leaves out: epochs = 9 instead of 2" in ended[0]
