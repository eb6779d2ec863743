"""The networks: two Keras Sequential models, each one readable list, and two Functional ones.

Every network takes raw images, `uint8 (N, height, width)`, 0 the paper and 255 full ink, and
gives probabilities, `float32 (N, classes)`. The scaling is a layer of the model, so that
nobody who calls it can forget it. The layer before the last gives the logits.
`averaged` makes one model of several networks.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from digits.base.errors import UserError
from digits.base.text import one_line, shape_text
from digits.params import Cnn, Mlp, Recipe, Resnet


def build(recipe: Recipe, image_shape: Sequence[int], classes: int) -> keras.Model:
    """Build the network that the recipe is for, with new random weights.

    Raises:
        UserError: there is no such network: its poolings leave nothing of the image, say.
    """
    try:
        match recipe:
            case Mlp():
                return mlp(recipe, image_shape, classes)
            case Resnet():
                return resnet(recipe, image_shape, classes)
            case Cnn():
                return cnn(recipe, image_shape, classes)
    except ValueError as error:  # Keras'
        raise UserError(
            f"no network can be built with these parameters for images of "
            f"{shape_text(image_shape)}: {one_line(error)}"
        ) from None
    raise TypeError(f"no network for a recipe of type {type(recipe).__name__}")


def mlp(recipe: Mlp, image_shape: Sequence[int], classes: int) -> keras.Sequential:
    """A multilayer perceptron: the image as one long vector, then dense layers."""
    return keras.Sequential(
        [
            *_input(image_shape),
            layers.Flatten(),
            *(layer for units in recipe.hidden_units for layer in _dense(units, recipe)),
            *_output(classes),
        ],
        name="mlp",
    )


def cnn(recipe: Cnn, image_shape: Sequence[int], classes: int) -> keras.Sequential:
    """A convolutional network: convolutions and pooling, then dense layers."""
    return keras.Sequential(
        [
            *_input(image_shape),
            layers.Reshape((*image_shape, 1)),
            *(layer for index in range(len(recipe.filters)) for layer in _conv(index, recipe)),
            layers.Flatten(),
            *(layer for units in recipe.hidden_units for layer in _dense(units, recipe)),
            layers.Dropout(recipe.dropout),
            *_output(classes),
        ],
        name="cnn",
    )


def resnet(recipe: Resnet, image_shape: Sequence[int], classes: int) -> keras.Model:
    """The CNN by the Functional API, with shortcuts: what keeps its shape is added to its input.

    After K. He et al., Deep residual learning for image recognition, 2015, arXiv:1512.03385.
    """
    inputs, scaling = _input(image_shape)
    x = layers.Reshape((*image_shape, 1))(scaling(inputs))
    for index in range(len(recipe.filters)):
        y = _through(x, _conv(index, recipe))
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    dense = [layer for units in recipe.hidden_units for layer in _dense(units, recipe)]
    end = [layers.Flatten(), *dense, layers.Dropout(recipe.dropout), *_output(classes)]
    return keras.Model(inputs, _through(x, end), name="resnet")


def _through(x: keras.KerasTensor, several: Sequence[layers.Layer]) -> keras.KerasTensor:
    for layer in several:
        x = layer(x)
    return x


def averaged(networks: Sequence[keras.Model], views: int) -> keras.Model:
    """One model that answers with the mean of all networks' probabilities.

    Args:
        networks: of equal input and output.
        views: of an image that each network averages over, which is called test-time
            augmentation: 1, the image alone, or 5, also shifted by a pixel to each side.
    """
    name = networks[0].name
    if len(networks) == views == 1:
        return networks[0]
    for number, network in enumerate(networks, 1):
        network.name = f"{name}_{number}"  # no two layers of a model may have one name
    images = keras.Input(networks[0].input_shape[1:], dtype="uint8")
    height, width = images.shape[1:]
    padded = ops.pad(images, [(0, 0), (1, 1), (1, 1)])
    corners = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)][:views]  # the first is the image itself
    batch = ops.concatenate([padded[:, y : y + height, x : x + width] for y, x in corners], axis=0)
    answers = ops.concatenate([network(batch) for network in networks], axis=0)
    each = ops.reshape(answers, (len(networks) * views, -1, answers.shape[-1]))
    return keras.Model(images, ops.mean(each, axis=0), name=name)


def separate_answers(model: keras.Model) -> keras.Model:
    """What each network says of each view, instead of the mean that `averaged` takes of it.

    Returns:
        A model that gives `float32 (N, networks * views, classes)`.
    """
    is_mean = not isinstance(model.layers[-1], layers.Softmax)
    answers = model.operations[-1].input if is_mean else ops.expand_dims(model.outputs[0], 0)
    return keras.Model(model.inputs, ops.transpose(answers, (1, 0, 2)))


def temper(networks: Sequence[keras.Model], temperature: float) -> None:
    """Divide the logits by a temperature, for good: it is in the weights that make them."""
    for network in networks:
        logits = network.get_layer("logits")
        logits.set_weights([weights / temperature for weights in logits.get_weights()])


def _input(image_shape: Sequence[int]) -> list[layers.Layer]:
    return [keras.Input(tuple(image_shape), dtype="uint8"), layers.Rescaling(1 / 255)]


def _output(classes: int) -> list[layers.Layer]:
    return [layers.Dense(classes, name="logits"), layers.Softmax(name="probabilities")]


def _conv(index: int, recipe: Cnn) -> list[layers.Layer]:
    """One convolution, what is pooled of it, and its activation.

    Normalising comes after the pooling, where there is a quarter of the work left.
    """
    pooling = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}[recipe.pooling]
    pool_size = recipe.pool_sizes[index]
    return [
        layers.Conv2D(
            recipe.filters[index],
            recipe.kernel_sizes[index],
            strides=recipe.strides[index],
            padding=recipe.padding[index],
            use_bias=not recipe.batch_normalization,  # the normalisation has one
            kernel_initializer="he_normal",
        ),
        *([pooling(pool_size)] if pool_size > 1 else []),
        *_activation(recipe),
    ]


def _dense(units: int, recipe: Recipe) -> list[layers.Layer]:
    return [
        layers.Dense(
            units, use_bias=not recipe.batch_normalization, kernel_initializer="he_normal"
        ),
        *_activation(recipe),
        layers.Dropout(recipe.dropout),
    ]


def _activation(recipe: Recipe) -> list[layers.Layer]:
    # 0.9 instead of Keras' 0.99: the statistics are those of the weights of the last few steps.
    normalization = [layers.BatchNormalization(momentum=0.9)] if recipe.batch_normalization else []
    return [*normalization, layers.ReLU()]


def multiply_adds(model: keras.Model) -> int:
    """Multiplications with a weight that one image costs."""
    return sum(row["multiply_adds"] for row in describe(model))


def describe(model: keras.Model) -> list[dict[str, Any]]:
    """What each layer is, the shape it gives for one image, and what it costs."""
    rows = []
    for layer in model.layers:
        cost = 0
        if isinstance(layer, layers.Conv2D | layers.Dense):
            places = math.prod(layer.output.shape[1:-1])  # at which the kernel is applied
            cost = places * math.prod(layer.kernel.shape)
        rows.append(
            {
                "layer": layer.name,
                "kind": type(layer).__name__,
                "output": shape_text(layer.output.shape[1:]),
                "parameters": layer.count_params(),
                "multiply_adds": cost,
            }
        )
    return rows
