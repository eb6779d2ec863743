"""A workspace with prepared data of a thousand digits, a small recipe, and a space."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from digits.data import splits
from digits.data.splits import Split
from tests.small_project import ROOT, edited

SPACE = """
trial:
  train.mlp.epochs: 3
space:
  train.mlp.learning_rate: {low: 0.001, high: 0.5, log: true}
  train.mlp.optimizer: [sgd, adam]
"""


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handwriting: Split
) -> Iterator[Path]:
    """The folder of a test, whose MLP has eight hidden units. There are no test images."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, name)
    with edited(tmp_path / "params.yaml") as params:
        params["train"]["mlp"] |= {"hidden_units": [8], "members": 2}
    data = tmp_path / "data/processed"
    data.mkdir(parents=True)
    for name, part in (("train", slice(0, 800)), ("validation", slice(800, 1000))):
        chosen = Split(handwriting.images[part], handwriting.labels[part])
        splits.save(chosen, data / f"{name}.npz")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "rates.yaml").write_text(SPACE)
    yield tmp_path
    mlflow.set_tracking_uri("")
