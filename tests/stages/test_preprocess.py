"""The stage on real handwriting, as IDX files like MNIST's."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest

from digits import params as parameters
from digits.base import files
from digits.data import splits
from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.intake import idx
from digits.tracking import store
from stages import preprocess
from stages.preprocess import PROCESSED, RAW

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, handwriting: Split) -> Path:
    """A workspace with 400 images to learn from and 100 to test; one for all: its store is slow."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / RAW).mkdir(parents=True)
    train = handwriting.images[:400], handwriting.labels[:400]
    test = handwriting.images[400:500], handwriting.labels[400:500]
    for name, array in zip(FILES, (*train, *test), strict=True):
        idx.write(folder / RAW / name, array)
    return folder


@pytest.fixture
def run(
    folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, bytes]]:
    """Run the stage in a workspace without its outputs, and give what it wrote."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    shutil.rmtree(PROCESSED, ignore_errors=True)

    def run(**changes: int) -> dict[str, bytes]:
        set_params(root, **changes)
        preprocess.main(parameters.load())
        return {path.name: path.read_bytes() for path in PROCESSED.iterdir()}

    return run


def set_params(root: Path, **changes: int) -> None:
    before, after = (root / "params.yaml").read_text().split("preprocess:\n")
    for key, value in ({"validation_size": 80} | changes).items():
        after = re.sub(rf"{key}: \d+", f"{key}: {value}", after, count=1)
    Path("params.yaml").write_text(f"{before}preprocess:\n{after}")


def newest_run() -> mlflow.entities.Run:
    experiment = mlflow.get_experiment_by_name(store.PIPELINE)
    return mlflow.MlflowClient().search_runs([experiment.experiment_id], max_results=1)[0]


def pairs(split: Split) -> Iterator[tuple[bytes, int]]:
    return zip(map(bytes, split.images), split.labels.tolist(), strict=True)


def test_the_splits(
    run: Callable[..., dict[str, bytes]],
    handwriting: Split,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert set(run()) == {"train.npz", "validation.npz", "test.npz"}
    assert capsys.readouterr().out.splitlines()[-1] == (
        "320 train images, 80 validation images, 100 test images"
    )
    train, validation, test = (
        splits.load(PROCESSED / f"{name}.npz") for name in ("train", "validation", "test")
    )
    # None lost, none doubled, each with its own label.
    parts = [*pairs(train), *pairs(validation)]
    assert sorted(parts) == sorted(pairs(Split(handwriting.images[:400], handwriting.labels[:400])))
    # The held out in proportion: a fifth of each class.
    assert np.abs(np.bincount(validation.labels) - np.bincount(train.labels) / 4).max() < 1
    # The test split is what the IDX files hold, after headers of 16 and 8 bytes.
    assert test.images.tobytes() == (RAW / FILES[2]).read_bytes()[16:]
    assert test.labels.tobytes() == (RAW / FILES[3]).read_bytes()[8:]


def test_the_run(run: Callable[..., dict[str, bytes]]) -> None:
    run(seed=3)
    logged = newest_run()
    assert (logged.info.run_name, logged.info.status) == ("preprocess", "FINISHED")
    assert logged.data.params == {"validation_size": "80", "seed": "3", "extra_weight": "5"}
    counts = {"train_images": 320, "validation_images": 80, "test_images": 100}
    assert counts.items() <= logged.data.metrics.items()
    inputs = {data.dataset.name: data.dataset.digest for data in logged.inputs.dataset_inputs}
    assert inputs == {"raw": files.md5(RAW)}


def test_a_seed_gives_the_same_bytes(run: Callable[..., dict[str, bytes]]) -> None:
    first, again, other = run(), run(), run(seed=1)
    assert again == first
    assert {name for name in first if other[name] != first[name]} == {
        "train.npz",
        "validation.npz",
    }


def test_an_impossible_size_is_told_in_one_line(
    run: Callable[..., dict[str, bytes]], folder: Path, root: Path, python: Command
) -> None:
    set_params(root, validation_size=5000)
    done = python("-m", "stages.preprocess", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"preprocess: preprocess\.validation_size = 5000: .*400.* sets it\n", done.stderr
    )
    assert not PROCESSED.exists()
    assert not list(Path("data").glob("*.partial"))
    assert newest_run().info.status == "FAILED"
