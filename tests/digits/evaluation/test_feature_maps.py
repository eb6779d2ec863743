from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from digits.evaluation import feature_maps
from digits.inference.layers import Layer

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (2, 8, 8), np.uint8)
NAMES = ["cat", "ankle boot"]
CONVOLUTION = rng.normal(size=(2, 5, 8, 8)).astype(np.float32)
LAYERS = [
    Layer("convolution 1", CONVOLUTION),
    Layer("max pooling 1", CONVOLUTION[:, :, ::2, ::2], pools=True),
]
UNITS = np.full((2, 1, 3, 3), np.nan, np.float32)
UNITS[:, 0, :2] = 1.5


def draw(path: Path, layers: list[Layer]) -> np.ndarray:
    feature_maps.draw_maps(IMAGES, NAMES, layers, "cnn", path)
    return imread(path)


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    draw(tmp_path / "first.png", LAYERS)
    draw(tmp_path / "second.png", LAYERS)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_a_pooling_shows_the_channels_of_its_convolution(tmp_path: Path) -> None:
    strong = CONVOLUTION.copy()
    strong[:, [1, 2, 4]] *= 9  # so these are shown, whatever the pooling has in the others
    pooled = strong[:, :, ::2, ::2]
    changed = pooled.copy()
    changed[:, [0, 3]] *= 99
    layers = [Layer("convolution 1", strong)]
    expected = draw(tmp_path / "a.png", [*layers, Layer("max pooling 1", pooled, pools=True)])
    picture = draw(tmp_path / "b.png", [*layers, Layer("max pooling 1", changed, pools=True)])
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [Layer("hidden layer 1", UNITS)],
        [Layer("convolution 1", np.zeros((2, 5, 8, 8), np.float32))],
        [Layer("max pooling 0", CONVOLUTION, pools=True)],
    ],
    ids=["no hidden layer", "mlp", "dead", "pooling first"],
)
def test_unusual_networks(tmp_path: Path, layers: list[Layer]) -> None:
    assert draw(tmp_path / "maps.png", layers).shape[0] > 100


def test_a_dead_layer_is_white(tmp_path: Path) -> None:
    dead = draw(tmp_path / "dead.png", [Layer("hidden layer 1", np.zeros_like(UNITS))])
    lower = dead[-50:, :, :3]
    assert lower.mean() > 0.9


@pytest.mark.parametrize("count", [0, 1, 16, 512])
def test_filters(tmp_path: Path, count: int) -> None:
    weights = rng.normal(size=(count, 5, 5)).astype(np.float32)
    feature_maps.draw_filters(weights, "cnn", tmp_path / "filters.png")
    height, width, _ = imread(tmp_path / "filters.png").shape
    assert width > 800
    assert height < 900
