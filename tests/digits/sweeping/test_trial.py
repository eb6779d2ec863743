"""What a trial is worth, and which files it opens."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import optuna
import pytest

from digits.base.quiet import importing_tensorflow
from digits.data import splits
from digits.data.splits import Split
from digits.sweeping import record, running, space, study, trial
from tests.small_project import edited

with importing_tensorflow():
    import keras

    from digits.training import training

VALUES = {"train.mlp.learning_rate": 0.1, "train.mlp.optimizer": '"sgd"'}


@pytest.fixture
def job(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> trial.Job:
    # TensorFlow takes its threads once, and here other tests may have begun to compute.
    seed = keras.utils.set_random_seed
    monkeypatch.setattr(training, "be_deterministic", lambda number, _: seed(number))
    found = space.read(Path("rates.yaml"), "mlp")
    place = study.Place(study.default_url(), "rates-mlp")
    with record.sweep_run(study.create(place, found, {}), {}) as run:
        return trial.Job(found, place, 1, run.run_id, str(workspace), "", 1)


def test_a_trial_is_worth_the_validation_loss_of_its_last_epoch(
    job: trial.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def load(path: Path) -> Split:
        opened.append(path.as_posix())
        return splits_load(path)

    splits_load = splits.load
    monkeypatch.setattr(splits, "load", load)
    found = study.load(job.place, job.space)
    found.enqueue_trial(VALUES)
    found.optimize(lambda each: trial.objective(job, lambda: True, each), n_trials=1)
    (ended,) = found.trials
    run = mlflow.MlflowClient().get_run(ended.user_attrs[study.RUN])
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "val_loss")
    losses = {metric.step: metric.value for metric in history}
    assert ended.value == losses[3]
    assert losses == ended.intermediate_values
    assert 0.1 < ended.value < 2
    assert opened == ["data/processed/train.npz", "data/processed/validation.npz"]
    assert run.data.tags[record.PARENT] == job.parent
    assert run.data.tags[record.STATE] == "complete"
    assert run.data.params["learning_rate"] == "0.1"
    assert not [key for key in run.data.metrics if "test" in key]


@pytest.mark.slow
def test_a_training_that_diverges_is_pruned_and_says_why(job: trial.Job) -> None:
    knobs = [space.Knob("train.mlp.learning_rate", (1e30,)), *job.space.knobs[1:]]
    job = replace(job, space=replace(job.space, knobs=knobs))
    found = optuna.create_study()
    found.enqueue_trial({"train.mlp.learning_rate": "1e+30", "train.mlp.optimizer": '"sgd"'})
    found.optimize(lambda each: trial.objective(job, lambda: True, each), n_trials=1)
    (ended,) = found.trials
    assert ended.state == optuna.trial.TrialState.PRUNED
    assert "training diverged" in ended.user_attrs[trial.PROBLEM]


@pytest.mark.slow  # tests/test_server.py kills a worker of a whole sweep
def test_a_killed_trial_is_retried_with_its_values_and_its_run_is_closed(job: trial.Job) -> None:
    found = study.load(job.place, job.space)
    client = mlflow.MlflowClient()
    killed = found.ask()
    values = [knob.suggest(killed) for knob in job.space.knobs]
    run = client.create_run(client.get_run(job.parent).info.experiment_id)
    killed.set_user_attr(study.RUN, run.info.run_id)
    study.release_killed(found)  # whose process is not known is left to its heartbeat
    assert [each.state.name for each in found.trials] == ["RUNNING"]
    gone = record.provenance.tags("sweep")[record.provenance.PROCESS].split(":")
    killed.set_user_attr(study.PROCESS, ":".join([gone[0], "1.0", *gone[2:]]))
    study.release_killed(found)
    study.release_killed(found)  # once is enough
    failed, again = found.trials
    assert (failed.state.name, again.state.name) == ("FAIL", "WAITING")
    assert again.params == failed.params
    assert client.get_run(run.info.run_id).info.status == "KILLED"
    retried = found.ask()
    assert [knob.suggest(retried) for knob in job.space.knobs] == values
    assert study.PROCESS not in retried.user_attrs


def test_a_trial_that_another_worker_ended_is_no_failure(
    job: trial.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = study.load(job.place, job.space)

    def objective(_job: trial.Job, _is_wanted: Callable[[], bool], own: optuna.Trial) -> float:
        opened.tell(own.number, state=optuna.trial.TrialState.PRUNED)
        own.report(0.5, 1)
        return 0.5

    monkeypatch.setattr(trial, "objective", objective)
    assert running.work(job)
    assert [each.state for each in opened.trials] == [optuna.trial.TrialState.PRUNED]


@pytest.mark.parametrize(
    ("epochs", "longest"), [([5, 30], 30), ([3, 2], 3), ({"low": 5, "high": 30}, 30)]
)
def test_the_pruner_knows_the_longest_trial(job: trial.Job, epochs: object, longest: int) -> None:
    with edited(Path("rates.yaml")) as file:
        file["trial"] = {}
        file["space"]["train.mlp.epochs"] = epochs
    pruner = study.load(job.place, space.read(Path("rates.yaml"), "mlp")).pruner
    assert pruner._max_resource == longest


def test_a_sweep_of_another_space_or_data_is_refused(job: trial.Job) -> None:
    again = study.create(job.place, job.space, {})
    assert again.study_name == "rates-mlp"
    with pytest.raises(study.UserError, match="begun with other values of data; give another"):
        study.create(job.place, job.space, {"data/processed/train.npz": "0"})


@pytest.mark.parametrize("url", ["postgresql://nobody:secret@127.0.0.1:1/sweeps", "nonsense://x"])
def test_a_database_that_does_not_answer_is_a_line_without_its_password(
    job: trial.Job, url: str
) -> None:
    with pytest.raises(study.UserError, match="--storage: the database does not") as caught:
        study.create(study.Place(url, "x"), job.space, {})
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
