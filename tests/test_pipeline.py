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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import psutil
import pytest
from mlflow.entities import Run
from moto.server import ThreadedMotoServer
from ruamel.yaml import YAML

from digits.datasets import Split
from tests.small_project import (
    BIN,
    LIMIT,
    MODELS,
    PIPELINE,
    STAGES,
    TRAIN_IMAGES,
    Command,
    digest,
    edited,
    ran,
    runs_of,
    wait_for,
)

# As CI calls it, but with the environment that runs the tests.
MAKE = ("make", "--old-file=.venv/installed")


def outputs(folder: Path) -> dict[str, str]:
    """What the pipeline wrote, by path: the hash of each file."""
    files = [p for top in ("data", "models", "reports") for p in (folder / top).rglob("*")]
    return {str(path.relative_to(folder)): digest(path) for path in files if path.is_file()}


def store(folder: Path) -> mlflow.MlflowClient:
    database = folder / "mlflow.db"
    assert database.exists()  # the client would create it
    return mlflow.MlflowClient(f"sqlite:///{database}")


def runs(folder: Path) -> dict[str, list[Run]]:
    return runs_of(store(folder))


def count(folder: Path) -> dict[str, int]:
    return {experiment: len(found) for experiment, found in runs(folder).items()}


def curves(folder: Path, model_run: Run) -> dict[str, list[tuple[int, float]]]:
    """The steps and values of each metric of a run, but for those of the machine and the moment."""
    client = store(folder)
    names = model_run.data.metrics.keys() - {"cpu_seconds", "wall_seconds", "training_cpu_seconds"}
    return {
        name: [(m.step, m.value) for m in client.get_metric_history(model_run.info.run_id, name)]
        for name in names
    }


@pytest.fixture(scope="module")
def repo(new_project: Callable[[], Path], run: Command) -> Path:
    """The project on the small data set, run once and committed."""
    folder = new_project()
    done = run(folder, "dvc", "repro")
    assert ran(done) == STAGES.split()
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--message", "Results")
    return folder


@pytest.fixture(scope="module")
def copy(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Copy the repository and DVC's cache, but not MLflow's store."""

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("copy")
        stores = shutil.ignore_patterns("mlflow.db*", "mlruns")
        shutil.copytree(repo, folder, ignore=stores, symlinks=True, dirs_exist_ok=True)
        return folder

    return copy


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

    def test_forced_in_another_folder_every_byte_is_the_same(
        self, clone: Path, repo: Path, run: Command
    ) -> None:
        assert ran(run(clone, *MAKE, "nightly")) == STAGES.split()
        assert run(clone, "git", "status", "--porcelain").stdout == ""
        assert outputs(clone) == outputs(repo)


class TestStore:
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

    def test_all_runs_are_registered_from_the_files(
        self, repo: Path, copy: Callable[[], Path], run: Command
    ) -> None:
        folder = copy()
        stages = STAGES.split()[1:]  # `params` writes nothing
        done = run(folder, "digits", "sync")
        told = {f"registered {stage} of workspace" for stage in stages}
        assert set(done.stdout.splitlines()) == told | {f"{len(stages)} registered"}
        assert run(folder, "digits", "sync").stdout == "nothing to register\n"
        assert run(folder, "digits", "sync", "--rev", "HEAD").stdout == "nothing to register\n"
        assert count(folder) == count(repo)
        for experiment in (MODELS, PIPELINE):
            originals = {found.info.run_name: found for found in runs(repo)[experiment]}
            for restored in runs(folder)[experiment]:
                original = originals[restored.info.run_name]
                assert restored.data.tags["restored"] == "true"
                for tag in ("dvc.stage", "content"):
                    assert restored.data.tags[tag] == original.data.tags[tag]
                after, before = curves(folder, restored), curves(repo, original)
                for name in before.keys() & after.keys():
                    np.testing.assert_allclose(after[name], before[name], atol=1e-6, err_msg=name)
                if experiment == MODELS:
                    assert restored.data.params == original.data.params
                    assert after.keys() == before.keys()
                    inputs = [each.inputs.dataset_inputs for each in (restored, original)]
                    read, reread = [{i.dataset.digest for i in each} for each in inputs]
                    assert read == reread
        assert run(folder, "git", "status", "--porcelain").stdout == ""

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


@dataclass(frozen=True)
class Remote:
    """What `dvc remote` is told: where it is; settings for git to hold, and keys, not for git."""

    url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def folder_remote(path: Path) -> Iterator[Remote]:
    yield Remote(str(path))


@contextmanager
def s3_remote(path: Path) -> Iterator[Remote]:
    """An S3 server on a free port of loopback, with an empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        with urlopen(Request(f"{endpoint}/{path.name}", method="PUT")):  # noqa: S310
            pass
        keys = {"access_key_id": "key", "secret_access_key": "secret"}
        yield Remote(f"s3://{path.name}/digits", {"endpointurl": endpoint}, keys)
    finally:
        server.stop()


@pytest.fixture(scope="module", params=[folder_remote, s3_remote])
def pulled(
    request: pytest.FixtureRequest,
    copy: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
    run: Command,
) -> Iterator[Path]:
    """A clone that has pulled what another checkout had pushed to a remote."""
    here, there = copy(), tmp_path_factory.mktemp("there")
    with request.param(tmp_path_factory.mktemp("remote")) as remote:
        run(here, "dvc", "remote", "add", "--default", "team", remote.url)
        for name, value in remote.settings.items():
            run(here, "dvc", "remote", "modify", "team", name, value)
        run(here, "git", "commit", "--all", "--message", "A remote")
        run(there, "git", "clone", here, ".")
        shutil.copytree(here / ".venv", there / ".venv")
        for folder in (here, there):
            for name, value in remote.keys.items():
                run(folder, "dvc", "remote", "modify", "--local", "team", name, value)
        run(here, "dvc", "push", "--run-cache")
        run(there, "dvc", "pull", "--run-cache")
        yield there


class TestRemote:
    def test_nothing_is_left_to_do_after_a_pull(
        self, repo: Path, pulled: Path, run: Command
    ) -> None:
        assert outputs(pulled) == outputs(repo)
        done = run(pulled, "dvc", "repro")
        assert ran(done) == []
        assert "Data and pipelines are up to date." in done.stdout
        assert run(pulled, "git", "status", "--porcelain").stdout == ""

    def test_mlflow_learns_of_what_was_pulled(self, repo: Path, pulled: Path, run: Command) -> None:
        stages = len(STAGES.split()) - 1  # `params` writes nothing
        assert run(pulled, "digits", "sync").stdout.endswith(f"\n{stages} registered\n")
        assert count(pulled) == count(repo)
        assert {model.data.tags["restored"] for model in runs(pulled)[MODELS]} == {"true"}
        assert run(pulled, "digits", "sync").stdout == "nothing to register\n"


RATES = ("0.01", "0.02", "0.03")
OWN_CODE = """

def markdown(*arguments):
    return "Made by the experiment's own code"
"""


@pytest.fixture(scope="module")
def queued(copy: Callable[[], Path], run: Command, run_queue: Callable[..., None]) -> Path:
    """Three experiments, two at a time, on a deleted store, with code the workspace has not."""
    folder = copy()
    with (folder / "digits/comparison_table.py").open("a") as file:
        file.write(OWN_CODE)
    for rate in RATES:
        setting = f"train.mlp.learning_rate={rate}"
        run(folder, "dvc", "exp", "run", "--queue", "-n", f"rate-{rate}", "-S", setting)
    run(folder, "git", "checkout", ".")
    run_queue(folder, jobs=2)
    return folder


class TestExperiments:
    def test_all_succeed_with_their_own_code_and_parameters(
        self, queued: Path, run: Command
    ) -> None:
        status = run(queued, "dvc", "queue", "status").stdout
        logs = [run(queued, "dvc", "queue", "logs", f"rate-{rate}").stdout for rate in RATES]
        assert status.count("Success") == len(RATES), "\n".join([status, *logs])
        references = run(queued, "git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout
        tables, models = [], set()
        for rate in RATES:
            (commit,) = re.findall(rf"^refs/exps/.*/rate-{rate}$", references, re.MULTILINE)
            tables.append(run(queued, "git", "show", f"{commit}:reports/compare/table.md").stdout)
            lock = YAML().load(run(queued, "git", "show", f"{commit}:dvc.lock").stdout)
            stage = lock["stages"]["train@mlp"]
            assert stage["params"]["params.yaml"]["train.mlp"]["learning_rate"] == float(rate)
            models.add(stage["outs"][0]["md5"])
        assert tables == ["Made by the experiment's own code"] * len(RATES)
        assert len(models) == len(RATES)
        # The workspace is as it was.
        assert run(queued, "git", "status", "--porcelain").stdout == ""

    def test_their_runs_are_in_the_one_store_each_with_its_name(self, queued: Path) -> None:
        found = runs(queued)
        expected = {(f"rate-{rate}", rate) for rate in RATES}
        assert {
            (run.data.tags["dvc.experiment"], run.data.params["learning_rate"])
            for run in found[MODELS]
        } == expected
        for experiment, names in (
            (MODELS, ["mlp"]),
            (PIPELINE, ["card", "compare", "evaluate-mlp"]),
        ):
            started = sorted(run.info.run_name for run in found[experiment])
            assert started == sorted(names * len(RATES))
            assert {run.info.status for run in found[experiment]} == {"FINISHED"}
            assert len({run.data.tags["dvc.experiment"] for run in found[experiment]}) == len(RATES)
        assert found["Default"] == []
        assert all("test_accuracy" in run.data.metrics for run in found[MODELS])

    def test_they_are_shown_with_their_runs(self, queued: Path, run: Command) -> None:
        ids = {r.data.tags["dvc.experiment"]: r.info.run_id for r in runs(queued)[MODELS]}
        shown = json.loads(run(queued, "digits", "experiments", "--json").stdout)
        rows = {row["experiment"]: row for row in shown if row["experiment"] != "HEAD"}
        assert rows.keys() == ids.keys()
        for rate in RATES:
            row = rows[f"rate-{rate}"]
            assert row["model"] == "mlp"
            assert row["params"] == {"train.mlp.learning_rate": float(rate)}
            assert row["run"] == ids[f"rate-{rate}"]
            assert row["problem"] == ""
            assert 0.3 < row["metrics"]["accuracy"] < 1
        # HEAD's models have been trained elsewhere: the store does not know them.
        problems = {row["problem"] for row in shown if row["experiment"] == "HEAD"}
        assert problems == {"no run: digits sync --rev HEAD"}
        assert run(queued, "digits", "sync", "--all-experiments").stdout.count("registered ") == 8

    def test_what_was_trained_once_is_restored(self, queued: Path, run: Command) -> None:
        with edited(queued / "params.yaml") as params:
            params["train"]["mlp"]["learning_rate"] = float(RATES[0])
        done = run(queued, "dvc", "repro")
        for stage in ("train@mlp", "evaluate@mlp"):
            assert f"Stage '{stage}' is cached - skipping run, checking out outputs" in done.stdout
        assert ran(done) == ["params", "compare", "card"]
