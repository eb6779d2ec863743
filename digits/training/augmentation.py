"""Random changes of images in training, in the graph, so that they cost next to nothing."""

import math

import tensorflow as tf

from digits.params import Augmentation

# Points at which the elastic displacement is drawn; smooth between them.
ELASTIC_GRID = (5, 5)
# The same for the unevenness of a ground: finer, as of paper and light.
GROUND_GRID = (7, 7)


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Move each image's ink by a random map of its own, and spoil the first images.

    The images of a batch are in random order, so that the first of them are a random choice.

    Args:
        images: `float32 (B, height, width)`, 0 the paper and 255 full ink; B is known.
        seed: `int64 (2,)`; equal seeds give equal changes.

    Returns:
        `float32 (B, height, width)`.
    """
    if any((augmentation.shift, augmentation.rotation, augmentation.zoom, augmentation.elastic)):
        images = move(images, augmentation, seed)
    if count := round(augmentation.spoiled * images.shape[0]):
        images = tf.concat([spoil(images[:count], seed + 2), images[count:]], axis=0)
    return images


def move(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Turn, scale, shift and bend each image by a random amount of its own.

    The elastic part moves each pixel by a smooth random field, after Simard, Steinkraus
    and Platt 2003, "Best practices for convolutional neural networks".

    Returns:
        `float32 (B, height, width)`, bilinearly sampled; what comes in from outside is 0.
    """
    count, (height, width) = tf.shape(images)[0], images.shape[1:]
    uniform = tf.random.stateless_uniform((5, count, 1, 1), seed, -1, 1)
    angle, zoom_x, zoom_y, shift_x, shift_y = tf.unstack(uniform)
    angle = angle * math.radians(augmentation.rotation)
    # Where each pixel of the output lies in the input, from the centre of the image.
    x = tf.range(width, dtype=tf.float32) - (width - 1) / 2
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis] - (height - 1) / 2
    from_x = (tf.cos(angle) * x + tf.sin(angle) * y) / (1 + zoom_x * augmentation.zoom)
    from_y = (tf.cos(angle) * y - tf.sin(angle) * x) / (1 + zoom_y * augmentation.zoom)
    from_x += shift_x * augmentation.shift
    from_y += shift_y * augmentation.shift
    if augmentation.elastic:
        coarse = tf.random.stateless_normal((count, *ELASTIC_GRID, 2), seed + 1)
        bend = tf.image.resize(coarse * augmentation.elastic, (height, width), "bicubic")
        from_x += bend[..., 0]
        from_y += bend[..., 1]
    return _sample(images, from_x + (width - 1) / 2, from_y + (height - 1) / 2)


def _sample(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """The values `float32 (B, height, width)` of the images at these places, bilinearly."""
    height, width = images.shape[1:]
    padded = tf.pad(images, [(0, 0), (1, 1), (1, 1)])  # so that all around is 0
    x = tf.clip_by_value(x + 1, 0, width + 0.999)
    y = tf.clip_by_value(y + 1, 0, height + 0.999)
    left, top = tf.floor(x), tf.floor(y)
    stride = width + 2
    first = tf.range(tf.shape(images)[0])[:, tf.newaxis, tf.newaxis] * (height + 2) * stride
    corner = first + tf.cast(top, tf.int32) * stride + tf.cast(left, tf.int32)
    flat = tf.reshape(padded, [-1])
    right_share, bottom_share = x - left, y - top
    above = tf.gather(flat, corner) * (1 - right_share)
    above += tf.gather(flat, corner + 1) * right_share
    below = tf.gather(flat, corner + stride) * (1 - right_share)
    below += tf.gather(flat, corner + stride + 1) * right_share
    return above * (1 - bottom_share) + below * bottom_share


def spoil(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Do to each image one of six things that scans, photographs and pens do.

    Returns:
        `float32 (B, height, width)`, from 0 to 255.
    """
    kinds = (ground, stripes, noise, line, outline, misplacement)
    spoiled = tf.stack([kind(images, seed + 4 * n) for n, kind in enumerate(kinds)], axis=1)
    chosen = tf.random.stateless_uniform(
        (images.shape[0],), seed + 4 * len(kinds), 0, len(kinds), tf.int32
    )
    return tf.clip_by_value(tf.gather(spoiled, chosen, batch_dims=1), 0, 255)


def ground(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Less contrast, on a ground that is grey, uneven, or both: fog, shadows, dark paper."""
    count, (height, width) = images.shape[0], images.shape[1:]
    strength, level, unevenness = _chances(3, count, seed)
    coarse = tf.random.stateless_uniform((count, *GROUND_GRID, 1), seed + 1)
    clouds = tf.image.resize(coarse, (height, width), "bicubic")[..., 0]
    grey = tf.clip_by_value(level + unevenness * (clouds - level), 0, 1)
    return images + 0.8 * strength * (255 * grey - images)


def stripes(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The margins at two opposite sides, up to half the image each, turned to their negative."""
    before, after = _chances(2, images.shape[0], seed)
    along, _ = _axes(images, seed + 1)
    is_negative = (along < before * 0.5) | (along >= 1 - after * 0.5)
    return tf.where(is_negative, 255 - images, images)


def noise(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Gaussian noise, on half of the images after a blur of 3 x 3 pixels."""
    strength, chance = _chances(2, images.shape[0], seed)
    blurred = tf.nn.avg_pool2d(images[..., tf.newaxis], 3, 1, "SAME")[..., 0]
    drawn = tf.random.stateless_normal(images.shape, seed + 1)
    return tf.where(chance < 0.5, blurred, images) + 127 * strength * drawn


def line(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A line through the image, straight or wavy, drawn through or dashed: ruled paper."""
    place, tilt, waves, phase, height, dashes = _chances(6, images.shape[0], seed)
    along, across = _axes(images, seed + 1)
    side = images.shape[1]
    x = along * side
    wave = tf.sin(x * (0.4 + 0.8 * waves) + 2 * math.pi * phase)
    y = side * (place + (2 * tilt - 1) * (along - 0.5)) + 2.5 * height * wave
    ink = tf.clip_by_value(1.3 - tf.abs(across * side - y), 0, 1)
    is_drawn = (dashes < 0.6) | (tf.sin(x * math.pi / 2 + 2 * math.pi * phase) > 0)
    return images + 255 * tf.where(is_drawn, ink, 0)


def outline(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Nothing but the outline, a pixel wide: hollow letters, worn felt pens."""
    ink = tf.cast(images > 100, tf.float32)[..., tf.newaxis]
    return 255 * (tf.nn.max_pool2d(ink, 3, 1, "SAME") - ink)[..., 0]


def misplacement(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A shift by up to 4 pixels in each direction."""
    height, width = images.shape[1:]
    right, down = _chances(2, images.shape[0], seed)
    x = tf.range(width, dtype=tf.float32) + 8 * right - 4
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis] + 8 * down - 4
    return _sample(images, x, y)


def _chances(kinds: int, count: int, seed: tf.Tensor) -> list[tf.Tensor]:
    """From 0 to 1, `float32 (count, 1, 1)` of each kind."""
    return tf.unstack(tf.random.stateless_uniform((kinds, count, 1, 1), seed))


def _axes(images: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each pixel's place along an axis of the image and across it, from 0 to 1.

    The axis is the horizontal or the vertical, by chance.
    """
    height, width = images.shape[1:]
    x = (tf.range(width, dtype=tf.float32) + 0.5)[tf.newaxis, :] / width
    y = (tf.range(height, dtype=tf.float32) + 0.5)[:, tf.newaxis] / height
    (chance,) = _chances(1, images.shape[0], seed)
    return tf.where(chance < 0.5, x, y), tf.where(chance < 0.5, y, x)
