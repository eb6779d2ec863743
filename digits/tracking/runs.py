"""MLflow's runs: what is logged to one, and how one is found.

A run is found by content, never by an id on disk: a model's by DVC's MD5 of the model's
folder, any stage's by the hash of its entry in dvc.lock.
"""

import csv
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.registry import resolve_tags

from digits.tracking.store import MODELS, PIPELINE, connect

MODEL_MD5 = "model.md5"  # as in dvc.lock, of models/<name>
ONNX_MD5 = "onnx.md5"  # of its model.onnx, which is among the run's artifacts
CONTENT = "content"  # of the stage's entry in dvc.lock
RESTORED = "restored"
# Of a sweep: its name, and the number of the trial that a run is of, or is the full recipe of.
SWEEP, TRIAL = "sweep", "sweep.trial"


class Run:
    """A run of the store, open or ended: what is logged to it goes in batches."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._client = mlflow.MlflowClient()
        self._logged: set[tuple[str, int]] = set()

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; a parameter once logged cannot be changed."""
        texts = {key: _text(value) for key, value in params.items()}
        self._client.log_batch(self.run_id, params=[Param(k, v) for k, v in texts.items()])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        batch = [Metric(key, float(value), now, step) for key, value in metrics.items()]
        self._client.log_batch(self.run_id, metrics=batch)
        self._logged |= {(key, step) for key in metrics}

    def log_table(self, path: Path, name: str) -> None:
        """Log a CSV file as a table that MLflow's page shows.

        Args:
            path: of the file.
            name: of the artifact, which ends with .json.
        """
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        text = json.dumps({"columns": header, "data": rows})
        self._client.log_text(self.run_id, text, name)
        tag = json.dumps([{"path": name, "type": "table"}])
        self.log_tags({"mlflow.loggedArtifacts": tag})

    def log_curves(
        self,
        path: Path,
        name: Callable[[dict[str, float]], dict[str, float]] = dict,
    ) -> None:
        """Log the rows of a CSV file, but for what was logged as its step was reached.

        Args:
            path: of a file whose first column is the step.
            name: gives the metrics of a step the names that the run has for them.
        """
        now = int(time.time() * 1000)
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        batch = []
        for step, *values in rows:
            measured = name(dict(zip(header[1:], map(float, values), strict=True)))
            batch += [
                Metric(key, value, now, int(step))
                for key, value in measured.items()
                if (key, int(step)) not in self._logged
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

    def log_inputs(self, md5s: Mapping[str, str]) -> None:
        """Log the data that was read as MLflow's datasets.

        Args:
            md5s: of each file or folder, by path; its stem names the context, such as "train".
        """
        self._client.log_inputs(
            self.run_id,
            datasets=[
                DatasetInput(
                    Dataset(Path(path).name, md5, "local", json.dumps({"uri": path})),
                    [InputTag("mlflow.data.context", Path(path).stem)],
                )
                for path, md5 in md5s.items()
            ],
        )

    @property
    def experiment_id(self) -> str:
        """The experiment that the run belongs to."""
        return str(self._client.get_run(self.run_id).info.experiment_id)

    def end(self, status: str) -> None:
        """End the run as "FINISHED", "FAILED" or "KILLED"."""
        self._client.set_terminated(self.run_id, status)


def open_run(experiment_id: str, name: str, tags: Mapping[str, str]) -> Run:
    """Open a run that stays RUNNING until it is ended.

    MLflow's own active run is left alone: at the end of the process it would wait for a
    store that is gone.
    """
    client = mlflow.MlflowClient()
    run = client.create_run(experiment_id, tags=resolve_tags(dict(tags)), run_name=name)
    return Run(run.info.run_id)


def find_model_run(md5: str) -> Run | None:
    """Find the newest run that trained the model of this MD5; None if the store knows none.

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


def source_of(run_id: str, file: str) -> tuple[str | None, str]:
    """The commit that a run was made at, and the text of one of its files; empty: it has none."""
    client = mlflow.MlflowClient()
    commit = client.get_run(run_id).data.tags.get("git.commit")
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = Path(client.download_artifacts(run_id, file, folder))
            return commit, path.read_text(encoding="utf-8")
        except (MlflowException, OSError):
            return commit, ""


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


def _text(value: Any) -> str:
    """A parameter as text, the same for 20 and 20.0: params.yaml may have either."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)
