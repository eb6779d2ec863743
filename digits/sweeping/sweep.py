"""A sweep from its space to its best trial."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from digits.base import files
from digits.base.errors import UserError
from digits.data import splits
from digits.sweeping import experiment, record, report, running, study
from digits.sweeping.space import Space
from digits.sweeping.trial import TRAINING, VALIDATION, Job


@dataclass(frozen=True)
class Settings:
    """How a sweep is run.

    Attributes:
        trials: how many are to end, those of earlier calls included.
        jobs: trials at a time.
        engine: `local`, or the URL of a Spark master.
        storage: the URL of the study's database; None: SQLite beside MLflow's.
    """

    trials: int
    jobs: int = 1
    engine: str = running.EMBEDDED
    storage: str | None = None


@dataclass(frozen=True)
class Best:
    """The best trial of a sweep.

    Attributes:
        values: by path of params.yaml.
    """

    found: optuna.Study
    space: Space
    trial: FrozenTrial
    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        """What was found, in a line."""
        totals = report.totals(self.found)
        return (
            f"{totals['complete']} trials completed, {totals['pruned']} pruned, "
            f"{totals['failed']} failed, {totals['training_cpu_seconds']:,.0f} CPU seconds; "
            f"the best is trial {self.trial.number}, {self.space.metric} {self.trial.value:.5f}"
        )

    @property
    def command(self) -> list[str]:
        """The experiment with the whole recipe."""
        return experiment.command_of(f"{self.found.study_name}-{self.trial.number}", self.values)

    def carry_out(self) -> tuple[str, str]:
        """Run it; see `experiment.carry_out`."""
        return experiment.carry_out(self.found, self.space, self.trial, self.values)


def left_out(space: Space) -> list[str]:
    """What a trial leaves out of the recipe.

    Raises:
        UserError: the data is not there.
    """
    for path in (TRAINING, VALIDATION):
        if not path.exists():
            raise UserError(f"{path}: no such file; `dvc repro preprocess` makes it")
    return space.left_out(len(splits.load(TRAINING).labels))


def run(space: Space, name: str, settings: Settings, folder: Path) -> Best:
    """Run the trials that are missing, and tell what was found.

    Args:
        space: of the search.
        name: of the sweep.
        settings: how it is run.
        folder: for the pictures and the page.

    Raises:
        UserError: a store or an engine cannot be used, or no trial was completed.
    """
    place = study.Place(settings.storage or study.default_url(), name)
    data = {path.as_posix(): files.md5(path) for path in (TRAINING, VALIDATION)}
    found = study.create(place, space, data)
    texts = {knob.path: str(knob.ends()) for knob in space.knobs}
    shown = {"model": space.model, "metric": space.metric, "images": space.images, **texts}
    with record.sweep_run(found, shown) as parent:
        job = Job(
            space,
            place,
            settings.trials,
            parent.run_id,
            str(Path.cwd()),
            os.environ.get("MLFLOW_TRACKING_URI", ""),
            _threads(space, settings),
        )
        running.run(job, settings.engine, settings.jobs)
        parent.log_inputs(data)
        parent.log_metrics(report.totals(found))
        report.write(found, space, left_out(space), folder)
        parent.log_files(folder)
    best = study.best(found)
    return Best(found, space, best, report.values_of(space, best))


def _threads(space: Space, settings: Settings) -> int:
    """The trials of this machine share those of the recipe; a cluster's worker has one core."""
    if settings.engine != running.EMBEDDED:
        return 1
    return max(1, space.params({}).train.threads // settings.jobs)
