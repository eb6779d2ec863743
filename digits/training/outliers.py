"""Images of what is none of the classes, for a network to learn not to be sure of.

D. Hendrycks et al., Deep anomaly detection with outlier exposure, 2019, arXiv:1812.04606. They
are made in the graph of a batch's own images, so that any data set has them.
"""

import math

import tensorflow as tf

POINTS = 96  # along the line of a scribble
WAVES = 5  # frequencies it is made of
EXTENT = 0.65  # of the image's side: a scribble's, as of MNIST's digits


def draw(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Make of each image a scribble, itself torn, or itself with another one.

    Args:
        images: `float32 (B, height, width)`, 0 the paper and 255 full ink; B is known.
        seed: `int64 (2,)`; equal seeds give equal outliers.

    Returns:
        `float32 (B, height, width)`, from 0 to 255.
    """
    kinds = (scribbled, scribbled, torn, joined)  # nobody writes the latter two
    drawn = tf.stack([kind(images, seed + 3 * n) for n, kind in enumerate(kinds)], axis=1)
    return _one_of(drawn, seed + 3 * len(kinds))


def scribbled(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A curve of random waves, drawn by a pen of random width; nothing is left of the image."""
    count, (height, width) = images.shape[0], images.shape[1:]
    pen, length = tf.unstack(tf.random.stateless_uniform((2, count, 1, 1), seed))
    phase = tf.random.stateless_uniform((count, 2, WAVES, 1), seed + 1)
    wave = tf.range(1, WAVES + 1, dtype=tf.float32)[:, tf.newaxis]
    amplitude = tf.random.stateless_normal((count, 2, WAVES, 1), seed + 2) / wave**0.25
    time = tf.linspace(0.0, 1.0, POINTS) * (0.7 + 0.3 * length)[..., tf.newaxis]
    curve = tf.reduce_sum(amplitude * tf.sin(2 * math.pi * (wave * time + phase)), axis=2)
    low, high = (end(curve, axis=2, keepdims=True) for end in (tf.reduce_min, tf.reduce_max))
    size = tf.reduce_max(high - low, axis=1, keepdims=True)
    curve = (curve - (low + high) / 2) / size * EXTENT * min(height, width)
    x, y = (curve[:, axis, tf.newaxis, tf.newaxis] for axis in (0, 1))
    columns = tf.range(width, dtype=tf.float32)[:, tf.newaxis] - (width - 1) / 2
    rows = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis] - (height - 1) / 2
    distance = tf.sqrt(tf.reduce_min((columns - x) ** 2 + (rows - y) ** 2, axis=3))
    return 255 * tf.clip_by_value(1.5 + pen - distance, 0, 1)


def torn(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The image in two or four parts, which have changed places."""
    height, width = images.shape[1:]
    halves = tf.roll(images, height // 2, 1)
    return _one_of(tf.stack([halves, tf.roll(halves, width // 2, 2)], axis=1), seed)


def joined(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """With another one: squeezed side by side, or one above the other, or laid over it turned."""
    others = tf.roll(images, 1, 0)
    height, width = images.shape[1:]
    top, left = height // 2, width // 2
    across = [_squeezed(images, height, left), _squeezed(others, height, width - left)]
    down = [_squeezed(images, top, width), _squeezed(others, height - top, width)]
    over = tf.maximum(images, others[:, ::-1, ::-1])
    return _one_of(tf.stack([tf.concat(across, 2), tf.concat(down, 1), over], axis=1), seed)


def _squeezed(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    return tf.image.resize(images[..., tf.newaxis], (height, width))[..., 0]


def _one_of(several: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Of each image's versions, `(B, versions, height, width)`, a random one."""
    count, versions = several.shape[:2]
    chosen = tf.random.stateless_uniform((count,), seed, 0, versions, tf.int32)
    return tf.gather(several, chosen, batch_dims=1)
