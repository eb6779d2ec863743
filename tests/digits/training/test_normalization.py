"""The fused normalisation computes and learns as Keras' own."""

import numpy as np
import pytest

from digits.base.quiet import importing_tensorflow

with importing_tensorflow():
    import keras
    from keras import layers

    from digits.training import normalization


@pytest.mark.parametrize("shape", [(6,), (5, 4, 6)], ids=str)
def test_it_trains_to_the_same_weights_as_keras_own(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input(shape), layers.BatchNormalization(momentum=0.9)])
    model.set_weights([rng.uniform(0.5, 2, 6).astype(np.float32) for _ in range(4)])
    twin = normalization.clone(model)
    assert isinstance(twin.layers[0], normalization.FusedNormalization)
    images = rng.normal(1, 2, (64, *shape)).astype(np.float32)
    for network in (model, twin):
        network.compile(keras.optimizers.SGD(0.1), "mse")
        network.fit(images, images[:, ::-1], batch_size=16, epochs=2, shuffle=False, verbose=0)
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(twin.predict(images, verbose=0), expected, atol=1e-4)
    for kept, fused in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(fused, kept, rtol=1e-4, atol=1e-5)


def test_a_clone_has_weights_of_its_own() -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.BatchNormalization()])
    twin = normalization.clone(model)
    twin.layers[0].set_weights([np.zeros((3, 2)), np.ones(2)])
    assert not np.array_equal(model.layers[0].get_weights()[1], np.ones(2))
    assert type(model.layers[1]) is layers.BatchNormalization
