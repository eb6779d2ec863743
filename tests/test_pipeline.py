"""The pipeline as its users run it: the same dvc.yaml on 1,797 real digits and tiny networks.

One repository is built, run and committed; a test that changes something takes a copy.
MLflow stores absolute paths, so that a copy begins without a store.
"""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import psutil
import pytest
from mlflow.entities import Run
from ruamel.yaml import YAML

from digits.data.splits import Split
from tests.small_project import (
    BIN,
    LIMIT,
    MODELS,
    PIPELINE,
    STAGES,
    TRAIN_IMAGES,
    Command,
    count,
    digest,
    edited,
    outputs,
    ran,
    runs,
    store,
    wait_for,
)

# As CI calls it, but with the environment that runs the tests.
MAKE = ("make", "--old-file=.venv/installed")


def curves(folder: Path, model_run: Run) -> dict[str, list[tuple[int, float]]]:
    """The steps and values of each metric of a run, but for those of the machine and the moment."""
    client = store(folder)
    names = model_run.data.metrics.keys() - {"cpu_seconds", "wall_seconds", "training_cpu_seconds"}
    return {
        name: [(m.step, m.value) for m in client.get_metric_history(model_run.info.run_id, name)]
        for name in names
    }


@pytest.fixture(scope="module")
def clone(repo: Path, tmp_path_factory: pytest.TempPathFactory, run: Command) -> Path:
    """What `git clone` gives: no data, no models, no cache, no remote."""
    folder = tmp_path_factory.mktemp("clone")
    run(folder, "git", "clone", repo, ".")
    shutil.copytree(repo / ".venv", folder / ".venv")
    return folder


def predictions(folder: Path, model: str) -> list[int]:
    with (folder / "reports/evaluate" / model / "predictions.csv").open(newline="") as file:
        return [int(row["predicted"]) for row in csv.DictReader(file)]


@pytest.fixture
def load_model(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Run], Any]:
    """Load the model of a run by MLflow's generic interface."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it: restored at the end

    def load(folder: Path, model_run: Run) -> Any:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        return mlflow.pyfunc.load_model(f"runs:/{model_run.info.run_id}/model")

    return load


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
        assert mlp.data.metrics.keys() == cnn.data.metrics.keys()
        assert {"val_accuracy", "test_accuracy", "parameters"} <= cnn.data.metrics.keys()
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
        told = [line for line in done.stderr.splitlines() if line.startswith("params: ")]
        start = "params: params.yaml: train.cnn."
        assert told[:3] == [
            f"{start}epochs = 'abc': must be a whole number >= 1",
            f"{start}learning_rate = -0.1: must be a number > 0",
            f"{start}pooling = 'median': must be max or average",
        ]
        assert told[3].startswith(f"{start}epoch: unknown key; allowed here: members, views, ")
        assert len(told) == 4
        assert ran(done) == ["params"]
        assert "Traceback" not in done.stdout + done.stderr
        assert (outputs(repo), digest(repo / "dvc.lock"), count(repo)) == before


class TestClone:
    """In the order of the file: the last test runs the pipeline in the clone."""

    def test_metrics_and_parameters_show(self, clone: Path, run: Command) -> None:
        def lines(*command: str) -> list[list[str]]:
            return [line.split() for line in run(clone, "dvc", *command).stdout.splitlines()]

        header, *rows = lines("metrics", "show")
        shown = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
        evaluated = shown["reports/evaluate/cnn/metrics.json"]
        assert 0.5 < float(evaluated["accuracy"]) < 1
        changes = lines("metrics", "diff", "HEAD~1")
        assert ["reports/evaluate/cnn/metrics.json", "accuracy"] in [row[:2] for row in changes]
        changes = lines("params", "diff", "HEAD~2")
        assert ["params.yaml", "data.name", "mnist", "handwriting"] in changes
        table = run(clone, "dvc", "exp", "show", "--csv").stdout.splitlines()
        row = next(row for row in csv.DictReader(table) if row["rev"] == "main")
        accuracy = float(row["reports/evaluate/cnn/metrics.json:accuracy"])
        assert accuracy == pytest.approx(float(evaluated["accuracy"]), abs=1e-5)
        assert "| main " in run(clone, "dvc", "exp", "show", "--md").stdout

    def test_plots_show_without_a_network(self, clone: Path, run: Command) -> None:
        run(clone, "dvc", "plots", "show")
        page = (clone / "dvc_plots/index.html").read_text()
        for content in ("Loss on the validation images", "val_accuracy", "feature_maps.png"):
            assert content in page
        assert re.findall(r"<(?:script|link)\b[^>]*\b(?:src|href)=", page) == []
        assert re.findall(r"<img src=\"(?:https?:)?//", page) == []
        assert run(clone, "git", "status", "--porcelain").stdout == ""

    def test_the_lock_is_known_to_be_current_without_the_data(
        self, clone: Path, run: Command
    ) -> None:
        assert run(clone, *MAKE, "verify").stdout == "dvc.lock is up to date\n"
        with edited(clone / "params.yaml") as params:
            params["train"]["mlp"]["epochs"] = 3
        done = run(clone, *MAKE, "verify", code=2)
        run(clone, "git", "checkout", "params.yaml")
        assert "train@mlp" in done.stderr
        assert "dvc.lock is out of date: run `make repro`" in done.stderr

    def test_the_review_needs_no_more_than_the_clone(self, clone: Path, run: Command) -> None:
        run(clone, *MAKE, "review", "BASE=origin/main")
        assert (clone / "review.md").read_text().startswith("<!-- digits diff -->\n")
        assert run(clone, "git", "status", "--porcelain").stdout == ""

    def test_without_the_environment_a_line_says_what_to_do(
        self, clone: Path, run: Command, environment: dict[str, str], tmp_path: Path
    ) -> None:
        venv.create(tmp_path, symlinks=True)  # a python3 without packages, like a system's
        path = f"{tmp_path / 'bin'}{os.pathsep}{environment['PATH']}"
        done = run(clone, BIN / "dvc", "repro", code=255, env={"PATH": path})
        assert ran(done) == ["download"]
        advice, failure = done.stderr.splitlines()
        assert advice.startswith(f"{tmp_path / 'bin' / 'python3'} has none of the project's pack")
        assert "make repro" in advice
        assert failure.startswith("ERROR: failed to reproduce 'download'")

    def test_what_is_not_here_cannot_be_registered(self, clone: Path, run: Command) -> None:
        done = run(clone, "digits", "sync", code=1)
        (told,) = done.stderr.splitlines()
        assert told.startswith("digits: workspace: models/mlp of train@mlp is neither here nor in")
        assert "dvc pull" in told
        assert runs(clone)[MODELS] == []

    @pytest.mark.slow
    def test_forced_in_another_folder_every_byte_is_the_same(
        self, clone: Path, repo: Path, run: Command
    ) -> None:
        assert ran(run(clone, *MAKE, "nightly")) == STAGES.split()
        assert run(clone, "git", "status", "--porcelain").stdout == ""
        assert outputs(clone) == outputs(repo)


class TestStore:
    @pytest.mark.slow
    def test_a_models_run_is_restored_from_its_files(
        self,
        repo: Path,
        copy: Callable[[], Path],
        run: Command,
        load_model: Callable[[Path, Run], Any],
        handwriting: Split,
    ) -> None:
        folder = copy()
        run(folder, "dvc", "repro", "--force", "--single-item", "evaluate@cnn")
        _, original = runs(repo)[MODELS]
        (restored,) = runs(folder)[MODELS]
        assert restored.data.tags["restored"] == "true"
        assert "restored" not in original.data.tags
        assert restored.info.run_name == "cnn"
        assert restored.info.status == "FINISHED"
        assert restored.data.params == original.data.params
        before, after = curves(repo, original), curves(folder, restored)
        assert after.keys() == before.keys()
        for name in before:  # from files, which hold six decimals
            np.testing.assert_allclose(after[name], before[name], atol=1e-6, err_msg=name)
        scores = load_model(folder, restored).predict(handwriting.images[TRAIN_IMAGES:])
        assert np.argmax(scores, axis=1).tolist() == predictions(repo, "cnn")
        assert run(folder, "git", "status", "--porcelain").stdout == ""

    @pytest.mark.slow
    def test_another_revision_is_registered_without_a_checkout(
        self, copy: Callable[[], Path], run: Command
    ) -> None:
        folder = copy()
        run(folder, "git", "rm", "--quiet", "-r", "--cached", "reports")
        shutil.rmtree(folder / "models")
        shutil.rmtree(folder / "reports")
        told = run(folder, "digits", "sync", code=1).stderr
        assert told.startswith("digits: workspace: models/mlp of train@mlp is neither here nor in")
        run(folder, "digits", "sync", "--rev", "main")
        commit = run(folder, "git", "rev-parse", "main").stdout.strip()
        assert {found.data.tags["git.commit"] for found in runs(folder)[MODELS]} == {commit}
        assert all("test_accuracy" in found.data.metrics for found in runs(folder)[MODELS])
        assert not (folder / "models").exists()

    @pytest.mark.slow
    def test_a_killed_training_leaves_nothing_half_done(
        self, copy: Callable[[], Path], run: Command, environment: dict[str, str]
    ) -> None:
        folder = copy()
        with edited(folder / "params.yaml") as params:
            params["train"]["mlp"]["epochs"] = 60
        command = ("dvc", "repro", "train@mlp")
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=folder, env=environment, stdout=pipe, stderr=pipe
        ) as repro:
            wait_for((folder / "mlflow.db").exists)
            # An epoch is over, 59 are to come.
            wait_for(lambda: any(r.data.metrics for r in runs(folder).get(MODELS, [])))
            below = psutil.Process(repro.pid).children(recursive=True)
            (training,) = (p for p in below if p.cmdline()[1:] == ["-m", "stages.train", "mlp"])
            training.send_signal(signal.SIGKILL)
            _, errors = repro.communicate(timeout=LIMIT)
        assert repro.returncode == 255
        assert b"failed to reproduce 'train@mlp'" in errors
        assert b"Traceback" not in errors
        assert not (folder / "models/mlp").exists()
        assert "partial" not in run(folder, "git", "status", "--porcelain").stdout
        (killed,) = runs(folder)[MODELS]
        assert killed.info.status == "RUNNING"  # nobody was left to say otherwise

        assert ran(run(folder, *command)) == ["train@mlp"]
        files = sorted(path.name for path in (folder / "models/mlp").iterdir())
        assert files == ["model.keras", "model.onnx"]
        assert [found.info.status for found in runs(folder)[MODELS]] == ["KILLED", "FINISHED"]
        assert list(folder.rglob("*.partial")) == []
