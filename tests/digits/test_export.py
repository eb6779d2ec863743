"""Exported files: the same bytes for the same weights, in whatever process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from digits import export, params
from digits.errors import UserError
from digits.quiet import importing_tensorflow

with importing_tensorflow():
    import keras

    from digits import models

TRAIN = params.load(Path(__file__).parents[2] / "params.yaml").train
IMAGES = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
FACTS = {"classes": ["a", "b", "c"], "recipe": {"epochs": 2}}

WRITE = """
import sys
from pathlib import Path
import numpy as np
from digits import export, params, quiet
with quiet.importing_tensorflow():
    import keras
    from digits import models
keras.utils.set_random_seed(0)
recipe = getattr(params.load(Path(sys.argv[1])).train, sys.argv[2])
model = models.build(recipe, (28, 28), 3)
images = np.zeros((2, 28, 28), np.uint8)
export.write_keras(model, Path("model.keras"))
export.write_onnx(model, Path("model.onnx"), images, {"classes": ["a", "b", "c"]})
"""


@pytest.fixture(scope="module", params=["cnn", "mlp"])
def model(request: pytest.FixtureRequest) -> keras.Sequential:
    keras.utils.set_random_seed(0)
    return models.build(getattr(TRAIN, request.param), (28, 28), 3)


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_two_processes_write_the_same_bytes(
    name: str, python: Any, root: Path, tmp_path: Path
) -> None:
    written = []
    for hash_seed in ("1", "2"):  # the converter's own order comes from Python's sets
        result = python(
            "-c", WRITE, str(root / "params.yaml"), name, env={"PYTHONHASHSEED": hash_seed}
        )
        assert result.returncode == 0, result.stderr
        written.append([(tmp_path / f"model.{kind}").read_bytes() for kind in ("keras", "onnx")])
    assert written[0] == written[1]


def test_the_keras_file_predicts_the_same(model: keras.Sequential, tmp_path: Path) -> None:
    export.write_keras(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.predict(IMAGES, verbose=0)
    assert np.array_equal(loaded.predict(IMAGES, verbose=0), expected)
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def test_onnx_agrees_and_describes_itself(model: keras.Sequential, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    difference = export.write_onnx(model, path, IMAGES, FACTS)
    assert 0 <= difference <= export.TOLERANCE
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    (probabilities,) = session.run(["probabilities"], {"images": IMAGES})
    assert np.abs(probabilities - model.predict(IMAGES, verbose=0)).max() <= export.TOLERANCE
    described = session.get_modelmeta().custom_metadata_map
    assert described["name"] == model.name
    assert json.loads(described["classes"]) == ["a", "b", "c"]
    assert json.loads(described["recipe"]) == {"epochs": 2}
    assert int(described["parameters"]) == model.count_params()
    assert int(described["multiply_adds"]) == models.multiply_adds(model)


def test_a_model_that_disagrees_is_not_kept(
    model: keras.Sequential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match=r"differ by \S+ in a probability"):
        export.write_onnx(model, tmp_path / "model.onnx", IMAGES, FACTS)
    assert list(tmp_path.iterdir()) == []
