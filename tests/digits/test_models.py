"""The networks' shapes, costs and options; what they learn is in test_training.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digits import params
from digits.quiet import importing_tensorflow

with importing_tensorflow():
    import keras

    from digits import models

TRAIN = params.load(Path(__file__).parents[2] / "params.yaml").train
CNN, MLP = TRAIN.cnn, TRAIN.mlp


def kinds(model: keras.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def changed(recipe: Any, **values: Any) -> Any:
    return type(recipe)(**(recipe.model_dump() | values))


@pytest.mark.parametrize("recipe", [CNN, MLP])
@pytest.mark.parametrize(("shape", "classes"), [((28, 28), 10), ((32, 24), 26)])
def test_raw_images_in_probabilities_out(
    recipe: params.Recipe, shape: tuple[int, int], classes: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    probabilities = models.build(recipe, shape, classes).predict(images, verbose=0)
    assert probabilities.shape == (3, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_cnn_normalizes_after_pooling() -> None:
    assert kinds(models.build(CNN, (28, 28), 10))[5:9] == [
        "Conv2D",
        "MaxPooling2D",
        "BatchNormalization",
        "ReLU",
    ]


def test_the_kind_of_pooling_can_be_chosen() -> None:
    model = models.build(changed(CNN, pooling="average"), (28, 28), 10)
    assert "AveragePooling2D" in kinds(model)
    assert "MaxPooling2D" not in kinds(model)


def test_without_normalization_layers_have_a_bias() -> None:
    model = models.build(changed(MLP, batch_normalization=False), (28, 28), 10)
    assert "BatchNormalization" not in kinds(model)
    assert all(layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Dense))


def test_the_cost_is_what_the_arithmetic_says() -> None:
    small = changed(
        CNN,
        filters=[4, 8],
        kernel_sizes=[5, 3],
        strides=[2, 1],
        pool_sizes=[1, 2],
        hidden_units=[6],
    )
    first, second = 14 * 14 * 5 * 5 * 1 * 4, 14 * 14 * 3 * 3 * 4 * 8
    dense, logits = 7 * 7 * 8 * 6, 6 * 10
    assert (
        models.multiply_adds(models.build(small, (28, 28), 10)) == first + second + dense + logits
    )


def test_the_description_adds_up() -> None:
    model = models.build(CNN, (28, 28), 10)
    rows = models.describe(model)
    assert [row["layer"] for row in rows] == [layer.name for layer in model.layers]
    assert sum(row["parameters"] for row in rows) == model.count_params()
