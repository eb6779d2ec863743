"""Training a network: the batches, the schedule, the optimizer, deterministic to the bit.

Equal seeds, data, packages, thread counts and type of CPU give equal weights.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import keras
import numpy as np
import tensorflow as tf
from threadpoolctl import threadpool_limits

from digits.base.errors import UserError
from digits.data.splits import Split
from digits.params import Recipe
from digits.training import networks, normalization, outliers
from digits.training.augmentation import augment
from digits.training.styles import restyle

OnEpoch = Callable[[int, dict[str, float]], None]

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
    # The batches are made beside TensorFlow, whose threads leave no core for others that spin.
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")


@dataclass(frozen=True)
class Lesson:
    """What a network learns from, and is watched on.

    Attributes:
        training: what it learns from.
        validation: what `OnEpoch` is told the loss and accuracy of.
        classes: their names, in the order of the labels.
    """

    training: Split
    validation: Split
    classes: Sequence[str]


def train_members(
    recipe: Recipe, lesson: Lesson, seed: int, threads: int, on_epoch: OnEpoch
) -> list[keras.Model]:
    """Build and train the networks of a recipe, of seeds one apart; see `train`."""
    members = []
    for member in range(seed, seed + recipe.members):
        be_deterministic(member, threads)
        shape = lesson.training.images.shape[1:]
        network = networks.build(recipe, shape, len(lesson.classes))
        train(network, lesson, recipe, member, on_epoch)
        members.append(network)
    return members


def train(model: keras.Model, lesson: Lesson, recipe: Recipe, seed: int, on_epoch: OnEpoch) -> None:
    """Train `model` in place.

    Args:
        model: from `networks.build`.
        lesson: the images, and the names of their classes.
        recipe: what the network was built by.
        seed: of the order of the images and of what is done to them.
        on_epoch: gets the number of the epoch, from 1, and its `loss`, `accuracy`,
            `val_loss`, `val_accuracy` and the `learning_rate` at its end.

    Raises:
        UserError: there are fewer images than a batch holds, or a loss is not finite.
    """
    train, validation = lesson.training, lesson.validation
    steps = len(train.labels) // recipe.batch_size
    if steps == 0:
        raise UserError(
            f"train.{model.name}.batch_size = {recipe.batch_size}: must be at most the number "
            f"of training images, {len(train.labels)}; `-S train.{model.name}.batch_size=N` sets it"
        )
    schedule = learning_rates(recipe, steps * recipe.epochs)
    # The loss of logits is exact where that of a probability near 0 has lost its digits.
    twin = normalization.clone(model)
    classifier = keras.Model(twin.inputs, twin.get_layer("logits").output)
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
        batches(train, lesson.classes, recipe, seed),
        epochs=recipe.epochs,
        validation_data=(validation.images, validation.labels),
        validation_batch_size=500,
        shuffle=False,  # the batches are shuffled already
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    model.set_weights(twin.get_weights())


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


def batches(split: Split, classes: Sequence[str], recipe: Recipe, seed: int) -> tf.data.Dataset:
    """Batches of (images `uint8 (B, height, width)`, labels `int32 (B,)`).

    The last images of a batch are made outliers. Each pass over the data set has its own
    order and its own random changes, and leaves out the few images that do not fill a batch.
    """
    rng = np.random.default_rng(seed)
    steps = len(split.labels) // recipe.batch_size
    augmentation = recipe.augmentation
    strange = round(augmentation.outliers * recipe.batch_size)

    def generate() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        order = rng.permutation(len(split.labels))[: steps * recipe.batch_size]
        for chosen in order.reshape(steps, recipe.batch_size):
            images, labels = split.images[chosen], split.labels[chosen].astype(np.int32)
            if augmentation.styles:
                images = restyle(images, labels, classes, augmentation.styles, rng)
            images = augment(images, augmentation, rng)
            if strange:
                images[-strange:] = outliers.draw(images[-strange:], classes, rng)
                labels[-strange:] = NONE
            yield images, labels

    # Not a tensor of all images, which would be a second copy of them.
    drawn = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec((recipe.batch_size, *split.images.shape[1:]), tf.uint8),
            tf.TensorSpec(recipe.batch_size, tf.int32),
        ),
    )
    return drawn.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(4)


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
