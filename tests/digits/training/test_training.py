"""What training does to a model: behaviour, on real digits, in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digits import params
from digits.base.errors import UserError
from digits.base.quiet import importing_tensorflow
from digits.data.splits import Split
from digits.intake.splitting import hold_out
from digits.params import Augmentation

with importing_tensorflow():
    import keras

    from digits.training import networks, outliers, training

TRAIN = params.load(Path(__file__).parents[3] / "params.yaml").train
NONE = Augmentation(**dict.fromkeys(Augmentation.model_fields, 0))
CLASSES = [str(digit) for digit in range(10)]


def changed(name: str, **values: Any) -> Any:
    recipe = getattr(TRAIN, name)
    return type(recipe)(**(recipe.model_dump() | values))


def fit(recipe: Any, train: Split, validation: Split, seed: int = 0) -> tuple[Any, list[dict]]:
    keras.utils.set_random_seed(seed)
    model = networks.build(recipe, (28, 28), 10)
    epochs: list[dict] = []
    lesson = training.Lesson(train, validation, CLASSES)
    training.train(model, lesson, recipe, seed, lambda _, logs: epochs.append(logs))
    return model, epochs


@pytest.fixture(scope="module")
def splits(handwriting: Split) -> tuple[Split, Split]:
    return hold_out(handwriting, 400, seed=0)


@pytest.fixture(scope="module")
def trained(splits: tuple[Split, Split]) -> tuple[Any, list[dict]]:
    few = {"shift": 2.0, "rotation": 7.0, "zoom": 0.07, "elastic": 0.5}
    augmentation = Augmentation(**NONE.model_dump() | few | {"spoiled": 0.1, "outliers": 0.05})
    # 43 steps an epoch, no multiple of STEPS_PER_CALL: the schedule must end with the last.
    return fit(changed("cnn", epochs=6, batch_size=32, augmentation=augmentation), *splits)


def accuracy(model: keras.Model, split: Split) -> float:
    predicted = model.predict(split.images, verbose=0).argmax(axis=1)
    return float((predicted == split.labels).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "mlp", "resnet"])
def test_64_images_can_be_learned_by_heart(name: str, handwriting: Split) -> None:
    few = Split(handwriting.images[:64], handwriting.labels[:64])
    recipe = changed(name, epochs=30, batch_size=16, weight_decay=0.0, augmentation=NONE)
    model, epochs = fit(recipe, few, few)
    assert accuracy(model, few) == 1
    assert epochs[-1]["loss"] < 0.02


@pytest.mark.slow
def test_digits_not_seen_are_recognised(trained: Any, splits: tuple[Split, Split]) -> None:
    assert accuracy(trained[0], splits[1]) > 0.96


@pytest.mark.slow
def test_what_was_reported_is_what_the_model_does(trained: Any, splits: Any) -> None:
    model, epochs = trained
    assert epochs[-1]["val_accuracy"] == pytest.approx(accuracy(model, splits[1]), abs=1e-6)
    assert [set(epoch) for epoch in epochs] == [
        {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    ] * 6


@pytest.mark.slow
def test_a_shift_of_two_pixels_changes_few_answers(trained: Any, splits: Any) -> None:
    validation = splits[1]
    shifted = Split(np.roll(validation.images, (2, -2), axis=(1, 2)), validation.labels)
    assert accuracy(trained[0], shifted) > accuracy(trained[0], validation) - 0.06


@pytest.mark.slow
def test_noise_is_answered_with_less_confidence(trained: Any, splits: Any) -> None:
    rng = np.random.default_rng(0)
    images = splits[1].images
    noise = rng.permutation(images.reshape(len(images), -1), axis=1).reshape(images.shape)
    model = trained[0]
    confidence = [model.predict(x, verbose=0).max(axis=1).mean() for x in (images, noise)]
    assert confidence[1] < confidence[0] - 0.2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(splits: tuple[Split, Split]) -> None:
    recipe = changed("cnn", epochs=1, filters=[4] * 5, dropout=0.1)
    weights = [fit(recipe, *splits, seed)[0].get_weights() for seed in (3, 3, 4)]
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not np.array_equal(weights[0][0], weights[2][0])


def test_a_loss_that_is_not_finite_ends_the_training(splits: tuple[Split, Split]) -> None:
    recipe = changed("mlp", batch_normalization=False, learning_rate=1e12, schedule="constant")
    with pytest.raises(UserError, match=r"^loss is (nan|inf) after epoch 1: .*below 1e\+12"):
        fit(recipe, *splits)


def test_a_batch_larger_than_the_data_is_explained(splits: tuple[Split, Split]) -> None:
    with pytest.raises(
        UserError, match=r"^train\.mlp\.batch_size = 5000: must be at most .* 1397; `-S"
    ):
        fit(changed("mlp", batch_size=5000), *splits)


def test_each_pass_shows_every_image_once_in_another_order(handwriting: Split) -> None:
    recipe = changed("mlp", batch_size=128, augmentation=NONE)
    some = Split(handwriting.images[:256], handwriting.labels[:256])
    dataset = training.batches(some, CLASSES, recipe, seed=0)
    passes = [np.concatenate([x for x, _ in dataset.as_numpy_iterator()]) for _ in range(2)]
    assert not np.array_equal(*passes)
    for shown in passes:
        assert {bytes(x.astype(np.uint8)) for x in shown} == {bytes(x) for x in some.images}


def test_the_last_of_each_batch_are_outliers(handwriting: Split) -> None:
    some = Split(handwriting.images[:256], handwriting.labels[:256])
    originals = {bytes(image) for image in some.images}
    augmentation = Augmentation(**NONE.model_dump() | {"outliers": 0.25})
    dataset = training.batches(some, CLASSES, changed("mlp", augmentation=augmentation), seed=0)
    for images, labels in dataset.as_numpy_iterator():
        assert all(bytes(image) in originals for image in images[:96])
        assert not any(bytes(image) in originals for image in images[96:])
        assert (labels[:96] >= 0).all()
        assert (labels[96:] == training.NONE).all()


def test_the_loss_of_an_outlier_is_least_where_all_classes_are_alike() -> None:
    logits = np.float32([[2, 0, -1], [2, 0, -1], [0.3, 0.3, 0.3]])
    labels = np.array([[1], [training.NONE], [training.NONE]])
    of_class, unsure, even = training.loss(labels, logits).numpy()
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
    assert of_class == pytest.approx(-np.log(shares[1]), rel=1e-5)
    assert unsure == pytest.approx(-training.OUTLIER_WEIGHT * np.log(shares).mean(), rel=1e-5)
    assert even == pytest.approx(training.OUTLIER_WEIGHT * np.log(3), rel=1e-5)


def test_the_accuracy_is_that_of_the_rest() -> None:
    logits = np.float32([[2, 0], [0, 2], [2, 0]])
    right = training.accuracy(np.array([[0], [0], [training.NONE]]), logits)
    assert right.numpy().tolist() == [True, False]


@pytest.mark.slow
def test_scribbles_are_answered_with_less_confidence(trained: Any, splits: Any) -> None:
    images = splits[1].images
    shown = (images, outliers.scribbled(images, np.random.default_rng(0)))
    confidence = [trained[0].predict(x, verbose=0).max(axis=1).mean() for x in shown]
    assert confidence[1] < confidence[0] - 0.2


def test_each_pass_augments_anew(handwriting: Split) -> None:
    one = Split(handwriting.images[:1], handwriting.labels[:1])
    dataset = training.batches(one, CLASSES, changed("mlp", batch_size=1), seed=0)
    shown = {bytes(x) for _ in range(5) for x, _ in dataset.as_numpy_iterator()}
    assert len(shown) == 5


def test_each_pass_spoils_its_share_of_other_images(handwriting: Split) -> None:
    some = Split(handwriting.images[:256], handwriting.labels[:256])
    originals = {bytes(image) for image in some.images}
    augmentation = Augmentation(**NONE.model_dump() | {"spoiled": 0.25})
    dataset = training.batches(some, CLASSES, changed("mlp", augmentation=augmentation), seed=0)
    passes = [list(dataset.as_numpy_iterator()) for _ in range(2)]
    untouched = []
    for batches in passes:
        for images, _ in batches:
            is_untouched = np.array([bytes(image) in originals for image in images])
            assert is_untouched[32:].all()
            assert is_untouched[:32].sum() < 4
        untouched.append({bytes(x) for images, _ in batches for x in images} & originals)
    assert untouched[0] != untouched[1]


@pytest.mark.parametrize(
    ("schedule", "first", "peak_at", "last"),  # peak_at: share of the steps
    [("one_cycle", 0.005, 0.2, 0.0), ("cosine", 1.0, 0.0, 0.0), ("constant", 1.0, 0.0, 1.0)],
)
def test_schedules(schedule: str, first: float, peak_at: float, last: float) -> None:
    recipe = changed("cnn", schedule=schedule, learning_rate=1.0)
    rates = [float(training.learning_rates(recipe, 1000)(step)) for step in range(1000)]
    assert rates[0] == pytest.approx(first)
    assert rates[-1] == pytest.approx(last, abs=1e-5)
    assert max(rates) == pytest.approx(1)
    assert rates.index(max(rates)) == pytest.approx(1000 * peak_at, abs=1)
