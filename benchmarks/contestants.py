"""One training, in a process of its own: ours or a published peer's. Prints a line of JSON.

The peers are written anew from their published descriptions:

- `keras_convnet`: F. Chollet, Simple MNIST convnet, keras.io/examples/vision/mnist_convnet:
  two convolutions of 32 and 64 filters of 3 x 3, each followed by a max pooling of 2 x 2,
  dropout of a half, a dense softmax; Adam, batches of 128, 15 epochs, a tenth held out.
- `quickstart_mlp`: TensorFlow 2 quickstart for beginners,
  tensorflow.org/tutorials/quickstart/beginner: a dense layer of 128, dropout of a fifth,
  ten logits; Adam, batches of 32, 5 epochs.

Ours are `mlp`, `cnn` and `resnet` as in params.yaml, and a profile's name for its CNN. The
peers train on all 60,000 images, or 54,000 of them; ours on the 55,000 that `preprocess`
leaves. All are measured on the 10,000 test images, from which nothing here is chosen.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import measuring
from benchmarks.profiles import params_of
from digits.base import quiet
from digits.data.splits import Split

if TYPE_CHECKING:  # --help and a wrong argument are answered before TensorFlow is imported
    import keras


def whole_training_set() -> Split:
    """Load all 60,000 images, which the peers are given."""
    splits = [measuring.split(name) for name in ("train", "validation")]
    images = np.concatenate([split.images for split in splits])
    order = np.random.default_rng(0).permutation(len(images))
    return Split(images[order], np.concatenate([split.labels for split in splits])[order])


def keras_convnet(split: Split) -> keras.Model:
    import keras

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    images = split.images[..., np.newaxis].astype("float32") / 255
    model.fit(images, split.labels, batch_size=128, epochs=15, validation_split=0.1, verbose=0)
    return model


def quickstart_mlp(split: Split) -> keras.Model:
    import keras

    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(split.images / 255.0, split.labels, epochs=5, verbose=0)
    return model


def ours(name: str, seed: int, share: float, epochs: int | None) -> keras.Model:
    """Train as `stages.train` does; `share` of the images, more than all by repeating them."""
    from digits.training import networks as models
    from digits.training import training

    model = name if name in ("mlp", "cnn", "resnet") else "cnn"
    recipe = getattr(params_of("" if model == name else name).train, model)
    if epochs:
        recipe = recipe.model_copy(update={"epochs": epochs})
    train = measuring.split("train")
    size = round(share * len(train.labels))
    if share != 1:
        images = np.resize(train.images, (size, *train.images.shape[1:]))
        train = Split(images, np.resize(train.labels, size))
    validation, threads = measuring.split("validation"), params_of("").train.threads
    lesson = training.Lesson(train, validation, [str(digit) for digit in range(10)])
    networks = training.train_members(recipe, lesson, seed, threads, lambda *_: None)
    return models.averaged(networks, recipe.views)


PEERS = {"keras_convnet": keras_convnet, "quickstart_mlp": quickstart_mlp}


def main() -> None:
    parser = measuring.parser("contestants", __doc__ or "")
    parser.add_argument("name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the training images")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--split", default="test", help="validation: to choose by, as one should")
    chosen = parser.parse_args()
    with quiet.importing_tensorflow():
        import keras

    start = time.process_time(), time.perf_counter()
    if chosen.name in PEERS:
        keras.utils.set_random_seed(chosen.seed)
        model = PEERS[chosen.name](whole_training_set())
    else:
        model = ours(chosen.name, chosen.seed, chosen.share, chosen.epochs)
    cost = time.process_time() - start[0], time.perf_counter() - start[1]
    split = measuring.split(chosen.split)
    images = split.images[..., np.newaxis] if model.input_shape[-1] == 1 else split.images
    scaled = images / np.float32(255) if chosen.name in PEERS else images
    predicted = model.predict(scaled, batch_size=500, verbose=0).argmax(axis=1)
    result = {
        "accuracy": float((predicted == split.labels).mean()),
        "cpu_seconds": cost[0],
        "wall_seconds": cost[1],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
