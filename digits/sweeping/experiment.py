"""The end of a sweep: its best trial as one DVC experiment, with the full recipe.

The experiment's name has the sweep's and the trial's number; the experiment's MLflow run, the
trial's and the sweep's name each other by tags.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from digits.base.errors import UserError
from digits.experiments import overview, sync
from digits.sweeping import record, study
from digits.sweeping.space import Space
from digits.tracking import lock, provenance, revisions, runs
from digits.tracking.revisions import Revision


def command_of(name: str, values: Mapping[str, Any]) -> list[str]:
    """The command, to be shown and to be run: `dvc exp run -S ...`."""
    settings = [part for path, value in values.items() for part in ("-S", f"{path}={_text(value)}")]
    return ["dvc", "exp", "run", "--temp", "--name", name, *settings]


def carry_out(
    found: optuna.Study, space: Space, best: FrozenTrial, values: Mapping[str, Any]
) -> tuple[str, str]:
    """Run the experiment, unless there is one of its name and its values, and link the runs.

    It runs in a folder of its own: the workspace stays as it is.

    Returns:
        The names of the experiment and of the run of its training.

    Raises:
        UserError: DVC failed, or the experiment of the name is of other values.
    """
    model, name = space.model, f"{found.study_name}-{best.number}"
    if present := revisions.experiments().get(name):
        _require_trained(present, space.trained(values))
    else:
        command = [sys.executable, "-m", *command_of(name, values)]
        if subprocess.run(command, check=False).returncode:
            raise UserError(
                f"{name}: DVC failed, see above; the same command tries it again, and runs no trial"
            )
    revision = revisions.find(name)
    list(sync.sync(revision, runs.known()))  # what DVC had in its cache has no run yet
    trained = lock.read(revision.text(lock.FILE), f"train@{model}")[f"train@{model}"]
    run = runs.find_model_run(trained.outs[f"models/{model}"])
    if run is None:
        raise UserError(f"{name}: MLflow knows no run of train@{model}: it was removed")
    run.log_tags(
        {
            runs.SWEEP: found.study_name,
            runs.TRIAL: str(best.number),
            record.TRIAL_RUN: best.user_attrs[study.RUN],
        }
    )
    for each in (best.user_attrs[study.RUN], found.user_attrs[study.RUN]):
        runs.Run(each).log_tags({provenance.EXPERIMENT: name, record.MODEL_RUN: run.run_id})
    found.set_user_attr(study.EXPERIMENT, name)
    return name, run.run_id


def _require_trained(present: Revision, wanted: Mapping[str, Any]) -> None:
    """Refuse an experiment that an earlier sweep of the name has left with other values.

    Raises:
        UserError: its params.yaml has others.
    """
    params = overview.read_params(present)
    if different := [path for path in wanted if params.get(path) != wanted[path]]:
        raise UserError(
            f"{present.name}: an experiment of that name has other values of "
            f"{', '.join(different)}: `dvc exp remove {present.name}` removes it, and the same "
            "command goes on; or give another --name"
        )


def _text(value: Any) -> str:
    """A value as `-S` takes it."""
    return value if isinstance(value, str) else json.dumps(value)
