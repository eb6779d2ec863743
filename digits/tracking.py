"""MLflow: where the store is, one run for each stage, and what a run says.

The store is MLflow's own default at the root of the main workspace, mlflow.db and
mlruns/, so that a bare `mlflow ui` shows it; MLFLOW_TRACKING_URI overrides that. Runs
lie in two experiments: the models, one run for each training, and the pipeline's other
stages. A run is found by content, never by an id on disk: a model's by DVC's MD5 of the
model's folder, any stage's by the hash of its entry in dvc.lock.
"""

import csv
import json
import logging
import os
import platform
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Before MLflow is imported: it looks up a host at every run to report its use.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import psutil
from filelock import FileLock
from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    InputTag,
    Metric,
    Param,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException

from digits import files, lock, quiet
from digits.errors import UserError

MODELS = "digits-models"
PIPELINE = "digits-pipeline"
MODEL_MD5 = "model.md5"  # as in dvc.lock, of models/<name>
ONNX_MD5 = "onnx.md5"  # of its model.onnx, which is among the run's artifacts
CONTENT = "content"  # of the stage's entry in dvc.lock
RESTORED = "restored"
EXPERIMENT = "dvc.experiment"
PACKAGES = ("dvc", "mlflow", "tensorflow", "keras", "numpy", "onnxruntime")


class Run:
    """A run of the store, open or ended: what is logged to it goes in batches."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._client = mlflow.MlflowClient()

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; a parameter once logged cannot be changed."""
        self._client.log_batch(self.run_id, params=[Param(k, str(v)) for k, v in params.items()])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        batch = [Metric(key, float(value), now, step) for key, value in metrics.items()]
        self._client.log_batch(self.run_id, metrics=batch)

    def log_curves(self, path: Path) -> None:
        """Log the rows of a CSV file, the first column of which is the step."""
        now = int(time.time() * 1000)
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        batch = [
            Metric(key, float(value), now, int(row[0]))
            for row in rows
            for key, value in zip(header[1:], row[1:], strict=True)
        ]
        self._client.log_batch(self.run_id, metrics=batch)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        self._client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def log_files(self, *paths: Path, folder: str | None = None) -> None:
        """Copy files, or all files of a folder, to the run's artifacts."""
        for path in paths:
            if path.is_dir():
                self._client.log_artifacts(self.run_id, str(path), folder)
            else:
                self._client.log_artifact(self.run_id, str(path), folder)

    def log_inputs(self, inputs: Mapping[str, Path]) -> None:
        """Log files that were read as MLflow datasets: context -> file, digest its MD5."""
        self._log_datasets({context: (path, files.md5(path)) for context, path in inputs.items()})

    def log_past_inputs(self, md5s: Mapping[str, str]) -> None:
        """As `log_inputs`, of files that may be gone by now: path -> MD5."""
        self._log_datasets({Path(path).stem: (Path(path), md5) for path, md5 in md5s.items()})

    def _log_datasets(self, inputs: Mapping[str, tuple[Path, str]]) -> None:
        self._client.log_inputs(
            self.run_id,
            datasets=[
                DatasetInput(
                    Dataset(path.name, md5, "local", json.dumps({"uri": str(path)})),
                    [InputTag("mlflow.data.context", context)],
                )
                for context, (path, md5) in inputs.items()
            ],
        )


@contextmanager
def stage_run(
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Path],
    tags: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """Open a run for a stage; end it as FINISHED, FAILED, or KILLED by a signal.

    Args:
        experiment: `MODELS` or `PIPELINE`.
        name: of the run: the model's for a training, else the stage's.
        params: logged at once.
        inputs: the files that the stage reads, by context ("train", "test", ...).
        tags: beside those that say where the run comes from, or in their place.

    Raises:
        UserError: the store cannot be reached or belongs to another place.
    """
    experiment_id = connect(experiment)
    started = time.monotonic()
    tags = _provenance() | dict(tags or {})
    active = mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=tags)
    run = Run(active.info.run_id)
    status = RunStatus.FAILED
    try:
        run.log_params(params)
        run.log_inputs(inputs)
        yield run
        if RESTORED not in tags:  # what that cost then is not known any more
            wall_seconds = time.monotonic() - started
            run.log_metrics({"cpu_seconds": time.process_time(), "wall_seconds": wall_seconds})
            if stage := os.environ.get("DVC_STAGE"):
                run.log_tags({CONTENT: lock.of_workspace(stage).content})
        status = RunStatus.FINISHED
    except (KeyboardInterrupt, SystemExit):
        status = RunStatus.KILLED
        raise
    finally:
        mlflow.end_run(RunStatus.to_string(status))


def find_model_run(md5: str) -> Run | None:
    """The newest run that trained the model of this MD5, or None if the store knows none.

    Args:
        md5: DVC's of the folder models/<name>, as `files.md5` gives it.
    """
    experiment_id = connect(MODELS)
    runs = mlflow.MlflowClient().search_runs(
        [experiment_id],
        f"tags.`{MODEL_MD5}` = '{md5}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return Run(runs[0].info.run_id) if runs else None


def known() -> set[str]:
    """What there are finished runs of: stages by their content, models by their MD5."""
    runs = search(MODELS, PIPELINE, condition="attributes.status = 'FINISHED'")
    tags = [run.data.tags for run in runs]
    return {tag[key] for tag in tags for key in (CONTENT, MODEL_MD5) if key in tag}


def search(*experiments: str, condition: str = "") -> list[mlflow.entities.Run]:
    """All runs of `MODELS`, `PIPELINE` or both that meet a condition of MLflow's, newest first."""
    experiment_ids = [connect(experiment) for experiment in experiments]
    client = mlflow.MlflowClient()
    found = page = client.search_runs(experiment_ids, condition)
    while page.token:
        page = client.search_runs(experiment_ids, condition, page_token=page.token)
        found += page
    return found


def log_training(run: Run, model_folder: Path, reports: Path) -> None:
    """Log what a training wrote, but for its curves, which it logs epoch by epoch.

    Args:
        model_folder: holds model.keras and model.onnx.
        reports: holds metrics.json, curves.csv and the rest of the training's reports.
    """
    curves = (reports / "curves.csv").read_text().splitlines()[0].split(",")
    metrics = json.loads((reports / "metrics.json").read_text())
    run.log_metrics({key: value for key, value in metrics.items() if key not in curves})
    run.log_files(reports, folder="train")
    run.log_files(model_folder / "model.onnx", folder="onnx")
    _log_keras_model(model_folder / "model.keras")
    md5s = {MODEL_MD5: model_folder, ONNX_MD5: model_folder / "model.onnx"}
    run.log_tags({tag: files.md5(path) for tag, path in md5s.items()})


def log_evaluation(run: Run, settings: Mapping[str, Any], reports: Path, pictures: Path) -> None:
    """Add to a model's run what `evaluate` found and wrote.

    Args:
        settings: the parameters it found it with.
        reports: holds metrics.json, predictions.csv and the rest of its reports.
        pictures: a folder.
    """
    metrics = json.loads((reports / "metrics.json").read_text())
    for known in ("parameters", "multiply_adds"):  # logged by `train`
        del metrics[known]
    run.log_metrics({"size_bytes": metrics.pop("size_bytes")})
    run.log_metrics({f"test_{name}": value for name, value in metrics.items()})
    run.log_tags({f"evaluate.{key}": str(value) for key, value in settings.items()})
    run.log_files(reports, pictures, folder="evaluate")


def restore_model_run(
    name: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
    model_folder: Path,
    reports: Path,
    tags: Mapping[str, str] | None = None,
) -> Run:
    """Make the run of a training that the store does not know, from the files it wrote.

    DVC may have taken them from its cache, or the store may have been deleted.

    Args:
        inputs: path -> MD5 of the data it read.
    """
    tags = {RESTORED: "true", "dvc.stage": f"train@{name}", **(tags or {})}
    with stage_run(MODELS, name, params, {}, tags) as run:
        run.log_past_inputs(inputs)
        run.log_curves(reports / "curves.csv")
        log_training(run, model_folder, reports)
    return run


def _log_keras_model(path: Path) -> None:
    import numpy as np

    with quiet.importing_tensorflow():  # for which only a training pays, or restoring its run
        import keras
        import mlflow.tensorflow
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    keras.utils.disable_interactive_logging()  # pyfunc runs the example with a progress bar
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each model is traced but once
    model = keras.saving.load_model(path, compile=False)
    shape, classes = model.input_shape[1:], model.output_shape[1]
    mlflow.tensorflow.log_model(
        model,
        name="model",
        signature=ModelSignature(
            Schema([TensorSpec(np.dtype("uint8"), (-1, *shape))]),
            Schema([TensorSpec(np.dtype("float32"), (-1, classes))]),
        ),
        input_example=np.zeros((1, *shape), np.uint8),
        # Inferred requirements would take half a minute: a subprocess that imports it all.
        pip_requirements=[f"{name}=={version(name)}" for name in ("tensorflow", "keras", "numpy")],
    )


def _root() -> Path:
    """The main workspace, also from inside one of DVC's temporary ones."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def _store() -> tuple[str, Path | None]:
    """The store's URI and, if it is sqlite, the file of its database.

    Like the default, a relative file of MLFLOW_TRACKING_URI is the main workspace's: DVC
    throws its temporary ones away.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if not uri.startswith("sqlite:///"):
        return uri, None
    database = _root() / uri.removeprefix("sqlite:///")
    if set("%?") & set(str(database)):
        raise UserError(f"{database}: MLflow misreads % and ? in the path of its store: move it")
    return f"sqlite:///{database}", database


def connect(experiment_name: str) -> str:
    """Open the store, create it and the experiment where they are missing.

    Returns:
        The experiment's id. By name MLflow would fall back to "Default" if two processes
        created the experiment at the same moment.
    """
    uri, database = _store()
    mlflow.set_tracking_uri(uri)
    artifacts = str(database.parent / "mlruns" / experiment_name) if database else None
    # Two processes that create a sqlite store at once corrupt it for good.
    lock = _root() / ".dvc" / "tmp" / "mlflow.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock), _impatient():
        try:
            if database and not database.exists():
                _create(database)
            client = mlflow.MlflowClient()
            experiment = _experiment(client, experiment_name, artifacts)
        except Exception as error:  # MLflow's, its database's or the network's
            advice = "rename it to begin a new one" if database else "start or correct the server"
            raise UserError(
                f"MLflow's store {database or _without_password(uri)} does not answer as it "
                f"should: {_reason(error)}; {advice}, or change MLFLOW_TRACKING_URI"
            ) from error
        _refuse_unusable(experiment, database)
        _end_abandoned_runs(client, experiment.experiment_id)
    return experiment.experiment_id


def _experiment(client: mlflow.MlflowClient, name: str, artifacts: str | None) -> Experiment:
    """Find an experiment or create it, as another machine may at the same moment."""
    if experiment := client.get_experiment_by_name(name):
        return experiment
    try:
        return client.get_experiment(client.create_experiment(name, artifacts))
    except MlflowException:
        if experiment := client.get_experiment_by_name(name):
            return experiment
        raise


def _create(database: Path) -> None:
    """Create a store whole or not at all: a half-migrated one MLflow could never open again."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # tells of each table
    with files.replacing(database) as partial:
        mlflow.MlflowClient(f"sqlite:///{partial}")


def _reason(error: BaseException) -> str:
    """What an exception goes back to: "Connection refused" lies four levels deep."""
    while (inner := error.__cause__ or error.__context__) and not isinstance(inner, KeyError):
        error = inner
    return _without_password(" ".join(str(error).split())[:300])


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@ ]*@", "//", text)


@contextmanager
def _impatient() -> Iterator[None]:
    """Let a server that is down fail within seconds, not MLflow's minutes."""
    impatience = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {key: os.environ.get(key) for key in impatience}
    os.environ |= {key: before[key] or value for key, value in impatience.items()}
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]


def _refuse_unusable(experiment: Experiment, database: Path | None) -> None:
    if experiment.lifecycle_stage == "deleted":
        raise UserError(
            f"MLflow's experiment {experiment.name} was deleted: restore it with "
            f"`mlflow experiments restore --experiment-id {experiment.experiment_id}`"
        )
    artifacts = Path(experiment.artifact_location)
    if database and artifacts.parent != database.parent / "mlruns":
        raise UserError(
            f"{database} keeps its files in {artifacts.parent}: MLflow stores absolute paths; "
            "move it back there, or rename it and its mlruns to begin a new store"
        )


def _end_abandoned_runs(client: mlflow.MlflowClient, experiment_id: str) -> None:
    """Mark the runs that a killed process of this machine left RUNNING."""
    running = client.search_runs(
        [experiment_id], f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'"
    )
    for run in running:
        pid, created = run.data.tags["process"].split(":")
        if not _is_alive(int(pid), float(created)):
            client.set_terminated(run.info.run_id, "KILLED")
            print(f"marked as killed: MLflow run {run.info.run_id}, its process {pid} is gone")


def _is_alive(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        # The same process by its time of creation, which moves when the clock is corrected.
        is_same = abs(process.create_time() - created) < 5
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _provenance() -> dict[str, str]:
    """Tags that say where a run comes from: code, experiment, process, versions."""
    process = psutil.Process()
    tags = {
        "host": socket.gethostname(),
        "process": f"{process.pid}:{process.create_time()}",
        "python": platform.python_version(),
        "command": " ".join(sys.orig_argv),
        **{name: version(name) for name in PACKAGES},
    }
    environment = {
        "dvc.stage": "DVC_STAGE",
        EXPERIMENT: "DVC_EXP_NAME",
        "dvc.baseline": "DVC_EXP_BASELINE_REV",
    }
    tags |= {tag: os.environ[key] for tag, key in environment.items() if key in os.environ}
    if (commit := _git("rev-parse", "HEAD")) is not None:
        # What the stages before this one wrote is no change of what makes it.
        changes = _git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!reports")
        tags |= {"git.commit": commit, "git.dirty": str(bool(changes))}
    return tags


def _git(*arguments: str) -> str | None:
    """What git prints; None without git, a repository or a commit."""
    try:
        result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
