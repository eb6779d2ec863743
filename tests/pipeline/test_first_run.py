"""The pipeline as its users run it: the same dvc.yaml on 1,797 real digits and tiny networks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.entities import Run
from ruamel.yaml import YAML

from digits.data.splits import Split
from tests.pipeline.content import curves, predictions
from tests.small_project import (
    MODELS,
    PIPELINE,
    TRAIN_IMAGES,
    Command,
    count,
    digest,
    outputs,
    ran,
    runs,
)


class TestFirstRun:
    def test_every_stage_has_a_finished_run_in_the_store_at_the_root(self, repo: Path) -> None:
        found = runs(repo)
        assert [run.info.run_name for run in found[MODELS]] == ["mlp", "cnn"]
        others = [run.info.run_name for run in found[PIPELINE]]
        measured = ["evaluate-mlp", "evaluate-cnn"]
        assert others == ["download", "validate", "preprocess", *measured, "compare", "card"]
        assert found.keys() == {MODELS, PIPELINE, "Default"}
        assert found["Default"] == []
        assert {run.info.status for run in found[MODELS] + found[PIPELINE]} == {"FINISHED"}

    def test_the_models_can_be_compared_by_the_same_metrics(self, repo: Path) -> None:
        mlp, cnn = runs(repo)[MODELS]
        metrics = curves(repo, cnn).keys()
        assert curves(repo, mlp).keys() == metrics
        assert {"val_accuracy", "test_accuracy", "train_parameters"} <= metrics
        assert cnn.data.params["filters"] == "[4, 8]"
        assert [step for step, _ in curves(repo, cnn)["val_loss"]] == [1, 2]

    def test_a_run_says_which_code_and_data_it_is_of(self, repo: Path, run: Command) -> None:
        _, cnn = runs(repo)[MODELS]
        commit = run(repo, "git", "rev-parse", "HEAD~1").stdout.strip()  # HEAD is the results
        assert cnn.data.tags["git.commit"] == commit
        assert cnn.data.tags["git.dirty"] == "False"
        lock = YAML().load(repo / "dvc.lock")["stages"]
        deps = lock["train@cnn"]["deps"] + lock["evaluate@cnn"]["deps"]
        known = {dep["path"]: dep["md5"] for dep in deps if dep["path"].startswith("data/")}
        datasets = [each.dataset for each in cnn.inputs.dataset_inputs]
        assert {f"data/processed/{each.name}": each.digest for each in datasets} == known

    @pytest.mark.parametrize("name", ["mlp", "cnn"])
    def test_a_model_loads_from_its_run_and_predicts_what_was_reported(
        self, repo: Path, load_model: Callable[[Path, Run], Any], handwriting: Split, name: str
    ) -> None:
        (model_run,) = (run for run in runs(repo)[MODELS] if run.info.run_name == name)
        scores = load_model(repo, model_run).predict(handwriting.images[TRAIN_IMAGES:])
        assert np.argmax(scores, axis=1).tolist() == predictions(repo, name)
        right = np.argmax(scores, axis=1) == handwriting.labels[TRAIN_IMAGES:]
        assert model_run.data.metrics["test_accuracy"] == pytest.approx(right.mean(), abs=1e-6)
        assert 0.5 < right.mean() < 1  # it has learnt something, and is not too good to be true

    def test_nothing_is_left_to_do(self, repo: Path, run: Command) -> None:
        before = count(repo)
        done = run(repo, "dvc", "repro")
        assert ran(done) == []
        assert "Data and pipelines are up to date." in done.stdout
        assert run(repo, "git", "status", "--porcelain").stdout == ""
        assert count(repo) == before

    @pytest.mark.slow
    def test_mlflow_knows_all_that_dvc_has(self, repo: Path, run: Command) -> None:
        before = count(repo)
        assert run(repo, "digits", "sync").stdout == "nothing to register\n"
        assert count(repo) == before
        shown = json.loads(run(repo, "digits", "experiments", "--json").stdout)
        models = {found.info.run_name: found.info.run_id for found in runs(repo)[MODELS]}
        assert {row["model"]: row["run"] for row in shown} == models
        assert {(row["experiment"], row["problem"]) for row in shown} == {("HEAD", "")}


class TestWrongParameters:
    def test_each_is_told_in_a_line_and_nothing_is_touched(self, repo: Path, run: Command) -> None:
        before = outputs(repo), digest(repo / "dvc.lock"), count(repo)
        wrong = ("epochs=abc", "learning_rate=-0.1", "pooling=median")
        settings = [f"--set-param=train.cnn.{setting}" for setting in wrong]
        settings.append("--set-param=+train.cnn.epoch=3")
        try:
            done = run(repo, "dvc", "exp", "run", *settings, code=255)
        finally:  # DVC leaves in params.yaml what it was told to write there
            run(repo, "git", "checkout", "params.yaml")
        start = "params: params.yaml: train.cnn."  # the resnet inherits what is wrong
        told = [line for line in done.stderr.splitlines() if line.startswith(start)]
        assert told[:3] == [
            f"{start}epochs = 'abc': must be a whole number >= 1 and <= 100000",
            f"{start}learning_rate = -0.1: must be a number > 0",
            f"{start}pooling = 'median': must be max or average",
        ]
        assert told[3].startswith(f"{start}epoch: unknown key; allowed here: members, views, ")
        assert len(told) == 4
        assert ran(done) == ["params"]
        assert "Traceback" not in done.stdout + done.stderr
        assert (outputs(repo), digest(repo / "dvc.lock"), count(repo)) == before
