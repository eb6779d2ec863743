"""Inputs of every kind, a small model, and a workspace with a store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digits.scoring import inputs
from tests import small_model


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """`uint8 (1797, 28, 28)`."""
    return small_model.images()[0]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model.write(tmp_path_factory.mktemp("model")) / "model.onnx"


@pytest.fixture
def workspace(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a test, with small parts: several for 1,797 images."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_store, tmp_path)
    monkeypatch.setattr(inputs, "PART_ROWS", 400)
    yield tmp_path
    mlflow.set_tracking_uri("")


@pytest.fixture
def parquet(workspace: Path, images: np.ndarray) -> Path:
    """All images as fixed-size bytes in row groups of 200, with ids that are no row numbers."""
    path = workspace / "images.parquet"
    flat = [image.tobytes() for image in images]
    ids = [f"image-{number}" for number in range(len(images))]
    table = pa.table({"id": ids, "pixels": pa.array(flat, pa.binary(784))})
    pq.write_table(table, path, row_group_size=200)
    return path
