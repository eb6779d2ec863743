"""The networks' shapes, costs and options; what they learn is in test_training.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digits import params
from digits.base.errors import UserError
from digits.base.quiet import importing_tensorflow

with importing_tensorflow():
    import keras

    from digits.training import networks as models

TRAIN = params.load(Path(__file__).parents[3] / "params.yaml").train
CNN, MLP, RESNET = TRAIN.cnn, TRAIN.mlp, TRAIN.resnet
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 12, 10), np.uint8)


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def changed(recipe: Any, **values: Any) -> Any:
    return type(recipe)(**(recipe.model_dump() | values))


@pytest.mark.parametrize("recipe", [CNN, MLP, RESNET])
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
        padding=["same", "same"],
        pool_sizes=[1, 2],
        hidden_units=[6],
    )
    first, second = 14 * 14 * 5 * 5 * 1 * 4, 14 * 14 * 3 * 3 * 4 * 8
    dense, logits = 7 * 7 * 8 * 6, 6 * 10
    assert (
        models.multiply_adds(models.build(small, (28, 28), 10)) == first + second + dense + logits
    )


@pytest.mark.parametrize("recipe", [CNN, RESNET])
def test_the_description_adds_up(recipe: params.Cnn) -> None:
    model = models.build(recipe, (28, 28), 10)
    rows = models.describe(model)
    assert [row["layer"] for row in rows] == [layer.name for layer in model.layers]
    assert sum(row["parameters"] for row in rows) == model.count_params()


def convolutions(**values: Any) -> dict[str, Any]:
    """A recipe's values for four small convolutions, which keep size and width but for some."""
    none = {"kernel_sizes": [3] * 4, "strides": [1] * 4, "padding": ["same"] * 4}
    return {"filters": [4] * 4, "pool_sizes": [1] * 4, "hidden_units": [], **none, **values}


def output_shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [x.output.shape[1:3] for x in model.layers if isinstance(x, keras.layers.Conv2D)]


def test_each_convolution_has_its_own_padding() -> None:
    recipe = changed(CNN, **convolutions(padding=["valid", "same", "same", "valid"]))
    assert output_shapes(models.build(recipe, (12, 10), 3)) == [(10, 8), (10, 8), (10, 8), (8, 6)]


def test_what_leaves_nothing_of_the_image_is_explained() -> None:
    recipe = changed(CNN, **convolutions(kernel_sizes=[5] * 4, padding=["valid"] * 4))
    with pytest.raises(UserError, match=r"^no network .* for images of 12 x 10: (?!.*\[1m)"):
        models.build(recipe, (12, 10), 3)


@pytest.mark.parametrize(
    ("values", "shortcuts"),
    [
        ({}, 3),  # the first layer makes four channels of one
        ({"filters": [4, 4, 8, 8]}, 2),
        ({"filters": [1, 1, 1, 1]}, 4),
        ({"pool_sizes": [1, 2, 1, 1]}, 2),
        ({"strides": [1, 1, 2, 1]}, 2),
        ({"padding": ["same", "same", "same", "valid"]}, 2),
    ],
)
def test_what_keeps_its_shape_is_added_to_its_input(values: Any, shortcuts: int) -> None:
    network = models.build(changed(RESNET, **convolutions(**values)), (12, 10), 3)
    assert kinds(network).count("Add") == shortcuts
    assert network.name == "resnet"


def test_a_shortcut_leads_around_a_layer_that_gives_nothing() -> None:
    recipe = changed(RESNET, **convolutions(filters=[1] * 4, batch_normalization=False))
    network = models.build(recipe, (12, 10), 3)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([np.zeros_like(weights) for weights in layer.get_weights()])
    before_dense = keras.Model(network.inputs, network.get_layer("logits").input)
    np.testing.assert_allclose(
        before_dense.predict(IMAGES, verbose=0), IMAGES.reshape(5, -1) / 255, atol=1e-6
    )


def test_shortcuts_cost_nothing() -> None:
    cnn, resnet = (models.build(changed(r, **convolutions()), (12, 10), 3) for r in (CNN, RESNET))
    assert models.multiply_adds(resnet) == models.multiply_adds(cnn)
    assert resnet.count_params() == cnn.count_params()
    assert output_shapes(resnet) == output_shapes(cnn)
    assert "Add" not in kinds(cnn)


def members(count: int, recipe: Any = MLP) -> list[keras.Model]:
    """Small networks of different weights, the same in every run: some saturate."""
    keras.utils.set_random_seed(0)
    small = convolutions() if isinstance(recipe, params.Cnn) else {"hidden_units": [6]}
    return [models.build(changed(recipe, **small), IMAGES.shape[1:], 3) for _ in range(count)]


def test_the_average_of_one_network_and_one_view_is_the_network() -> None:
    (network,) = members(1)
    assert models.averaged([network], 1) is network
    assert network.name == "mlp"


@pytest.mark.parametrize(
    ("count", "views"),
    [*(pytest.param(1, views, marks=pytest.mark.slow) for views in (1, 5)), (3, 1), (3, 5)],
)
@pytest.mark.parametrize(
    "recipe", [CNN, *(pytest.param(each, marks=pytest.mark.slow) for each in (MLP, RESNET))]
)
def test_the_average_is_that_of_all_members_and_views(recipe: Any, count: int, views: int) -> None:
    networks = members(count, recipe)
    height, width = IMAGES.shape[1:]
    padded = np.pad(IMAGES, [(0, 0), (1, 1), (1, 1)])  # what comes in from outside is paper
    corners = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)][:views]
    shifted = [padded[:, y : y + height, x : x + width] for y, x in corners]
    each = [network.predict(view, verbose=0) for network in networks for view in shifted]
    assert count == views == 1 or np.ptp(each, axis=0).max() > 1e-3
    probabilities = models.averaged(networks, views).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(probabilities, np.mean(each, axis=0), atol=1e-6)


def test_the_average_takes_any_number_of_images_and_keeps_the_parameters() -> None:
    networks = members(2)
    model = models.averaged(networks, 5)
    assert model.input_shape == (None, 12, 10)
    assert model.input.dtype == "uint8"
    one = model.predict(IMAGES[:1], verbose=0)
    np.testing.assert_allclose(one, model.predict(IMAGES, verbose=0)[:1], atol=1e-6)
    assert model.count_params() == sum(network.count_params() for network in networks)


def test_the_average_has_the_networks_name_and_its_layers_have_their_own() -> None:
    model = models.averaged(members(3, CNN), 5)
    names = [layer.name for layer in model.layers]
    assert model.name == "cnn"
    assert len(set(names)) == len(names)
    assert {"cnn_1", "cnn_2", "cnn_3"} < set(names)


@pytest.mark.parametrize(("count", "views"), [(1, 1), (1, 5), (3, 1), (2, 5)])
def test_separate_answers_are_what_the_mean_is_taken_of(count: int, views: int) -> None:
    model = models.averaged(members(count, MLP), views)
    answers = models.separate_answers(model).predict(IMAGES, batch_size=2, verbose=0)
    assert answers.shape == (len(IMAGES), count * views, 3)
    expected = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(answers.mean(axis=1), expected, atol=1e-6)


@pytest.mark.parametrize(("count", "views"), [(1, 1), (2, 5)])
def test_a_temperature_divides_all_logits(count: int, views: int) -> None:
    networks = members(count, CNN)
    model = models.averaged(networks, views)
    before = np.log(models.separate_answers(model).predict(IMAGES, verbose=0))
    models.temper(networks, 2.0)
    after = models.separate_answers(model).predict(IMAGES, verbose=0)
    tempered = np.exp(before / 2)
    np.testing.assert_allclose(after, tempered / tempered.sum(axis=2, keepdims=True), atol=1e-5)
    mean = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(mean, after.mean(axis=1), atol=1e-6)
