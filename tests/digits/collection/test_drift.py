"""Drift: no alarm on the same writers, an alarm on others, by the tests and by the command."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import mlflow
import numpy as np
import pytest

from digits import Recognizer
from digits.base.errors import UserError
from digits.collection import drift, features, records, watch
from digits.collection.collector import Collector
from digits.collection.features import Features
from digits.data import splits
from digits.data.splits import Split
from digits.evaluation.corruptions import corrupt
from tests import small_model
from tests.digits.collection.conftest import CLASSES, reading

Collect = Callable[..., Collector]
Command = Callable[..., subprocess.CompletedProcess[str]]
HALF = 897  # the digits are of 43 writers in no order that would part them
WINDOW = 300


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    small_model.write(folder / "cnn")
    small_model.write(folder / "mlp", "mlp", sharpness=2)
    return folder


@pytest.fixture(scope="module")
def describe(models: Path) -> Callable[[np.ndarray], Features]:
    cnn, mlp = (Recognizer(models / name) for name in ("cnn", "mlp"))
    return lambda images: watch.describe(images, [cnn.classify, mlp.classify], cnn.threshold)


@pytest.fixture(scope="module")
def order() -> np.ndarray:
    return np.random.default_rng(0).permutation(len(small_model.images()[0]))


def drifted(reference: Features, served: Features) -> list[str]:
    return [each.feature for each in drift.compare(reference, served) if each.drifted]


def test_what_is_alike_seldom_alarms(
    describe: Callable[[np.ndarray], Features], order: np.ndarray
) -> None:
    pixels, _ = small_model.images()
    everything = describe(pixels[order])
    reference = everything.chosen(np.arange(HALF))
    rng = np.random.default_rng(1)
    rest = np.arange(HALF, len(pixels))
    windows = [rng.choice(rest, WINDOW, replace=False) for _ in range(100)]
    assert sum(bool(drifted(reference, everything.chosen(rows))) for rows in windows) <= 5


@pytest.mark.parametrize("name", ["brightness", "scale", "zigzag", "glass_blur", "shear"])
def test_a_fifth_of_others_alarms(
    describe: Callable[[np.ndarray], Features], order: np.ndarray, name: str
) -> None:
    pixels, _ = small_model.images()
    served = pixels[order[HALF : HALF + 500]].copy()
    served[:100] = corrupt(served[:100], name, seed=0)
    assert drifted(describe(pixels[order[:HALF]]), describe(served))


def test_the_features_measure_what_they_say() -> None:
    image = np.zeros((2, 28, 28), np.uint8)
    image[0, 4:24, 12:16] = 255  # a bar, 4 wide and 20 high
    for row in range(20):  # the same, leaning right
        image[1, 4 + row, 18 - row // 4 : 22 - row // 4] = 255
    found = features.of_images(image)
    assert found["height"].tolist() == [20, 20]
    assert found["width"][0] == 4
    assert abs(found["stroke_width"][0] - 4) < 1.5
    assert abs(found["slant"][0]) < 0.1
    assert 5 < found["slant"][1] < 20
    assert found["grey"].tolist() == [0, 0]
    assert found["parts"].tolist() == [1, 1]
    assert found["ink"][0] == pytest.approx(80 / 784)
    assert features.of_images(np.zeros((1, 28, 28), np.uint8))["height"].tolist() == [0]


def test_answers_of_a_model_with_other_classes_are_left_out_of_the_classes(
    describe: Callable[[np.ndarray], Features], order: np.ndarray, collect: Collect, tmp_path: Path
) -> None:
    def compared(found: list[records.Record]) -> dict[str, drift.Finding]:
        result = watch.watch(found, CLASSES, describe(small_model.images()[0][order[:HALF]]), "")
        return {finding.feature: finding for finding in result.findings}

    collector = collect()
    collector.collect(reading([int(n) for n in order[HALF : HALF + WINDOW]]))
    collector.close()
    with records.opened(tmp_path / "kept") as connection:
        found = records.select(connection)
    others = [replace(record, digit="a") for record in found]
    assert compared(found + others)["classes"] == replace(
        compared(found)["classes"], corrected_p=mock.ANY
    )
    assert compared(others).keys() == compared(found).keys() - {"classes"}


def test_the_effect_size() -> None:
    values = np.arange(1000.0)
    assert drift.psi_of_numbers(values, values) == pytest.approx(0)
    assert drift.psi_of_numbers(values, values + 500) > 1
    assert drift.psi_of_numbers(np.zeros(100), np.ones(100)) > 1


def test_a_duration() -> None:
    assert abs(watch.since("7d") - time.time() + 7 * 86_400) < 60
    with pytest.raises(UserError, match="--since week: must be a number of days or hours"):
        watch.since("week")


def test_too_few_digits_are_not_compared(
    describe: Callable[[np.ndarray], Features],
) -> None:
    with pytest.raises(UserError, match="0 digits were collected in this time"):
        watch.watch([], [], describe(small_model.images()[0][:100]), "")


@pytest.fixture
def project(tmp_path: Path, models: Path, order: np.ndarray, collect: Collect) -> Path:
    """A project in which bright ground was served, to be compared with other digits."""
    pixels, labels = small_model.images()
    rows = order[:HALF]
    (tmp_path / "data/processed").mkdir(parents=True)
    reference = Split(pixels[rows], labels[rows].astype(np.uint8))
    splits.save(reference, tmp_path / "data/processed/validation.npz")
    shutil.copytree(models, tmp_path / "models")
    (tmp_path / "dvc.yaml").touch()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    cnn, mlp = (Recognizer(models / name) for name in ("cnn", "mlp"))
    collector = collect()
    for start in range(HALF, HALF + 400, 100):
        some = corrupt(pixels[order[start : start + 100]], "brightness", 0)
        given = {}
        for model in (cnn, mlp):
            likely = model.classify(some)
            given[model.network.name] = [(str(row.argmax()), float(row.max())) for row in likely]
        md5s = {"cnn": cnn.origin.md5, "mlp": mlp.origin.md5}
        collector.collect(
            reading([0], f"session-{start}", images=some, answers=given, md5s=md5s,
                    refused=[False] * 100)
        )  # fmt: skip
    collector.close()
    return tmp_path


@pytest.mark.slow
def test_the_command(project: Path, python: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["-m", "digits.cli", "drift", "kept", "--model", "models/cnn"]
    done = python(*arguments, "--fail-if", "drift", cwd=project)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("400 digits served against 897: drift: ")
    done = python(*arguments, "--json", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert "ink" in found["drifted"]
    assert {"disagree", "refused", "classes"} <= {each["feature"] for each in found["features"]}
    assert [day["digits"] for day in found["days"]] == [400]
    assert found["of_another_model"] == 0
    assert json.loads((project / "kept/drift.json").read_text()) == found

    page = (project / "kept/drift.html").read_text()
    assert "<strong>Drift: " in page
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page

    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("digits-serving")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    (ink,) = client.get_metric_history(runs[0].info.run_id, "psi_ink")
    assert ink.step == found["days"][0]["number"]
    assert {each.path for each in client.list_artifacts(runs[0].info.run_id)} == {
        "drift.html",
        "drift.json",
    }


def test_without_the_reference_one_line_says_what_to_do(project: Path, python: Command) -> None:
    (project / "data/processed/validation.npz").unlink()
    done = python("-m", "digits.cli", "drift", "kept", "--model", "models/cnn", cwd=project)
    assert done.returncode == 1
    assert done.stderr == (
        "digits: data/processed/validation.npz: to compare with; `dvc pull` or `dvc repro` "
        "brings it\n"
    )
