"""Parameter files, valid and not, given to the real command line."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from digits import params

ROOT = Path(__file__).parents[2]
CONVOLUTIONS = len(params.load(ROOT / "params.yaml").train.cnn.filters)
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copy(ROOT / "datasets.yaml", tmp_path)
    return tmp_path


def edit(workspace: Path, pattern: str, replacement: str) -> None:
    """Replace what `pattern` finds last in params.yaml before the third model's section."""
    path = workspace / "params.yaml"
    before = path.read_text().index("  resnet:")
    *_, match = (m for m in re.finditer(pattern, path.read_text(), re.M) if m.start() < before)
    path.write_text(match.string[: match.start()] + replacement + match.string[match.end() :])


def test_the_real_files_pass_without_the_heavy_imports(workspace: Path, python: Command) -> None:
    done = python("-X", "importtime", "-m", "stages.params")
    assert (done.returncode, done.stdout) == (0, "")
    imported = set(re.findall(r"\| +(\S+)$", done.stderr, re.MULTILINE))
    assert "pydantic" in imported
    assert not imported & {"tensorflow", "keras", "mlflow", "pandas", "sklearn", "matplotlib"}


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (
            r"epochs: \d+",
            "epochs: abc",
            "train.cnn.epochs = 'abc': must be a whole number >= 1 and <= 100000",
        ),
        (
            r"epochs: \d+",
            "epoch: 3\n    epochs: 3",
            "train.cnn.epoch: unknown key; allowed here: members, views, batch_normalization, "
            "dropout, batch_size, epochs, optimizer, learning_rate, schedule, weight_decay, "
            "augmentation, filters, kernel_sizes, strides, padding, pool_sizes, pooling, "
            "hidden_units",
        ),
        (
            r"learning_rate: [\d.]+",
            "learning_rate: -0.1",
            "train.cnn.learning_rate = -0.1: must be a number > 0",
        ),
        (
            r"learning_rate: [\d.]+",
            "learning_rate: .nan",
            "train.cnn.learning_rate = nan: must be a number > 0",
        ),
        (
            r"pooling: max",
            "pooling: median",
            "train.cnn.pooling = 'median': must be max or average",
        ),
        (
            r"strides: \[.*?\]",
            "strides: [2, 1]",
            f"train.cnn.strides = [2, 1] must have one value for each of filters, {CONVOLUTIONS}",
        ),
        (
            r"models: \[.*?\]",
            "models: [cnn, cnn]",
            "models = ['cnn', 'cnn'] must name each model once",
        ),
        (r"models: \[.*?\]", "models: [mlp", "line N: expected ',' or ']', but got '<scalar>'"),
        (
            r"epochs: \d+",
            "epochs: 3\n    epochs: 4",
            'line N: found duplicate key "epochs" with value "4" (original value: "3")',
        ),
        (
            r"name: mnist",
            "name: minst",
            "data.name = 'minst': must be an entry of datasets.yaml: mnist, fashion_mnist",
        ),
    ],
)
def test_a_mistake_is_told_in_a_line(
    workspace: Path, python: Command, pattern: str, replacement: str, complaint: str
) -> None:
    edit(workspace, pattern, replacement)
    done = python("-m", "stages.params")
    assert (done.returncode, done.stdout) == (1, "")
    # The third model inherits from the second: what is wrong there is told of both.
    told = re.sub(r"line \d+:", "line N:", done.stderr).replace("train.resnet.", "train.cnn.")
    assert set(told.splitlines()) == {f"params: params.yaml: {complaint}"}


def test_a_number_may_be_written_as_1e_3(workspace: Path, python: Command) -> None:
    edit(workspace, r"learning_rate: [\d.]+", "learning_rate: 1e-3")
    done = python("-m", "stages.params")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["params.yaml", "datasets.yaml"])
def test_a_missing_file_is_named(workspace: Path, python: Command, name: str) -> None:
    (workspace / name).unlink()
    done = python("-m", "stages.params")
    assert done.returncode == 1
    assert done.stderr == f"params: {name}: no such file; run from the folder of dvc.yaml\n"
