"""MLflow's store: where it is, that it is whole, and its two experiments.

The store is MLflow's own default at the root of the main workspace, mlflow.db and mlruns/,
so that a bare `mlflow ui` shows it; MLFLOW_TRACKING_URI overrides that.
"""

import logging
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

# Before MLflow is imported: it looks up a host at every run to report its use.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from filelock import FileLock
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from digits.base import files
from digits.base.errors import UserError
from digits.base.text import one_line, without_password
from digits.tracking import provenance

MODELS = "digits-models"
PIPELINE = "digits-pipeline"
NOTE = "mlflow.note.content"  # the tag that MLflow shows as a description
NOTES = {  # MLflow shows them above the table of runs
    MODELS: "One run for each training, named after its model. `test_accuracy` is of the "
    "test images; choose it and `data.name` under *Columns*. Select runs and *Compare*: "
    "equal names lie over each other.",
    PIPELINE: "One run for each other stage of the pipeline: what it was given, what it measured.",
}
LOCK_SECONDS = 5  # for another writer of the database to finish
# MLflow's defaults wait for a dead server for minutes, and a stage's end with them.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
# What SQLite says of a store that nothing is wrong with in itself, and what helps.
SQLITE_ADVICE = {
    "locked": "another process writes to it: wait until it has ended",
    "readonly": "make it and its folder writable",
    "disk is full": "make room on its disk",
    "disk I/O": "look at its disk",
    "unable to open": "make its folder exist and be writable",
}
# The database of a store may be there without the files of its runs.
LOST_FILES = (
    "bring the store's artifacts back, or begin a new one: rename mlflow.db and mlruns, then "
    "`digits sync` and `digits promote`"
)


def connect(experiment_name: str) -> str:
    """Open the store, create it and the experiment where they are missing.

    Returns:
        The experiment's id. By name MLflow would fall back to "Default" if two processes
        created the experiment at the same moment.

    Raises:
        UserError: the store is not there, not usable, or belongs to another place.
    """
    for key, value in PATIENCE.items():
        os.environ.setdefault(key, value)
    # It tells of each table that it creates, and shows the traceback of an error it also raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    uri, database = _locate()
    mlflow.set_tracking_uri(uri)
    artifacts = str(database.parent / "mlruns" / experiment_name) if database else None
    with explained(), _locked(database):
        if database and not _has_content(database):
            _create(database)
        elif database:
            _try_to_write(database)
        client = mlflow.MlflowClient()
        experiment = _experiment(client, experiment_name, artifacts)
        _refuse_unusable(experiment, database)
        _end_abandoned_runs(client, experiment.experiment_id)
    return experiment.experiment_id


@contextmanager
def explained() -> Iterator[None]:
    """Turn whatever MLflow, its database or the network raise into one line with advice.

    Raises:
        UserError: something was raised.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        uri, database = _locate()
        why = reason(error)
        if database:
            fitting = (advice for text, advice in SQLITE_ADVICE.items() if text in why)
            advice = next(fitting, "rename it to begin a new one")
            if isinstance(error, OSError):
                advice = SQLITE_ADVICE["unable to open"]
        else:
            advice = "start or correct the server"
        raise UserError(
            f"MLflow's store {database or without_password(uri)} does not answer as it should: "
            f"{why}; {advice}, or change MLFLOW_TRACKING_URI"
        ) from error


def reason(error: BaseException) -> str:
    """What an exception goes back to: "Connection refused" lies four levels deep."""
    while (inner := error.__cause__ or error.__context__) and not isinstance(inner, KeyError):
        error = inner
    return without_password(one_line(error))


def root() -> Path:
    """Return the main workspace, also from inside one of DVC's temporary ones."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def _locate() -> tuple[str, Path | None]:
    """The store's URI and, if it is SQLite, the file of its database.

    Like the default, a relative file of MLFLOW_TRACKING_URI is the main workspace's: DVC
    throws its temporary ones away.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if not uri.startswith("sqlite:///"):
        return uri, None
    database = root() / uri.removeprefix("sqlite:///")
    if set("%?") & set(str(database)):
        raise UserError(f"{database}: MLflow misreads % and ? in the path of its store: move it")
    return f"sqlite:///{database}", database


@contextmanager
def _locked(database: Path | None) -> Iterator[None]:
    """One process at a time opens the store: two that create one at once corrupt it for good.

    The lock lies beside the database, for all the checkouts that share it.
    """
    if database:
        lock = database.with_name(f"{database.name}.lock")
    else:
        lock = root() / ".dvc" / "tmp" / "mlflow.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        yield


def _has_content(database: Path) -> bool:
    """Whether there is a database; a killed process may have left an empty file."""
    if database.is_dir():
        raise UserError(
            f"MLflow's store {database} is a folder: rename it, or change MLFLOW_TRACKING_URI"
        )
    return database.exists() and database.stat().st_size > 0


def _create(database: Path) -> None:
    """Create a store whole or not at all: a half-migrated one MLflow could never open again."""
    with files.replacing(database) as partial:
        partial.with_name(f"{partial.name}-journal").unlink(missing_ok=True)  # of a killed process
        mlflow.MlflowClient(f"sqlite:///{partial}")


def _try_to_write(database: Path) -> None:
    """Begin to write and stop: MLflow itself would find out after minutes, with a traceback."""
    with closing(sqlite3.connect(database, timeout=LOCK_SECONDS)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE writable (checked)")
        connection.rollback()


def _experiment(client: mlflow.MlflowClient, name: str, artifacts: str | None) -> Experiment:
    """Find an experiment or create it, as another machine may at the same moment."""
    if experiment := client.get_experiment_by_name(name):
        return experiment
    note = {NOTE: NOTES[name]} if name in NOTES else None
    try:
        return client.get_experiment(client.create_experiment(name, artifacts, note))
    except MlflowException:
        if experiment := client.get_experiment_by_name(name):
            return experiment
        raise


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
        [experiment_id],
        f"attributes.status = 'RUNNING' and tags.{provenance.HOST} = '{socket.gethostname()}'",
    )
    for run in running:
        process = run.data.tags.get(provenance.PROCESS, "")
        if process and provenance.is_gone(process):
            client.set_terminated(run.info.run_id, "KILLED")
            print(f"marked as killed: MLflow run {run.info.run_id}, its process is gone")
