import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest

from digits import params
from digits.base import files
from digits.base.errors import UserError
from digits.data import splits
from digits.evaluation.corruptions import CORRUPTIONS
from digits.tracking import runs as tracking
from digits.tracking import store
from stages import evaluate
from tests.small_project import LIMIT

CLASSES = [str(number) for number in range(10)]
METADATA = {"name": "net", "parameters": "15680", "multiply_adds": "15680"}
TEMPLATES = np.zeros((10, 28, 28), np.float32)
for number, template in enumerate(TEMPLATES):
    template[2 * number + 4 : 2 * number + 6] = 1  # class k: a bar, two rows high
TABLES = ["classes", "corruptions", "predictions", "reliability", "risk_coverage"]
PICTURES = [
    "confusion",
    "corruptions",
    "errors",
    "feature_maps",
    "filters",
    "reliability",
    "risk_coverage",
]

# All add up the ink on each class's bar; the CNN on a smoothed image of 14 x 14; the second
# member of the ensemble takes each class for the next.
HEADER = '<ir_version: 10, opset_import: ["" : 17]>'
MLP = """
mlp (uint8[N,28,28] images) => (float[N,10] probabilities)
<float scale = {0.0039}, int64[2] shape = {-1, 784}> {
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale)
  vector = Reshape(scaled, shape)
  ink = MatMul(vector, weights)
  hidden = Relu(ink)
  probabilities = Softmax(hidden)
}"""
CNN = """
cnn (uint8[N,28,28] images) => (float[N,10] probabilities)
<float scale = {0.0039}, int64[4] shape = {-1, 1, 28, 28}> {
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale)
  image = Reshape(scaled, shape)
  smooth = Conv<pads = [1, 1, 1, 1]>(image, kernels)
  pooled = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(smooth)
  vector = Flatten(pooled)
  ink = MatMul(vector, weights)
  probabilities = Softmax(ink)
}"""
ENSEMBLE = """
ensemble (uint8[N,28,28] images) => (float[N,10] probabilities)
<float scale = {0.0039}, int64[2] shape = {-1, 784}, int64[3] members = {2, -1, 10}> {
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale)
  vector = Reshape(scaled, shape)
  ink = MatMul(vector, weights)
  hidden = Relu(ink)
  right = Softmax(hidden)
  shifted = MatMul(vector, wrong_weights)
  wrongly_hidden = Relu(shifted)
  wrong = Softmax(wrongly_hidden)
  answers = Concat<axis = 0>(right, wrong)
  each = Reshape(answers, members)
  probabilities = ReduceMean<axes = [0], keepdims = 0>(each)
}"""
BARS = TEMPLATES.reshape(10, -1).T * 0.2
OF_THE_RUN = ("cpu_seconds", "wall_seconds")  # ends of metrics that no file has
MODELS = {"mlp": (MLP, 1), "cnn": (CNN, 1), "ensemble": (ENSEMBLE, 2)}  # their members
WEIGHTS = {
    "mlp": {"weights": BARS},
    "ensemble": {"weights": BARS, "wrong_weights": np.roll(BARS, 1, axis=1) / 2},
    "cnn": {
        "kernels": np.full((1, 1, 3, 3), 1 / 9, np.float32),
        "weights": TEMPLATES[:, ::2, ::2].reshape(10, -1).T * 0.8,
    },
}


def bars(images: int) -> splits.Split:
    """Noisy bars of all classes but the last, too faint to be told in every image."""
    rng = np.random.default_rng(0)
    labels = (np.arange(images) % 9).astype(np.uint8)
    noisy = TEMPLATES[labels] * rng.uniform(0, 80, (images, 1, 1))
    noisy += rng.uniform(0, 160, (images, 28, 28))
    return splits.Split(noisy.astype(np.uint8), labels)


def write_model(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    text, members = MODELS[name]
    model = onnx.parser.parse_model(HEADER + text)
    for key, values in WEIGHTS[name].items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, key))
    facts = {"classes": CLASSES, "recipe": {"members": members}, "data": {}}
    texts = {key: json.dumps(value) for key, value in facts.items()}
    onnx.helper.set_model_props(model, METADATA | texts)
    onnx.save(model, folder / "model.onnx")
    (folder / "model.keras").write_text(f"stands for Keras' file of {name}")
    run = tracking.open_run(store.connect(store.MODELS), name, {})
    run.log_tags({tracking.MODEL_MD5: files.md5(folder)})
    run.end("FINISHED")


@pytest.fixture(scope="module")
def checked(root: Path) -> params.Params:
    """The real parameters, but for fewer images to corrupt."""
    real = params.load(root / "params.yaml")
    fewer = real.evaluate.model_copy(update={"corrupted_images": 100})
    return real.model_copy(update={"evaluate": fewer})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, checked: params.Params) -> Iterator[Path]:
    """A workspace in which all models were trained and evaluated."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DVC_ROOT", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        evaluate.TEST.parent.mkdir(parents=True)
        splits.save(bars(600), evaluate.TEST)
        for name in MODELS:
            write_model(Path("models") / name, name)
            evaluate.main(checked, name)
        yield folder


def written(model: str) -> dict[str, bytes]:
    folders = Path("reports/evaluate") / model, Path("reports/pictures") / model
    return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}


@pytest.mark.parametrize("model", ["cnn", pytest.param("mlp", marks=pytest.mark.slow)])
def test_every_kind_of_model_gives_the_same_files(workspace: Path, model: str) -> None:
    tables, pictures = [f"{name}.csv" for name in TABLES], [f"{name}.png" for name in PICTURES]
    assert sorted(written(model)) == sorted([*tables, *pictures, "metrics.json"])


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_metrics_are_those_of_the_predictions(workspace: Path, model: str) -> None:
    scores = json.loads(written(model)["metrics.json"])
    table = pd.read_csv(f"reports/evaluate/{model}/predictions.csv")
    assert table["label"].tolist() == bars(600).labels.tolist()
    accuracy = (table["label"] == table["predicted"]).mean()
    assert 0.5 < accuracy < 1
    assert scores["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert scores["error_rate"] == pytest.approx(1 - accuracy, abs=1e-6)
    assert scores["accuracy_low"] < accuracy < scores["accuracy_high"]
    assert scores["parameters"] == scores["multiply_adds"] == 15680
    assert scores["size_bytes"] == Path(f"models/{model}/model.onnx").stat().st_size
    assert {"log_loss", "brier", "ece", "macro_f1", "top2_accuracy"} < set(scores)
    classes = pd.read_csv(f"reports/evaluate/{model}/classes.csv", dtype={"class": str})
    assert classes["class"].tolist() == CLASSES
    assert classes["recall"].isna().tolist() == [False] * 9 + [True]  # of the last: no image


@pytest.mark.parametrize("model", MODELS)
def test_corruptions_are_measured_on_a_choice_of_the_images(
    workspace: Path, checked: params.Params, model: str
) -> None:
    scores = json.loads(written(model)["metrics.json"])
    table = pd.read_csv(f"reports/evaluate/{model}/corruptions.csv")
    assert table["corruption"].tolist() == list(CORRUPTIONS)
    for name, accuracy in table.itertuples(index=False):
        assert accuracy * 100 == pytest.approx(round(accuracy * 100))  # of 100 images
        assert scores[f"corrupted_{name}"] == pytest.approx(accuracy, abs=1e-6)
    assert scores["corrupted_accuracy"] == pytest.approx(table["accuracy"].mean(), abs=1e-6)
    assert 0.1 < scores["corrupted_accuracy"] < scores["accuracy"]
    assert scores["corrupted_canny_edges"] < scores["corrupted_brightness"]


@pytest.mark.slow
def test_fewer_images_than_are_to_be_corrupted_are_all_corrupted(
    workspace: Path, checked: params.Params, capsys: pytest.CaptureFixture[str]
) -> None:
    content = evaluate.TEST.read_bytes()
    splits.save(bars(20), evaluate.TEST)
    before = written("mlp")
    try:
        evaluate.main(checked, "mlp")
        assert re.search(r"; \d+\.\d% of 20 corrupted in 15 ways\n$", capsys.readouterr().out)
        assert written("mlp") != before
    finally:
        evaluate.TEST.write_bytes(content)
        evaluate.main(checked, "mlp")
    assert written("mlp") == before


def test_each_member_of_an_ensemble_has_its_accuracy(workspace: Path) -> None:
    mlp, ensemble = (json.loads(written(m)["metrics.json"]) for m in ("mlp", "ensemble"))
    assert ensemble["member_1_accuracy"] == pytest.approx(mlp["accuracy"], abs=1e-6)
    assert ensemble["member_2_accuracy"] < 0.2
    assert ensemble["accuracy"] > 0.5
    assert not [name for name in mlp if name.startswith("member_")]
    run = tracking.find_model_run(files.md5(Path("models/ensemble")))
    assert run is not None
    logged = mlflow.get_run(run.run_id).data.metrics
    assert logged["test_member_2_accuracy"] == ensemble["member_2_accuracy"]


@pytest.mark.parametrize("model", MODELS)
def test_every_score_has_six_decimals(workspace: Path, model: str) -> None:
    scores = json.loads(written(model)["metrics.json"])
    assert {name: round(value, 6) for name, value in scores.items()} == scores


@pytest.mark.slow
def test_a_second_time_gives_the_same_bytes(workspace: Path, checked: params.Params) -> None:
    before = written("cnn")
    evaluate.main(checked, "cnn")
    assert written("cnn") == before


def test_the_run_of_the_model_gets_it_all(workspace: Path) -> None:
    run = tracking.find_model_run(files.md5(Path("models/cnn")))
    assert run is not None
    logged = mlflow.get_run(run.run_id)
    scores = json.loads(written("cnn")["metrics.json"])
    metrics = logged.data.metrics
    assert metrics["test_accuracy"] == scores["accuracy"]
    assert metrics["train_size_bytes"] == scores["size_bytes"]
    assert metrics["test_corrupted_accuracy"] == scores["corrupted_accuracy"]
    assert logged.data.tags["evaluate.calibration_bins"] == "15"
    assert [i.dataset.digest for i in logged.inputs.dataset_inputs] == [files.md5(evaluate.TEST)]
    artifacts = Path(logged.info.artifact_uri.removeprefix("file://")) / "evaluate"
    assert {path.name for path in artifacts.iterdir()} == set(written("cnn")) | {"corruptions.json"}


def test_a_damaged_model_is_refused(workspace: Path, checked: params.Params) -> None:
    path = Path("models/mlp/model.onnx")
    content = path.read_bytes()
    path.write_bytes(content[:1000])
    with pytest.raises(UserError, match=r"models/mlp/model\.onnx: not a model that `train` wrote"):
        evaluate.main(checked, "mlp")
    path.write_bytes(content)


def test_a_label_that_the_model_does_not_know_is_refused(
    workspace: Path, checked: params.Params
) -> None:
    content = evaluate.TEST.read_bytes()
    split = bars(5)
    splits.save(splits.Split(split.images, split.labels + 8), evaluate.TEST)
    with pytest.raises(UserError, match="the test split has a label 12, net knows 10 classes"):
        evaluate.main(checked, "mlp")
    evaluate.TEST.write_bytes(content)


@pytest.mark.slow
def test_the_run_of_a_model_that_the_store_does_not_know_is_restored(
    trained: tuple[Path, Any],
    handwriting: splits.Split,
    tmp_path: Path,
    start: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, _ = trained
    for name in ("models", "reports", "params.yaml"):  # as from DVC's cache and git: no mlflow.db
        source = folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / evaluate.TEST).parent.mkdir(parents=True)
    images, labels = handwriting.images[:300], handwriting.labels[:300]
    splits.save(splits.Split(images, labels), tmp_path / evaluate.TEST)
    for _ in range(2):
        process = start(tmp_path, "stages.evaluate", "mlp")
        stdout, stderr = process.communicate(timeout=LIMIT)
        assert (process.returncode, stderr) == (0, "")
        assert re.fullmatch(r"mlp: 9\d\.\d\d% of 300 test images right .*\n", stdout)

    def runs(folder: Path) -> list[mlflow.entities.Run]:
        client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
        experiment = client.get_experiment_by_name(store.MODELS)
        return client.search_runs([experiment.experiment_id], "attributes.run_name = 'mlp'")

    (original,), (restored,) = runs(folder), runs(tmp_path)  # one, not one for each evaluation
    assert restored.info.status == "FINISHED"
    assert restored.data.tags["restored"] == "true"
    assert restored.data.tags[tracking.MODEL_MD5] == original.data.tags[tracking.MODEL_MD5]
    assert restored.data.params == original.data.params
    logged = restored.data.metrics
    for key, value in original.data.metrics.items():
        if not key.startswith("system/") and not key.endswith(OF_THE_RUN):
            assert logged[key] == pytest.approx(value, abs=1e-6)
    assert logged["test_accuracy"] > 0.9
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # which MLflow sets: so it is restored
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client = mlflow.MlflowClient()
    losses = client.get_metric_history(restored.info.run_id, "val_loss")
    assert [metric.step for metric in losses] == [1, 2, 3]
    artifacts = {file.path for file in client.list_artifacts(restored.info.run_id)}
    assert artifacts == {"train", "onnx", "evaluate"}
    model = mlflow.pyfunc.load_model(f"runs:/{restored.info.run_id}/mlp")
    assert (model.predict(images).argmax(axis=1) == labels).mean() > 0.9
