"""Exported files: the same bytes for the same weights, in whatever process."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from digits import params
from digits.base.errors import UserError
from digits.base.quiet import importing_tensorflow
from digits.inference.model import Model
from digits.training import export

with importing_tensorflow():
    import keras

    from digits.training import networks as models

TRAIN = params.load(Path(__file__).parents[3] / "params.yaml").train
IMAGES = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
FACTS = {
    "classes": ["a", "b", "c"],
    "parameters": 12,
    "multiply_adds": 34,
    "recipe": {"members": 2},
    "note": "as it is",
}
SMALL = {
    "cnn": {"filters": [2, 3, 3, 2, 2]},
    "mlp": {"hidden_units": [6]},
    "resnet": {"filters": [2, 3, 3, 3, 3, 2]},
}

WRITE = """
import sys
from pathlib import Path
import numpy as np
from digits import params
from digits.base import quiet
with quiet.importing_tensorflow():
    import keras
    from digits.training import export, networks as models
keras.utils.set_random_seed(0)
recipe = getattr(params.load(Path(sys.argv[1])).train, sys.argv[2])
networks = [models.build(recipe, (28, 28), 3) for _ in range(int(sys.argv[3]))]
model = models.averaged(networks, recipe.views)
images = np.zeros((2, 28, 28), np.uint8)
export.write_keras(model, Path("model.keras"))
export.write_onnx(model, Path("model.onnx"), images, {"classes": ["a", "b", "c"]})
"""


def networks(name: str, count: int) -> list[keras.Model]:
    """Small ones."""
    recipe = getattr(TRAIN, name)
    small = type(recipe)(**recipe.model_dump() | SMALL[name])
    keras.utils.set_random_seed(0)
    return [models.build(small, (28, 28), 3) for _ in range(count)]


@pytest.fixture(
    scope="module",
    params=[
        ("cnn", 1, 1),
        ("mlp", 1, 1),
        pytest.param(("resnet", 1, 1), marks=pytest.mark.slow),
        pytest.param(("cnn", 1, 5), marks=pytest.mark.slow),
        ("resnet", 2, 5),
    ],
    ids=str,
)
def model(request: pytest.FixtureRequest) -> keras.Model:
    name, members, views = request.param
    return models.averaged(networks(name, members), views)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "members"), [("cnn", "1"), ("mlp", "2")])
def test_two_processes_write_the_same_bytes(
    name: str, members: str, python: Any, root: Path, tmp_path: Path
) -> None:
    written = []
    for hash_seed in ("1", "2"):  # the converter's own order comes from Python's sets
        arguments = (str(root / "params.yaml"), name, members)
        result = python("-c", WRITE, *arguments, env={"PYTHONHASHSEED": hash_seed})
        assert result.returncode == 0, result.stderr
        written.append([(tmp_path / f"model.{kind}").read_bytes() for kind in ("keras", "onnx")])
    assert written[0] == written[1]


def test_the_keras_file_predicts_the_same(model: keras.Model, tmp_path: Path) -> None:
    export.write_keras(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.predict(IMAGES, verbose=0)
    assert np.array_equal(loaded.predict(IMAGES, verbose=0), expected)
    assert loaded.name == model.name
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def test_the_keras_file_needs_no_code_of_ours(model: keras.Model, tmp_path: Path) -> None:
    export.write_keras(model, tmp_path / "model.keras")
    modules = set()
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        json.loads(
            file.read("config.json"), object_hook=lambda found: modules.add(found.get("module"))
        )
    assert {str(module).partition(".")[0] for module in modules} <= {"keras", "builtins", "None"}


def test_onnx_agrees_and_describes_itself(model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    difference = export.write_onnx(model, path, IMAGES, FACTS)
    assert 0 <= difference <= export.TOLERANCE
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    (probabilities,) = session.run(["probabilities"], {"images": IMAGES})
    assert np.abs(probabilities - model.predict(IMAGES, verbose=0)).max() <= export.TOLERANCE
    described = session.get_modelmeta().custom_metadata_map
    note = described.pop("note")
    assert note == "as it is"
    assert described.pop("name") == model.name
    assert {key: json.loads(value) for key, value in described.items()} | {"note": note} == FACTS
    assert Model(path).classes == ["a", "b", "c"]


def test_a_model_that_disagrees_is_not_kept(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match=r"differ by \S+ in a probability"):
        export.write_onnx(model, tmp_path / "model.onnx", IMAGES, FACTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "views"),
    [
        ("mlp", 5),
        pytest.param("cnn", 1, marks=pytest.mark.slow),
        pytest.param("resnet", 5, marks=pytest.mark.slow),
    ],
)
def test_an_ensemble_can_be_looked_into(name: str, views: int, tmp_path: Path) -> None:
    members = networks(name, 3)
    alone = [models.averaged([member], views) for member in members]
    export.write_onnx(alone[0], tmp_path / "one.onnx", IMAGES, FACTS | {"recipe": {"members": 1}})
    ensemble = models.averaged(members, views)
    export.write_onnx(ensemble, tmp_path / "all.onnx", IMAGES, FACTS | {"recipe": {"members": 3}})
    first, every = Model(tmp_path / "one.onnx"), Model(tmp_path / "all.onnx")

    answers = every.answers(IMAGES)
    assert len(answers) == 3
    for answer, one in zip(answers, alone, strict=True):
        np.testing.assert_allclose(answer, one.predict(IMAGES, verbose=0), atol=1e-5)
    assert np.ptp(answers, axis=0).max() > 1e-3
    for layer, expected in zip(every.layers(IMAGES), first.layers(IMAGES), strict=True):
        assert (layer.name, layer.pools) == (expected.name, expected.pools)
        np.testing.assert_allclose(layer.maps, expected.maps, atol=1e-5)
    assert np.array_equal(every.filters(), first.filters())
