"""One trial: a short training, watched by the pruner, worth its metric on the validation images."""

import gc
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna

from digits.base import quiet
from digits.base.errors import UserError
from digits.data import catalogue, splits
from digits.data.splits import Split
from digits.sweeping import record, study
from digits.sweeping.space import Space
from digits.tracking import provenance

# The files that a trial opens. The test images are not among them.
TRAINING, VALIDATION = (Path(f"data/processed/{name}.npz") for name in ("train", "validation"))
PROBLEM = "problem"  # the key of a trial's attribute: why it was pruned without a comparison


@dataclass(frozen=True)
class Job:
    """What all trials of a sweep have in common, sent to each worker.

    Attributes:
        space: what is searched.
        place: of the study.
        trials: how many are to end.
        parent: the MLflow run of the sweep.
        root: of the workspace, at the same path for every worker.
        tracking: MLFLOW_TRACKING_URI; empty: the workspace's own store.
        threads: of TensorFlow, in each worker.
    """

    space: Space
    place: study.Place
    trials: int
    parent: str
    root: str
    tracking: str
    threads: int


def objective(job: Job, is_wanted: Callable[[], bool], trial: optuna.Trial) -> float:
    """Train by a trial's values, and judge it after its last epoch.

    Args:
        job: of the sweep.
        is_wanted: asked after each epoch; where it is false, the process ends.
        trial: gets the validation loss of each epoch.

    Returns:
        The metric of the sweep.

    Raises:
        TrialPruned: others did better at the same epoch, or the training diverged.
    """
    tags = provenance.tags("sweep")
    # First of all: whoever finds this process gone gives the trial to another worker.
    trial.set_user_attr(study.PROCESS, tags[provenance.PROCESS])
    values = {knob.path: knob.suggest(trial) for knob in job.space.knobs}
    with quiet.importing_tensorflow():
        import keras

        from digits.training import training
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each trial is a graph of its own
    with record.trial_run(trial, tags | record.tags_of(job.place.name, job.parent)) as run:
        params = job.space.params(values)
        recipe = params.train.recipe(job.space.model)
        run.log_params(recipe.flat() | {"images": job.space.images})
        images = _some(splits.load(TRAINING), job.space.images, params.train.seed)
        classes = catalogue.find(params.data.name).classes
        lesson = training.Lesson(images, splits.load(VALIDATION), classes)
        measured: dict[str, float] = {}

        def on_epoch(epoch: int, logs: dict[str, float]) -> None:
            if not is_wanted():
                raise SystemExit("the sweep was ended")
            measured.update(logs)
            run.log_metrics(logs, epoch)
            sign = 1 if job.space.direction == "minimize" else -1  # the study's way, of a loss
            trial.report(sign * logs["val_loss"], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        begun = time.process_time()
        try:
            training.train_members(recipe, lesson, params.train.seed, job.threads, on_epoch)
        except UserError as error:  # it diverged: the values are bad, and no more
            trial.set_user_attr(PROBLEM, str(error))
            raise optuna.TrialPruned(str(error)) from None
        finally:
            seconds = time.process_time() - begun
            trial.set_user_attr(study.SECONDS, seconds)
            run.log_metrics({"training_cpu_seconds": seconds}, 0)
            keras.backend.clear_session()
            gc.collect()
    return measured[job.space.metric]


def _some(split: Split, count: int, seed: int) -> Split:
    """As many of the images, the same ones for every trial."""
    if not 0 < count < len(split.labels):
        return split
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(split.labels), count, replace=False))
    return Split(split.images[chosen], split.labels[chosen])
