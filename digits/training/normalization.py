"""Batch normalisation by TensorFlow's fused kernel, for the time of a training.

Keras' own layer computes mean, variance and scaling one after the other, which takes a fifth of
a step's CPU. The fused layer is never saved: a network is trained as a clone that has it, and
gets the clone's weights, so that its file needs no code but Keras'.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers


class FusedNormalization(layers.BatchNormalization):
    """Keras' layer, of the same weights and result, but for the bits; over the last axis."""

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        if not training or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        # The kernel takes images: a vector is one of a single pixel.
        images = inputs if len(inputs.shape) == 4 else inputs[:, tf.newaxis, tf.newaxis]
        normalized, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            images, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        # The kernel's variance is the unbiased estimate, Keras' the mean square.
        samples = tf.cast(tf.size(images) / tf.shape(images)[-1], variance.dtype)
        variance *= (samples - 1) / samples
        kept = self.momentum
        self.moving_mean.assign(self.moving_mean * kept + mean * (1 - kept))
        self.moving_variance.assign(self.moving_variance * kept + variance * (1 - kept))
        return tf.reshape(normalized, tf.shape(inputs))


def clone(model: keras.Model) -> keras.Model:
    """A copy of the model, weights included, whose normalisations are fused."""

    def exchanged(layer: layers.Layer) -> layers.Layer:
        is_exchanged = isinstance(layer, layers.BatchNormalization)
        kind = FusedNormalization if is_exchanged else type(layer)
        return kind.from_config(layer.get_config())

    twin = keras.models.clone_model(model, clone_function=exchanged)
    twin.set_weights(model.get_weights())
    return twin
