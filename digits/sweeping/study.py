"""Optuna's study: where it is kept, what proposes and prunes, and what becomes of the killed.

Several processes, and machines, work at one study. A trial whose process was killed is
failed, and its parameters wait for another worker: at once where the process is known to be
gone, else when its heartbeat has been silent for `GRACE`.
"""

import contextlib
import copy
import json
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mlflow
import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from digits.base.errors import UserError
from digits.sweeping.space import Space
from digits.tracking import provenance, store

FILE = "sweeps.db"
HEARTBEAT, GRACE = 10, 60  # seconds
RETRIES = 3  # of one trial: after that its parameters are what kills
LOCK_SECONDS = 60  # for another writer of the database to finish
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
# Keys of a trial's and a study's attributes.
RUN, PROCESS, SECONDS, DEFINITION, EXPERIMENT = "run", "process", "seconds", "space", "experiment"


@dataclass(frozen=True)
class Place:
    """A study: the database that keeps it, and its name there."""

    url: str
    name: str


def default_url() -> str:
    """SQLite beside mlflow.db, at the root of the main workspace."""
    return f"sqlite:///{store.root() / FILE}"


def create(place: Place, space: Space, data: dict[str, str]) -> optuna.Study:
    """Open a study, or begin it.

    Args:
        place: of the study.
        space: of the search.
        data: the MD5 of each file that trials read, by path.

    Raises:
        UserError: the database does not answer, or its study is of something else.
    """
    definition = json.dumps(space.definition() | {"data": data}, sort_keys=True)
    with _explained(place):
        study = optuna.create_study(
            storage=_storage(place),
            study_name=place.name,
            direction=space.direction,
            load_if_exists=True,
        )
        begun = study.user_attrs.get(DEFINITION)
        if begun is None:
            study.set_user_attr(DEFINITION, definition)
    if begun not in (None, definition):
        old, new = json.loads(begun), json.loads(definition)
        different = ", ".join(key for key in new if old.get(key) != new[key])
        raise UserError(
            f"{place.name}: was begun with other values of {different}; give another --name"
        )
    return study


def load(place: Place, space: Space) -> optuna.Study:
    """Open a study to work at it."""
    searched = [end for k in space.knobs if k.path.endswith(".epochs") for end in k.ends()]
    epochs = max(searched or [space.params({}).train.recipe(space.model).epochs])
    with _explained(place), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.load_study(
            storage=_storage(place),
            study_name=place.name,
            # Trials that run are taken for bad ones, so that two workers try different values.
            sampler=optuna.samplers.TPESampler(constant_liar=True),
            pruner=optuna.pruners.HyperbandPruner(1, max(epochs, 1), 3),
        )


def release_killed(study: optuna.Study) -> None:
    """Fail the trials whose process is gone, and let their parameters wait for a worker."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        process = trial.user_attrs.get(PROCESS, "")
        if process and provenance.is_gone(process):
            # Of several workers that see it one alone may change it.
            with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError, ValueError):
                _retry(study, study.tell(trial.number, state=TrialState.FAIL))


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were completed or pruned."""
    return study.get_trials(deepcopy=False, states=ENDED)


def best(study: optuna.Study) -> FrozenTrial:
    """The best of those that were completed.

    Raises:
        UserError: there is none.
    """
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise UserError(f"{study.study_name}: no trial was completed: look at their MLflow runs")
    return study.best_trial


def _retry(study: optuna.Study, trial: FrozenTrial) -> None:
    if run := trial.user_attrs.get(RUN):
        with contextlib.suppress(mlflow.exceptions.MlflowException):  # the store was deleted since
            mlflow.MlflowClient().set_terminated(run, "KILLED")
    if trial.params:  # else it was killed before it had any
        trial = copy.copy(trial)
        trial.user_attrs = {}  # they name the process that is gone
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            RetryHeartbeatStaleTrialCallback(RETRIES)(study, trial)


@lru_cache(maxsize=1)  # a process works at one sweep, and its connections are few
def _storage(place: Place) -> RDBStorage:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if place.url.startswith("sqlite"):
        options = {"connect_args": {"timeout": LOCK_SECONDS}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RDBStorage(
            place.url,
            engine_kwargs=options,
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=_retry,
        )


@contextlib.contextmanager
def _explained(place: Place):  # type: ignore[no-untyped-def] # of contextlib
    try:
        yield
    except UserError:
        raise
    except KeyError:
        raise UserError(f"{place.name}: was removed from the database while it ran") from None
    except Exception as error:  # SQLAlchemy's, a driver's, or the driver is not installed
        raise UserError(
            f"--storage: the database does not answer as it should: {store.reason(error)}"
        ) from None
