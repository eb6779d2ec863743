"""The best trial's experiment: one that is there already has to be of its values."""

import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest

from digits.base.errors import UserError
from digits.sweeping import experiment, space
from tests.small_project import ROOT, edited

NAME = "rates-mlp-0"
RATE = "train.mlp.learning_rate"


@pytest.fixture
def sweep(repository: Any, monkeypatch: pytest.MonkeyPatch) -> space.Space:
    """A space in a repository where `rates-mlp-0` is an experiment with a rate of 0.02."""
    monkeypatch.chdir(repository.root)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    repository.write({"rates.yaml": f"space: {{{RATE}: [0.02, 0.03]}}"})
    baseline = repository.commit()
    with edited(Path("params.yaml")) as params:
        params["train"]["mlp"]["learning_rate"] = 0.02
    made = repository.commit()
    repository.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{NAME}", made)
    repository.git("reset", "--quiet", "--hard", baseline)
    monkeypatch.setattr(experiment.runs, "known", set)

    def run(*_: Any, **__: Any) -> None:
        pytest.fail("DVC runs an experiment that is there")

    monkeypatch.setattr(experiment.subprocess, "run", run)
    return space.read(Path("rates.yaml"), "mlp")


def carry_out(sweep: space.Space, rate: float) -> str:
    """What the command says; it ends at the latest where it needs the training's results."""
    found = optuna.create_study(study_name="rates-mlp")
    found.enqueue_trial({RATE: str(rate)})
    found.optimize(lambda trial: sweep.knobs[0].suggest(trial), n_trials=1)
    with pytest.raises(UserError) as caught:
        experiment.carry_out(found, sweep, found.best_trial, {RATE: rate})
    return str(caught.value)


def test_an_experiment_of_the_same_values_is_used(sweep: space.Space) -> None:
    assert carry_out(sweep, 0.02) == f"{NAME}: has no dvc.lock"


def test_an_experiment_of_other_values_is_refused(sweep: space.Space) -> None:
    assert carry_out(sweep, 0.03) == (
        f"{NAME}: an experiment of that name has other values of {RATE}: `dvc exp remove {NAME}` "
        "removes it, and the same command goes on; or give another --name"
    )


def test_an_experiment_of_another_recipe_or_seed_is_refused(sweep: space.Space) -> None:
    with edited(Path("params.yaml")) as params:
        params["train"]["seed"] += 1
        params["train"]["mlp"]["augmentation"]["shift"] += 1
        params["train"]["cnn"]["epochs"] += 1  # of another model
        params["train"]["threads"] += 1  # may be changed while a sweep goes on
    message = carry_out(space.read(Path("rates.yaml"), "mlp"), 0.02)
    assert "has other values of train.seed, train.mlp.augmentation.shift: `dvc" in message
