"""The stage on real handwriting: sound, broken, and not IDX."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from digits import params as parameters
from digits.base.errors import UserError
from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.intake import idx
from digits.tracking import store
from stages import validate

Command = Callable[..., subprocess.CompletedProcess[str]]
REPORTS = Path("reports/validate")
PICTURES = ["classes", "mean_variance", "pixels", "projection", "samples"]


def write_raw(train: Split, test: Split) -> None:
    Path("data/raw").mkdir(parents=True, exist_ok=True)
    arrays = (train.images, train.labels, test.images, test.labels)
    for name, array in zip(FILES, arrays, strict=True):
        idx.write(Path("data/raw", name), array)


@pytest.fixture
def train(handwriting: Split) -> Split:
    return Split(handwriting.images[:400].copy(), handwriting.labels[:400].copy())


@pytest.fixture
def test(handwriting: Split) -> Split:
    return Split(handwriting.images[400:500], handwriting.labels[400:500])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: to create MLflow's store takes seconds."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def workspace(
    folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch, train: Split, test: Split
) -> Path:
    """The real parameters, and a data set of 500 images in the place of MNIST; no outputs."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.rmtree("reports", ignore_errors=True)
    params = (root / "params.yaml").read_text()
    for key, value in {"min_class_share": 0.05, "max_class_share": 0.15}.items():
        params = re.sub(rf"{key}: \S+", f"{key}: {value}", params)
    Path("params.yaml").write_text(params)
    catalogue = (root / "datasets.yaml").read_text()
    catalogue = catalogue.replace("{train: 60000, test: 10000}", "{train: 400, test: 100}")
    catalogue = re.sub(r"mean_ink: \[.*\]", "mean_ink: [0.16, 0.18]", catalogue)
    Path("datasets.yaml").write_text(catalogue.replace("title: MNIST", "title: <b>Small</b> MNIST"))
    write_raw(train, test)
    return folder


def outputs() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in REPORTS.rglob("*") if path.is_file()}


def newest_run() -> mlflow.entities.Run:
    experiment = mlflow.get_experiment_by_name(store.PIPELINE)
    return mlflow.MlflowClient().search_runs([experiment.experiment_id], max_results=1)[0]


def artifacts(run: mlflow.entities.Run) -> set[str]:
    client = mlflow.MlflowClient()
    return {
        file.path
        for folder in (None, "pictures")
        for file in client.list_artifacts(run.info.run_id, folder)
    }


@pytest.mark.usefixtures("workspace")
@pytest.mark.slow
def test_sound_data(capsys: pytest.CaptureFixture[str]) -> None:
    validate.main(parameters.load())
    assert capsys.readouterr().out.splitlines()[-1] == (
        "<b>Small</b> MNIST handwritten digits: all 22 expectations hold; "
        "look at reports/validate/index.html"
    )
    assert json.loads((REPORTS / "metrics.json").read_text()) == {
        "train_images": 400,
        "test_images": 100,
        "mean_ink_train": 0.169895,
        "mean_ink_test": 0.177798,
        "smallest_class_share": 0.07,
        "largest_class_share": 0.12,
        "duplicates_within_splits": 0,
        "test_images_in_train": 0,
        "expectations": 22,
        "expectations_broken": 0,
    }
    results = json.loads((REPORTS / "expectations.json").read_text())["results"]
    assert {result["success"] for result in results} == {True}

    page = (REPORTS / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(PICTURES)
    assert page.count(">holds<") == len(results)
    assert "http" not in page
    assert "<b>" not in page
    assert "&lt;b&gt;Small&lt;/b&gt; MNIST" in page

    run = newest_run()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["train_images"] == 400
    assert run.data.params["ink_threshold"] == "128"
    assert artifacts(run) == {
        "index.html",
        "expectations.json",
        "metrics.json",
        "pictures",
        *(f"pictures/{name}.png" for name in PICTURES),
    }

    before = outputs()
    validate.main(parameters.load())
    assert outputs() == before


@pytest.mark.usefixtures("workspace")
def test_a_broken_expectation_stops_but_leaves_the_page(train: Split, test: Split) -> None:
    train.labels[17] = 11
    write_raw(train, test)
    with pytest.raises(UserError) as error:
        validate.main(parameters.load())
    assert str(error.value).splitlines() == [
        "expect_column_values_to_be_between on images.label: 1 row: train 17; "
        "a label must be one of the classes, 0 to 9",
        "look at reports/validate/index.html",
    ]
    assert json.loads((REPORTS / "metrics.json").read_text())["expectations_broken"] == 1
    page = (REPORTS / "index.html").read_text()
    assert "1 of 22 expectations broken" in page
    assert "1 unexpected, first: train 17" in page
    run = newest_run()
    assert run.info.status == "FAILED"
    assert "index.html" in artifacts(run)


@pytest.mark.usefixtures("workspace")
def test_files_that_do_not_fit_together(train: Split, test: Split) -> None:
    stale = REPORTS / "pictures" / "samples.png"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write_raw(replace(train, labels=train.labels[:-1]), test)
    with pytest.raises(UserError, match="as many labels as images") as error:
        validate.main(parameters.load())
    assert "images and classes were not checked" in str(error.value)
    assert json.loads((REPORTS / "metrics.json").read_text()) == {
        "expectations": 8,
        "expectations_broken": 1,
    }
    page = (REPORTS / "index.html").read_text()
    assert "Images and classes were not checked" in page
    assert "<img" not in page
    assert not stale.exists()


def test_a_file_that_is_not_idx(workspace: Path) -> None:
    path = workspace / "data/raw/t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError) as error:
        validate.main(parameters.load())
    assert str(error.value) == (
        "data/raw/t10k-images-idx3-ubyte: the header declares 100 x 28 x 28 values, "
        "so 78416 bytes, but there are 78415"
    )
    assert newest_run().info.status == "FAILED"
    assert not REPORTS.exists()


def test_a_wrong_parameter_answers_before_the_heavy_imports(
    workspace: Path, python: Command
) -> None:
    path = workspace / "params.yaml"
    path.write_text(path.read_text().replace("ink_threshold: 128", "ink_threshold: 256"))
    done = python("-X", "importtime", "-m", "stages.validate", cwd=workspace)
    assert done.returncode == 1
    assert "validate.ink_threshold = 256: must be" in done.stderr
    assert not re.search(r"\| +(great_expectations|mlflow|pandas|matplotlib)$", done.stderr, re.M)
