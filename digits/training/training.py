"""Training a network: the batches, the schedule, the optimizer, deterministic to the bit.

Equal seeds, data, packages, thread counts and type of CPU give equal weights.
"""

import math
import sys
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from digits.base.errors import UserError
from digits.data.splits import Split
from digits.params import Recipe
from digits.training import networks, outliers
from digits.training.augmentation import augment

# Batches that one call of the graph runs: Python's share of each step goes with it.
STEPS_PER_CALL = 32
NONE = -1  # the label of an outlier
# Of an outlier in the loss. More refuses more of them, at the price of wrong digits.
OUTLIER_WEIGHT = 0.5


def be_deterministic(seed: int, threads: int) -> None:
    """Make what follows repeatable. Must come before TensorFlow computes anything.

    The number of threads is part of it: it changes the order of sums, and so the bits.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def train_members(
    recipe: Recipe,
    training: Split,
    validation: Split,
    classes: int,
    seed: int,
    threads: int,
    on_epoch: Callable[[int, dict[str, float]], None],
) -> list[keras.Model]:
    """Build and train the networks of a recipe, of seeds one apart; see `train`."""
    members = []
    for member in range(seed, seed + recipe.members):
        be_deterministic(member, threads)
        network = networks.build(recipe, training.images.shape[1:], classes)
        train(network, training, validation, recipe, member, on_epoch)
        members.append(network)
    return members


def train(
    model: keras.Model,
    train: Split,
    validation: Split,
    recipe: Recipe,
    seed: int,
    on_epoch: Callable[[int, dict[str, float]], None],
) -> None:
    """Train `model` in place.

    Args:
        model: from `digits.models.build`.
        train: what it learns from.
        validation: what `on_epoch` is told the loss and accuracy of.
        on_epoch: gets the number of the epoch, from 1, and its `loss`, `accuracy`,
            `val_loss`, `val_accuracy` and the `learning_rate` at its end.

    Raises:
        UserError: there are fewer images than a batch holds, or a loss is not finite.
    """
    steps = len(train.labels) // recipe.batch_size
    if steps == 0:
        raise UserError(
            f"batch_size = {recipe.batch_size}: must be at most the number "
            f"of training images, {len(train.labels)}"
        )
    schedule = learning_rates(recipe, steps * recipe.epochs)
    # The loss of logits is exact where that of a probability near 0 has lost its digits.
    classifier = keras.Model(model.inputs, model.get_layer("logits").output)
    classifier.compile(
        optimizer=optimizer(recipe, schedule),
        loss=loss,
        metrics=[keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")],
        steps_per_execution=min(STEPS_PER_CALL, steps),
    )

    def report(epoch: int, logs: dict[str, float]) -> None:
        for name in ("loss", "val_loss"):
            if not math.isfinite(logs[name]):
                raise UserError(
                    f"{name} is {logs[name]} after epoch {epoch + 1}: training diverged; "
                    f"try a learning_rate below {recipe.learning_rate:g}"
                )
        rate = schedule((epoch + 1) * steps - 1)
        on_epoch(epoch + 1, {**logs, "learning_rate": float(rate)})

    classifier.fit(
        batches(train, recipe, seed),
        epochs=recipe.epochs,
        validation_data=(validation.images, validation.labels),
        validation_batch_size=500,
        shuffle=False,  # the batches are shuffled already
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)],
        verbose=1 if sys.stdout.isatty() else 2,
    )


def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The cross entropy, of an outlier's to all classes alike: `float32 (B,)`.

    Args:
        labels: `(B,)` or `(B, 1)`, `NONE` for outliers.
        logits: `float32 (B, classes)`.
    """
    labels = tf.cast(tf.reshape(labels, [-1]), tf.int32)
    logarithms = tf.nn.log_softmax(logits)
    of_class = -tf.gather(logarithms, tf.maximum(labels, 0), batch_dims=1)
    of_none = -OUTLIER_WEIGHT * tf.reduce_mean(logarithms, axis=1)
    return tf.where(labels == NONE, of_none, of_class)


def accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Whether each image is recognised, outliers left out; see `loss`."""
    labels = tf.cast(tf.reshape(labels, [-1]), tf.int64)
    return tf.boolean_mask(tf.argmax(logits, axis=1) == labels, labels != NONE)


def batches(split: Split, recipe: Recipe, seed: int) -> tf.data.Dataset:
    """Batches of (images `uint8 (B, height, width)`, labels `int32 (B,)`).

    The last images of a batch are made outliers. Each pass over the data set has its own
    order and its own random maps, and leaves out the few images that do not fill a batch.
    """
    rng = np.random.default_rng(seed)
    steps = len(split.labels) // recipe.batch_size

    def generate() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        order = rng.permutation(len(split.labels))[: steps * recipe.batch_size]
        for chosen in order.reshape(steps, recipe.batch_size):
            yield split.images[chosen], split.labels[chosen], rng.integers(2**31, size=2)

    def load(images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        augmented = augment(tf.cast(images, tf.float32), recipe.augmentation, seed)
        labels = tf.cast(labels, tf.int32)
        if count := round(recipe.augmentation.outliers * recipe.batch_size):
            strange = outliers.draw(augmented[-count:], seed + 100)
            augmented = tf.concat([augmented[:-count], strange], axis=0)
            labels = tf.concat([labels[:-count], tf.fill([count], NONE)], axis=0)
        # Whole numbers, because those are what the model is given in use.
        return tf.cast(augmented, tf.uint8), labels

    # Not a tensor of all images, which would be a second copy of them.
    drawn = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec((recipe.batch_size, *split.images.shape[1:]), tf.uint8),
            tf.TensorSpec(recipe.batch_size, tf.uint8),
            tf.TensorSpec(2, tf.int64),
        ),
    )
    return drawn.apply(tf.data.experimental.assert_cardinality(steps)).map(load).prefetch(4)


def learning_rates(recipe: Recipe, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The schedule of the learning rate over all `steps` of a training."""
    peak = recipe.learning_rate
    match recipe.schedule:
        case "one_cycle":
            return OneCycle(peak, steps)
        case "cosine":
            return keras.optimizers.schedules.CosineDecay(peak, steps)
        case "constant":
            return keras.optimizers.schedules.PiecewiseConstantDecay([steps], [peak, peak])


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Up in a straight line over the first fifth of the steps, then down to 0.

    After Smith and Topin 2017, "Super-convergence", arXiv 1708.07120.
    """

    def __init__(self, peak: float, steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.steps = steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        progress = (tf.cast(step, tf.float32) + 1) / self.steps
        return self.peak * tf.minimum(progress / 0.2, (1 - progress) / 0.8)

    def get_config(self) -> dict[str, float]:
        return {"peak": self.peak, "steps": self.steps}


def optimizer(
    recipe: Recipe, schedule: keras.optimizers.schedules.LearningRateSchedule
) -> keras.optimizers.Optimizer:
    match recipe.optimizer:
        case "sgd":
            return keras.optimizers.SGD(
                schedule, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
            )
        case "adam":
            return keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
