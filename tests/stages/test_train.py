"""The stage as a user runs it: what it writes, logs and prints, and how it fails."""

import json
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from scipy.special import softmax

from digits import params
from digits.base import files, yaml12
from digits.base.quiet import importing_tensorflow
from digits.data import splits
from digits.inference.model import Model
from tests.small_project import LIMIT, PROMPT

with importing_tensorflow():
    import keras
    import mlflow.tensorflow

Command = Callable[..., subprocess.CompletedProcess[str]]
Trained = tuple[Path, dict[str, subprocess.CompletedProcess[str]]]
Start = Callable[..., subprocess.Popen[str]]
MODELS = ["cnn", "mlp"]
MEASURED = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}  # in each epoch
COSTS = {"temperature", "threshold", "parameters", "multiply_adds", "onnx_difference"}
TIMES = {"train_cpu_seconds", "train_wall_seconds", "training_cpu_seconds"}
AWAY = "http://127.0.0.1:9"  # the port "discard", on which nobody listens
WRITTEN = [
    "models/{}/model.keras",
    "models/{}/model.onnx",
    "reports/train/{}/curves.csv",
    "reports/train/{}/layers.csv",
    "reports/train/{}/metrics.json",
]


def written(folder: Path) -> dict[str, bytes]:
    """Every file below models/ and reports/, half-written ones too."""
    found = [path for name in ("models", "reports") for path in (folder / name).rglob("*")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(found) if p.is_file()}


def name_of(key: str) -> str:
    """What the run calls a measure of the training."""
    return key if key.startswith("val_") else f"train_{key}"


def all_runs(folder: Path) -> list[Run]:
    """The runs of the workspace's models, the newest first."""
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("digits-models")
    assert experiment is not None
    return client.search_runs([experiment.experiment_id])


def said(stderr: str) -> str:
    """What `-X importtime` leaves of stderr."""
    return re.sub(r"^import time:.*\n", "", stderr, flags=re.MULTILINE)


def imported(stderr: str) -> set[str]:
    return set(re.findall(r"\| +(\S+)$", stderr, re.MULTILINE))


@pytest.fixture(scope="module", autouse=True)
def no_variables() -> Iterator[None]:
    """What the user told MLflow is no matter of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DVC_ROOT", raising=False)
        patch.setenv("MLFLOW_TRACKING_URI", "")
        yield


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, make_workspace: Callable[[Path], Path]
) -> Path:
    """A workspace with reports of an earlier training, for trainings that do not end well."""
    folder = make_workspace(tmp_path_factory.mktemp("workspace"))
    for model in MODELS:
        report = folder / f"reports/train/{model}/metrics.json"
        report.parent.mkdir(parents=True)
        report.write_text("earlier")
    return folder


@pytest.mark.slow
class TestTrained:
    """Both models, trained at once in a workspace without a store."""

    def test_writes_its_outputs_and_nothing_else(self, trained: Trained) -> None:
        folder, _ = trained
        expected = {path.format(model) for path in WRITTEN for model in MODELS}
        assert set(written(folder)) == expected
        assert not list(folder.rglob("*.partial*"))

    @pytest.mark.parametrize("model", MODELS)
    def test_prints_its_epochs_and_nothing_else(self, trained: Trained, model: str) -> None:
        done = trained[1][model]
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert lines[::2] == ["Epoch 1/3", "Epoch 2/3", "Epoch 3/3"]
        for line in lines[1::2]:
            assert re.fullmatch(
                r"43/43 - \d+s - \d+ms/step - accuracy: [\d.]+ - loss: [\d.]+ "
                r"- val_accuracy: [\d.]+ - val_loss: [\d.]+",
                line,
            )

    @pytest.mark.parametrize("model", MODELS)
    def test_reports_the_last_epoch_and_the_costs(self, trained: Trained, model: str) -> None:
        reports = trained[0] / "reports/train" / model
        metrics = json.loads((reports / "metrics.json").read_text())
        assert set(metrics) == MEASURED - {"learning_rate"} | COSTS
        curves = pd.read_csv(reports / "curves.csv")
        assert set(curves) == {"epoch"} | MEASURED
        assert curves["epoch"].tolist() == [1, 2, 3]
        assert curves["learning_rate"].iloc[-1] == 0
        for key in MEASURED - {"learning_rate"}:
            assert metrics[key] == curves[key].iloc[-1]
        assert metrics["val_accuracy"] > 0.9
        layers = pd.read_csv(reports / "layers.csv")
        assert layers["parameters"].sum() == metrics["parameters"]
        views = {"mlp": 1, "cnn": 5}[model]
        assert views * layers["multiply_adds"].sum() == metrics["multiply_adds"]

    def test_a_second_time_gives_the_same_bytes(
        self,
        trained: Trained,
        tmp_path: Path,
        make_workspace: Callable[[Path], Path],
        start: Start,
    ) -> None:
        folder = make_workspace(tmp_path / "elsewhere")
        processes = [start(folder, "stages.train", m, PYTHONHASHSEED="1") for m in MODELS]
        for process in processes:
            _, stderr = process.communicate(timeout=LIMIT)
            assert (process.returncode, stderr) == (0, "")
        assert written(folder) == written(trained[0])


@pytest.fixture
def runs(trained: Trained) -> Iterator[dict[str, Run]]:
    """The runs of both models, in the store that MLflow is set to."""
    mlflow.set_tracking_uri(f"sqlite:///{trained[0]}/mlflow.db")
    yield {run.info.run_name: run for run in all_runs(trained[0])}
    mlflow.set_tracking_uri(None)


@pytest.mark.slow
class TestRun:
    """What the store holds of a training."""

    def test_there_is_one_for_each_model(self, runs: dict[str, Run], trained: Trained) -> None:
        assert len(all_runs(trained[0])) == 2
        assert {name: run.info.status for name, run in runs.items()} == {
            "cnn": "FINISHED",
            "mlp": "FINISHED",
        }

    @pytest.mark.parametrize("model", MODELS)
    def test_parameters(self, runs: dict[str, Run], trained: Trained, model: str) -> None:
        train = params.load(trained[0] / "params.yaml").train
        expected = {**train.flat_of(model), "data.name": "mnist"}
        assert runs[model].data.tags["data.name"] == "mnist"
        logged = runs[model].data.params
        assert logged.keys() == expected.keys()
        assert {key: yaml12.parse(text) for key, text in logged.items()} == expected

    def test_parameters_of_both_have_the_same_names(self, runs: dict[str, Run]) -> None:
        cnn, mlp = (set(runs[model].data.params) for model in MODELS)
        assert mlp < cnn
        assert cnn - mlp == {
            "filters",
            "kernel_sizes",
            "strides",
            "padding",
            "pool_sizes",
            "pooling",
        }

    @pytest.mark.parametrize("model", MODELS)
    def test_metrics(self, runs: dict[str, Run], trained: Trained, model: str) -> None:
        client, run = mlflow.MlflowClient(), runs[model]
        logged = {key for key in run.data.metrics if not key.startswith("system/")}
        assert logged == {name_of(key) for key in MEASURED | COSTS} | TIMES
        curves = pd.read_csv(trained[0] / "reports/train" / model / "curves.csv")
        for key in MEASURED:
            history = client.get_metric_history(run.info.run_id, name_of(key))
            assert [metric.step for metric in history] == [1, 2, 3]
            assert np.allclose([metric.value for metric in history], curves[key], atol=1e-6)
        reported = json.loads(written(trained[0])[f"reports/train/{model}/metrics.json"])
        for key in COSTS:
            (metric,) = client.get_metric_history(run.info.run_id, name_of(key))
            assert metric.value == reported[key]

    @pytest.mark.parametrize("model", MODELS)
    def test_is_joined_to_the_files_by_their_md5(
        self, runs: dict[str, Run], trained: Trained, model: str
    ) -> None:
        folder, run = trained[0], runs[model]
        assert run.data.tags["model.md5"] == files.md5(folder / "models" / model)
        assert run.data.tags["onnx.md5"] == files.md5(folder / "models" / model / "model.onnx")
        inputs = {
            tag.value: data.dataset.digest
            for data in run.inputs.dataset_inputs
            for tag in data.tags
        }
        assert inputs == {
            split: files.md5(folder / f"data/processed/{split}.npz")
            for split in ("train", "validation")
        }

    @pytest.mark.parametrize("model", MODELS)
    def test_artifacts(self, runs: dict[str, Run], trained: Trained, model: str) -> None:
        place = Path(runs[model].info.artifact_uri)
        logged = {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*.*")}
        reports = Path("reports/train", model)
        expected = {
            f"train/{name}": written(trained[0])[str(reports / name)]
            for name in ("curves.csv", "layers.csv", "metrics.json")
        }
        expected["onnx/model.onnx"] = written(trained[0])[f"models/{model}/model.onnx"]
        assert logged == expected

    @pytest.mark.parametrize("model", MODELS)
    def test_the_model_loads_and_predicts_as_the_file_does(
        self, runs: dict[str, Run], trained: Trained, model: str
    ) -> None:
        uri = f"runs:/{runs[model].info.run_id}/{model}"
        images = splits.load(trained[0] / "data/processed/validation.npz").images[:100]
        kept = keras.saving.load_model(trained[0] / f"models/{model}/model.keras", compile=False)
        expected = kept.predict(images, verbose=0)

        generic = mlflow.pyfunc.load_model(uri)
        assert np.array_equal(generic.predict(images), expected)
        assert np.array_equal(
            mlflow.tensorflow.load_model(uri).predict(images, verbose=0), expected
        )
        (images_schema,) = generic.metadata.signature.inputs
        assert (images_schema.type, images_schema.shape) == (np.dtype("uint8"), (-1, 28, 28))
        (output,) = generic.metadata.signature.outputs
        assert (output.type, output.shape) == (np.dtype("float32"), (-1, 10))
        with pytest.raises(mlflow.MlflowException, match="float32"):
            generic.predict(images / np.float32(255))  # scaled already: refused, not misread


@pytest.fixture(scope="class")
def ensemble(
    tmp_path_factory: pytest.TempPathFactory,
    make_workspace: Callable[[Path], Path],
    set_params: Callable[..., None],
    start: Start,
) -> tuple[Path, str]:
    """A workspace in which two members were trained, and what that printed."""
    folder = make_workspace(tmp_path_factory.mktemp("ensemble"))
    set_params(folder, members="2", epochs="2")
    stdout, stderr = start(folder, "stages.train", "mlp").communicate(timeout=LIMIT)
    assert stderr == ""
    return folder, stdout


@pytest.mark.slow
class TestEnsemble:
    """Two members that each look at five views."""

    def test_its_epochs_are_counted_on_over_the_members(self, ensemble: tuple[Path, str]) -> None:
        folder, stdout = ensemble
        assert re.findall(r"^Epoch .*", stdout, re.MULTILINE) == ["Epoch 1/2", "Epoch 2/2"] * 2
        curves = pd.read_csv(folder / "reports/train/mlp/curves.csv")
        assert curves["epoch"].tolist() == [1, 2, 3, 4]
        assert curves["learning_rate"].iloc[[1, 3]].tolist() == [0, 0]
        assert curves["loss"][2] > curves["loss"][1]  # the second begins anew
        assert curves["loss"][2] != curves["loss"][0]  # with another seed
        (run,) = all_runs(folder)
        history = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").get_metric_history(
            run.info.run_id, "val_loss"
        )
        assert [metric.step for metric in history] == [1, 2, 3, 4]

    def test_its_costs_are_those_of_all_members(self, ensemble: tuple[Path, str]) -> None:
        reports = ensemble[0] / "reports/train/mlp"
        metrics = json.loads((reports / "metrics.json").read_text())
        layers = pd.read_csv(reports / "layers.csv")  # of one member
        assert metrics["parameters"] == 2 * layers["parameters"].sum()
        assert metrics["multiply_adds"] == 2 * layers["multiply_adds"].sum()
        model = Model(ensemble[0] / "models/mlp/model.onnx")
        assert model.parameters == metrics["parameters"]
        assert model.multiply_adds == metrics["multiply_adds"]

    def test_its_members_are_of_seeds_one_apart(
        self,
        ensemble: tuple[Path, str],
        tmp_path: Path,
        make_workspace: Callable[[Path], Path],
        set_params: Callable[..., None],
        start: Start,
    ) -> None:
        folder = make_workspace(tmp_path / "alone")
        set_params(folder, seed="1", epochs="2")
        _, stderr = start(folder, "stages.train", "mlp").communicate(timeout=LIMIT)
        assert stderr == ""
        images = splits.load(folder / "data/processed/validation.npz").images
        alone = Model(folder / "models/mlp/model.onnx").predict(images)
        together = Model(ensemble[0] / "models/mlp/model.onnx")
        first, second = together.answers(images)
        # Each of the two models has a temperature of its own.
        own, shared = (
            json.loads((each / "reports/train/mlp/metrics.json").read_text())["temperature"]
            for each in (folder, ensemble[0])
        )
        tempered = softmax(np.log(alone) * own / shared, axis=1)
        np.testing.assert_allclose(second, tempered, atol=1e-4)
        assert np.abs(first - second).max() > 0.01
        np.testing.assert_allclose((first + second) / 2, together.predict(images), atol=1e-6)


class TestRefused:
    """What is wrong from the start is told before anything slow is imported."""

    def refused(self, python: Command, *arguments: str, **options: Any) -> tuple[str, set[str]]:
        done = python("-X", "importtime", "-m", "stages.train", *arguments, **options)
        assert (done.returncode, done.stdout) == (1, "")
        assert said(done.stderr).count("\n") == 1
        return said(done.stderr), imported(done.stderr)

    def test_a_wrong_name(self, workspace: Path, python: Command) -> None:
        message, modules = self.refused(python, "svm", cwd=workspace)
        assert message == "train: model 'svm': must be mlp or cnn, see params.yaml\n"
        assert not modules & {"tensorflow", "mlflow", "pandas"}

    def test_a_wrong_parameter(self, workspace: Path, python: Command, tmp_path: Path) -> None:
        text = (workspace / "params.yaml").read_text()
        (tmp_path / "params.yaml").write_text(text.replace("filters: [16,", "filters: [big,", 1))
        message, modules = self.refused(python, "cnn")
        assert message == (
            "train: params.yaml: train.cnn.filters[0] = 'big': "
            "must be a whole number >= 1 and <= 65536\n"
        )
        assert not modules & {"tensorflow", "mlflow", "pandas"}

    def test_a_server_that_is_down(self, workspace: Path, python: Command) -> None:
        before, started = written(workspace), time.monotonic()
        message, modules = self.refused(
            python, "mlp", cwd=workspace, env={"MLFLOW_TRACKING_URI": AWAY}
        )
        assert time.monotonic() - started < PROMPT
        assert message.startswith(f"train: MLflow's store {AWAY} does not answer")
        assert not modules & {"tensorflow", "keras"}
        assert written(workspace) == before


def test_help_tells_what_each_parameter_may_be(python: Command) -> None:
    done = python("-X", "importtime", "-m", "stages.train", "--help")
    assert (done.returncode, said(done.stderr)) == (0, "")
    for key, allowed, _ in params.table("train"):
        assert re.search(rf"^  {re.escape(f'{key} ')} *{re.escape(allowed)}: ", done.stdout, re.M)
    assert not imported(done.stderr) & {"tensorflow", "mlflow", "pandas"}


class TestFailed:
    """After a failure the earlier reports are as they were, and no model is there."""

    @pytest.fixture(autouse=True)
    def _leaves_no_trace(self, workspace: Path) -> Iterator[None]:
        before = written(workspace)
        yield
        assert written(workspace) == before
        assert not list(workspace.rglob("*.partial*"))

    @pytest.mark.slow
    def test_a_loss_that_diverges(
        self, workspace: Path, set_params: Callable[..., None], start: Start
    ) -> None:
        set_params(workspace, batch_normalization="false", learning_rate="1e12")
        process = start(workspace, "stages.train", "mlp")
        _, stderr = process.communicate(timeout=LIMIT)
        assert process.returncode == 1
        assert re.fullmatch(
            r"train: loss is (nan|inf) after epoch 1: training diverged; "
            r"try a learning_rate below 1e\+12\n",
            stderr,
        )
        assert all_runs(workspace)[0].info.status == "FAILED"

    @pytest.mark.slow
    def test_a_disk_that_is_full(
        self, workspace: Path, set_params: Callable[..., None], start: Start
    ) -> None:
        set_params(workspace, epochs="1")
        process = start(workspace, "stages.train", "mlp")
        # Files may have 2 MB: MLflow's database needs half of that, the model has 2.7.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        _, stderr = process.communicate(timeout=LIMIT)
        assert (process.returncode, stderr) == (1, "train: [Errno 27] File too large\n")
        assert all_runs(workspace)[0].info.status == "FAILED"

    @pytest.mark.slow
    def test_a_signal(self, workspace: Path, set_params: Callable[..., None], start: Start) -> None:
        set_params(workspace, epochs="100000")
        ends = {signal.SIGTERM: (143, ""), signal.SIGINT: (130, "train: interrupted\n")}
        processes = {
            number: start(workspace, "stages.train", model)
            for number, model in zip(ends, MODELS, strict=True)
        }
        for process in processes.values():
            assert process.stdout is not None
            while not process.stdout.readline().startswith("Epoch 3/"):
                assert process.poll() is None
        seconds, errors = {}, {}
        for number, process in processes.items():  # both are ended before anything may fail
            started = time.monotonic()
            process.send_signal(number)
            _, errors[number] = process.communicate(timeout=LIMIT)
            seconds[number] = time.monotonic() - started
        for number, process in processes.items():
            stderr = errors[number]
            assert seconds[number] < PROMPT
            if process.returncode == -signal.SIGABRT:
                # It is the end of a killed training all the same, and handled as one.
                pytest.xfail(f"TensorFlow's threads aborted while Python unwound: {stderr}")
            assert (process.returncode, stderr) == ends[number]
        assert [run.info.status for run in all_runs(workspace)[:2]] == ["KILLED", "KILLED"]
