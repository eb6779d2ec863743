"""MLflow's runs of a sweep: one for the sweep, and one nested in it for each trial."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mlflow
import optuna
from mlflow.exceptions import MlflowException

from digits.sweeping import study
from digits.tracking import provenance, runs, store

EXPERIMENT = "digits-sweeps"
# Tags: how a trial ended; the run of the best trial, and of its training with the whole recipe.
STATE, TRIAL_RUN, MODEL_RUN = "sweep.state", "sweep.run", "sweep.model_run"
PARENT = "mlflow.parentRunId"  # by which MLflow's UI nests runs


class TrialRun:
    """A trial's run; after a first failure of the store it takes nothing more."""

    def __init__(self, run: runs.Run) -> None:
        self._run, self._has_failed = run, False

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._attempt(self._run.log_params, params)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self._attempt(self._run.log_metrics, metrics, step)

    def end(self, status: str, state: str) -> None:
        self._attempt(self._run.log_tags, {STATE: state})
        self._attempt(self._run.end, status)

    def _attempt(self, log: Any, *arguments: Any) -> None:
        """Tracking watches, and never costs a trial its result."""
        if self._has_failed:
            return
        try:
            log(*arguments)
        except Exception as error:  # MLflow's, its database's, the network's
            self._has_failed = True
            reason = store.reason(error)
            print(f"sweep: MLflow lacks some of run {self._run.run_id}: {reason}", file=sys.stderr)


def tags_of(sweep: str, parent: str) -> dict[str, str]:
    """What ties a trial's run to its sweep: the name, and the run of the sweep."""
    return {runs.SWEEP: sweep, PARENT: parent}


@contextmanager
def trial_run(trial: optuna.Trial, tags: Mapping[str, str]) -> Iterator[TrialRun]:
    """Open a trial's run, and end it as FINISHED, also where it was pruned, FAILED or KILLED.

    Args:
        trial: gets the run's id as an attribute.
        tags: of the process, and `tags_of` the sweep.

    Raises:
        UserError: the store cannot be used when the trial begins.
    """
    experiment = store.connect(EXPERIMENT)
    with store.explained():
        name = f"{tags[runs.SWEEP]}-{trial.number}"
        opened = runs.open_run(experiment, name, {**tags, runs.TRIAL: str(trial.number)})
    trial.set_user_attr(study.RUN, opened.run_id)
    run, status, state = TrialRun(opened), "FAILED", "failed"
    try:
        yield run
        status, state = "FINISHED", "complete"
    except optuna.TrialPruned:
        status, state = "FINISHED", "pruned"
        raise
    except (KeyboardInterrupt, SystemExit):
        status, state = "KILLED", "killed"
        raise
    finally:
        run.end(status, state)


@contextmanager
def sweep_run(found: optuna.Study, settings: Mapping[str, Any]) -> Iterator[runs.Run]:
    """Open the run of a sweep, or the one that it had, which is ended in the same way.

    Raises:
        UserError: the store cannot be used when the sweep begins.
    """
    experiment = store.connect(EXPERIMENT)
    tags = provenance.tags("sweep") | {runs.SWEEP: found.study_name}
    with store.explained():
        run = _reopened(found.user_attrs.get(study.RUN, ""), tags)
        if run is None:
            run = runs.open_run(experiment, found.study_name, tags)
            run.log_params(settings)
            found.set_user_attr(study.RUN, run.run_id)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        with store.explained():
            run.end(status)


def _reopened(run_id: str, tags: Mapping[str, str]) -> runs.Run | None:
    """The run of a sweep that goes on; None where the store has it no more."""
    if not run_id:
        return None
    try:
        mlflow.MlflowClient().update_run(run_id, status="RUNNING")
    except MlflowException:
        return None
    run = runs.Run(run_id)
    run.log_tags({key: tags[key] for key in (provenance.HOST, provenance.PROCESS)})
    return run
