"""Workspaces in which a test runs stages as processes, on real handwriting."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digits.data import splits
from digits.data.splits import Split
from digits.intake.splitting import hold_out
from tests.small_project import LIMIT

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def start(clean_environment: dict[str, str]) -> Iterator[Start]:
    """Start `python -m *arguments` in a folder, with variables added to the environment."""
    started = []

    def start(folder: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env=clean_environment | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()  # what a failed test left
        process.communicate()


@pytest.fixture(scope="session")
def set_params(root: Path) -> Callable[..., None]:
    """Write the real parameters into a folder, with few epochs, and some changed by name."""

    def write(folder: Path, **changes: str) -> None:
        params = (root / "params.yaml").read_text()
        for key, value in ({"epochs": "3", "batch_size": "32"} | changes).items():
            params = re.sub(rf"\b{key}: \S+", f"{key}: {value}", params)
        (folder / "params.yaml").write_text(params)

    return write


@pytest.fixture(scope="session")
def make_workspace(
    root: Path, handwriting: Split, set_params: Callable[..., None]
) -> Callable[[Path], Path]:
    """Make a folder a workspace: 1,397 images to learn from, 400 to watch, the parameters."""

    def make(folder: Path) -> Path:
        processed = folder / "data/processed"
        processed.mkdir(parents=True)
        train, validation = hold_out(handwriting, 400, seed=0)
        splits.save(train, processed / "train.npz")
        splits.save(validation, processed / "validation.npz")
        shutil.copy(root / "datasets.yaml", folder)
        set_params(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, make_workspace: Callable[[Path], Path], start: Start
) -> tuple[Path, dict[str, subprocess.CompletedProcess[str]]]:
    """A workspace in which both models were trained, at once, and what that printed."""
    folder = make_workspace(tmp_path_factory.mktemp("trained"))
    processes = {model: start(folder, "stages.train", model) for model in ("cnn", "mlp")}
    done = {}
    for model, process in processes.items():
        stdout, stderr = process.communicate(timeout=LIMIT)
        done[model] = subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
    return folder, done
