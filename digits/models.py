"""The networks, each a Keras Sequential model written as one readable list.

Every model takes raw images, `uint8 (N, height, width)`, 0 the paper and 255 full ink, and
gives probabilities, `float32 (N, classes)`. The scaling is a layer of the model, so that
nobody who calls it can forget it. The layer before the last gives the logits.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from digits.errors import UserError
from digits.params import Cnn, Mlp, Recipe


def build(recipe: Recipe, image_shape: Sequence[int], classes: int) -> keras.Sequential:
    """Build the network that the recipe is for, with new random weights.

    Raises:
        UserError: there is no such network: its poolings leave nothing of the image, say.
    """
    try:
        match recipe:
            case Mlp():
                return mlp(recipe, image_shape, classes)
            case Cnn():
                return cnn(recipe, image_shape, classes)
    except ValueError as error:  # Keras'
        reason = " ".join(str(error).split())
        raise UserError(f"no network can be built with these parameters: {reason}") from None
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
            padding="same",
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


def multiply_adds(model: keras.Sequential) -> int:
    """Multiplications with a weight that one image costs."""
    return sum(row["multiply_adds"] for row in describe(model))


def describe(model: keras.Sequential) -> list[dict[str, Any]]:
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
                "output": " x ".join(map(str, layer.output.shape[1:])),
                "parameters": layer.count_params(),
                "multiply_adds": cost,
            }
        )
    return rows
