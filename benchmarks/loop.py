"""What Keras' `fit` costs over a lean loop: the CNN's recipe, the same batches, by turns."""

import time
from collections.abc import Callable

import pandas as pd
from tqdm import tqdm

from benchmarks import measuring
from digits import params
from digits.base import quiet

ROUNDS = 3
EPOCHS = 2


def main() -> None:
    measuring.parser("loop", __doc__ or "").parse_args()
    with quiet.importing_tensorflow():  # here, so that --help answers at once
        import keras
        import tensorflow as tf

        from digits.training import networks, normalization, training
    settings = params.load().train
    recipe = settings.cnn.model_copy(update={"epochs": EPOCHS})
    train, validation = measuring.split("train"), measuring.split("validation")
    lesson = training.Lesson(train, validation, [str(digit) for digit in range(10)])
    training.be_deterministic(settings.seed, settings.threads)

    def fit(network: keras.Model) -> None:
        training.train(network, lesson, recipe, settings.seed, lambda *_: None)

    def loop(network: keras.Model) -> None:
        steps = len(train.labels) // recipe.batch_size
        optimizer = training.optimizer(recipe, training.learning_rates(recipe, steps * EPOCHS))
        twin = normalization.clone(network)
        classifier = keras.Model(twin.inputs, twin.get_layer("logits").output)
        loss = training.loss
        optimizer.build(classifier.trainable_variables)

        @tf.function  # type: ignore[untyped-decorator]
        def epoch(batches: tf.data.Dataset) -> None:
            for images, labels in batches:
                with tf.GradientTape() as tape:
                    value = tf.reduce_mean(loss(labels, classifier(images, training=True)))
                weights = classifier.trainable_variables
                optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))

        batches = training.batches(train, lesson.classes, recipe, settings.seed)
        for _ in range(EPOCHS):
            epoch(batches)
            classifier.predict(validation.images, batch_size=500, verbose=0)  # as `fit` does

    ways: dict[str, Callable[[keras.Model], None]] = {"fit": fit, "a lean loop": loop}
    runs = []
    for _ in tqdm(range(ROUNDS), unit="round"):
        for name, way in ways.items():
            network = networks.build(recipe, train.images.shape[1:], 10)
            cpu, wall = time.process_time(), time.perf_counter()
            way(network)
            seconds = time.process_time() - cpu, time.perf_counter() - wall
            runs.append({"way": name, "CPU s": seconds[0], "wall s": seconds[1]})
    table = pd.DataFrame(runs).groupby("way").agg(["median", "min", "max"])
    table.columns = [f"{figure}, {kind}" for figure, kind in table.columns]
    note = f"{EPOCHS} epochs of the CNN, with a look at the validation images after each."
    measuring.write("loop", table.reset_index(), f"{note} n = {ROUNDS}, interleaved.", runs=runs)


if __name__ == "__main__":
    main()
