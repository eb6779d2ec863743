"""What every test may use: the repository, commands run as a user would, real digits."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from scipy import ndimage
from sklearn.datasets import load_digits

from digits.datasets import Split

ROOT = Path(__file__).parents[1]

# A shared machine stalls now and then; the same examples in every run are worth more than new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """The environment without what the user or DVC told MLflow, and with the repository's code."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    return inherited | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def python(tmp_path: Path, clean_environment: dict[str, str]) -> Command:
    """Run `python *arguments` in the test's folder, with variables added to the environment."""

    def run(
        *arguments: str, cwd: Path = tmp_path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=clean_environment | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def handwriting() -> Split:
    """scikit-learn's 1,797 real digits of 8 x 8 pixels, enlarged to MNIST's 20 in 28."""
    bunch = load_digits()
    enlarged = ndimage.zoom(bunch.images, (1, 2.5, 2.5), order=1) * 255 / 16
    images = np.pad(np.clip(enlarged.round(), 0, 255).astype(np.uint8), ((0, 0), (4, 4), (4, 4)))
    return Split(images, bunch.target.astype(np.uint8))
