import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.base.errors import UserError
from digits.inference.model import BATCH, Model

HEADER = '<ir_version: 10, opset_import: ["" : 17]>'
CNN = (
    HEADER
    + """
cnn (uint8[N,8,8] images) => (float[N,3] probabilities)
<float scale = {0.00392156862745098}, int64[4] as_image = {-1, 1, 8, 8}> {
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale)
  image = Reshape(scaled, as_image)
  conv_1 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(image, kernels)
  pool_1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(conv_1)
  relu_1 = Relu(pool_1)
  conv_2 = Conv<kernel_shape = [1, 1]>(relu_1, more_kernels)
  pool_2 = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(conv_2)
  flat = Flatten(pool_2)
  logits = MatMul(flat, weights)
  probabilities = Softmax(logits)
}"""
)
MLP = (
    HEADER
    + """
mlp (uint8[N,8,8] images) => (float[N,3] probabilities)
<float scale = {0.00392156862745098}, int64[2] as_vector = {-1, 64}> {
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale)
  vector = Reshape(scaled, as_vector)
  dense_1 = MatMul(vector, weights_1)
  relu_1 = Relu(dense_1)
  logits = MatMul(relu_1, weights_2)
  probabilities = Softmax(logits)
}"""
)
# Two members that each look at an image and at its negative: two views.
ENSEMBLE = (
    HEADER
    + """
cnn (uint8[N,8,8] images) => (float[N,3] probabilities)
<float scale = {0.00392156862745098}, float one = {1}, int64[4] as_image = {-1, 1, 8, 8},
 int64[3] as_views = {4, -1, 3}> {
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale)
  negative = Sub(one, scaled)
  views = Concat<axis = 0>(scaled, negative)
  image = Reshape(views, as_image)
  conv_1 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(image, kernels)
  pool_1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(conv_1)
  flat_1 = Flatten(pool_1)
  logits_1 = MatMul(flat_1, weights_1)
  softmax_1 = Softmax(logits_1)
  conv_2 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(image, kernels)
  pool_2 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(conv_2)
  flat_2 = Flatten(pool_2)
  logits_2 = MatMul(flat_2, weights_2)
  softmax_2 = Softmax(logits_2)
  answers = Concat<axis = 0>(softmax_1, softmax_2)
  each = Reshape(answers, as_views)
  probabilities = ReduceMean<axes = [0], keepdims = 0>(each)
}"""
)
METADATA = {
    "name": "net",
    "classes": json.dumps(["a", "b", "c"]),
    "parameters": "123",
    "multiply_adds": "4567",
    "recipe": '{"members": 1}',
}
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (5, 8, 8), np.uint8)
KERNELS = np.zeros((2, 1, 3, 3), np.float32)
KERNELS[0, 0, 1, 1] = 1  # leaves the image as it is
KERNELS[1, 0, 1, :2] = -1, 1  # less the pixel at the left: vertical edges
CNN_WEIGHTS = {
    "kernels": KERNELS,
    "more_kernels": np.float32([[1, 1], [1, -1], [0, 2]]).reshape(3, 2, 1, 1),
    "weights": rng.normal(size=(12, 3)).astype(np.float32),
}
MLP_WEIGHTS = {
    "weights_1": rng.normal(size=(64, 5)).astype(np.float32),
    "weights_2": rng.normal(size=(5, 3)).astype(np.float32),
}
ENSEMBLE_WEIGHTS = {
    "kernels": KERNELS,
    "weights_1": rng.normal(size=(32, 3)).astype(np.float32),
    "weights_2": rng.normal(size=(32, 3)).astype(np.float32),
}


def write(
    path: Path, text: str, weights: dict[str, np.ndarray], metadata: dict[str, str] = METADATA
) -> Path:
    model = onnx.parser.parse_model(text)
    for name, values in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


@pytest.fixture
def cnn(tmp_path: Path) -> Model:
    return Model(write(tmp_path / "cnn.onnx", CNN, CNN_WEIGHTS))


@pytest.fixture
def mlp(tmp_path: Path) -> Model:
    return Model(write(tmp_path / "mlp.onnx", MLP, MLP_WEIGHTS))


@pytest.fixture
def ensemble(tmp_path: Path) -> Model:
    metadata = METADATA | {"recipe": '{"members": 2}'}
    return Model(write(tmp_path / "ensemble.onnx", ENSEMBLE, ENSEMBLE_WEIGHTS, metadata))


def test_a_model_describes_itself(cnn: Model) -> None:
    assert cnn.name == "net"
    assert cnn.classes == ["a", "b", "c"]
    assert cnn.parameters == 123
    assert cnn.multiply_adds == 4567
    assert cnn.image_shape == [8, 8]


def test_predict_is_the_softmax_of_the_logits(mlp: Model) -> None:
    hidden = np.maximum(0, IMAGES.reshape(-1, 64) / 255 @ MLP_WEIGHTS["weights_1"])
    exponents = np.exp(hidden @ MLP_WEIGHTS["weights_2"])
    probabilities = mlp.predict(IMAGES)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(
        probabilities, exponents / exponents.sum(axis=1, keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize("images", [0, 1, BATCH, BATCH + 1])
def test_predict_in_batches_gives_each_image_its_row(cnn: Model, images: int) -> None:
    many = rng.integers(0, 256, (images, 8, 8), np.uint8)
    probabilities = cnn.predict(many)
    assert probabilities.shape == (images, 3)
    for index in {0, images - 1} & set(range(images)):
        np.testing.assert_allclose(
            probabilities[index], cnn.predict(many[index : index + 1])[0], atol=1e-6
        )


def test_a_single_network_answers_what_it_predicts(cnn: Model) -> None:
    (answer,) = cnn.answers(IMAGES)
    np.testing.assert_array_equal(answer, cnn.predict(IMAGES))


def test_each_member_answers_with_the_mean_of_its_views(ensemble: Model) -> None:
    scaled = IMAGES / np.float32(255)
    views = np.stack([scaled, 1 - scaled])
    edges = np.diff(views, axis=3, prepend=0)
    maps = np.stack([views, edges], axis=2)  # (views, images, channels, height, width)
    pooled = maps.reshape(2, 5, 2, 4, 2, 4, 2).max(axis=(4, 6)).reshape(2, 5, 32)
    answers = ensemble.answers(IMAGES)
    for answer, weights in zip(answers, ("weights_1", "weights_2"), strict=True):
        exponents = np.exp(pooled @ ENSEMBLE_WEIGHTS[weights])
        softmax = exponents / exponents.sum(axis=2, keepdims=True)
        np.testing.assert_allclose(answer, softmax.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("images", [1, BATCH, BATCH + 1])
def test_the_mean_of_the_answers_is_what_the_ensemble_predicts(
    ensemble: Model, images: int
) -> None:
    many = rng.integers(0, 256, (images, 8, 8), np.uint8)
    answers = ensemble.answers(many)
    assert [answer.shape for answer in answers] == [(images, 3)] * 2
    np.testing.assert_allclose(np.mean(answers, axis=0), ensemble.predict(many), atol=1e-6)


def test_images_of_another_size_are_refused(cnn: Model) -> None:
    with pytest.raises(UserError, match="takes images of 8 x 8 pixels, not 9 x 8"):
        cnn.predict(np.zeros((1, 9, 8), np.uint8))


def test_layers_of_a_cnn_are_its_convolutions_and_poolings(cnn: Model) -> None:
    layers = cnn.layers(IMAGES)
    assert [(layer.name, layer.pools) for layer in layers] == [
        ("convolution 1", False),
        ("max pooling 1", True),
        ("convolution 2", False),
        ("average pooling 2", True),
    ]
    same, edges = layers[0].maps[:, 0], layers[0].maps[:, 1]
    scaled = IMAGES / np.float32(255)
    np.testing.assert_allclose(same, scaled, atol=1e-6)
    np.testing.assert_allclose(edges[:, :, 1:], np.diff(scaled, axis=2), atol=1e-6)
    blocks = scaled.reshape(5, 4, 2, 4, 2)
    np.testing.assert_allclose(layers[1].maps[:, 0], blocks.max(axis=(2, 4)), atol=1e-6)
    blocks = layers[2].maps.reshape(5, 3, 2, 2, 2, 2)
    np.testing.assert_allclose(layers[3].maps, blocks.mean(axis=(3, 5)), atol=1e-6)


def test_layers_of_an_mlp_are_its_hidden_units_in_a_square(mlp: Model) -> None:
    (layer,) = mlp.layers(IMAGES)
    assert layer.name == "hidden layer 1"
    assert layer.maps.shape == (5, 1, 3, 3)
    units = layer.maps.reshape(5, 9)
    hidden = np.maximum(0, IMAGES.reshape(-1, 64) / 255 @ MLP_WEIGHTS["weights_1"])
    np.testing.assert_allclose(units[:, :5], hidden, rtol=1e-5, atol=1e-6)
    assert np.isnan(units[:, 5:]).all()


def test_a_network_without_hidden_layers_has_none_to_look_at(tmp_path: Path) -> None:
    text = MLP.replace("logits = MatMul(relu_1, weights_2)", "logits = Identity(dense_1)")
    text = text.replace("  relu_1 = Relu(dense_1)\n", "")
    model = Model(write(tmp_path / "linear.onnx", text, {"weights_1": np.eye(64, 3, dtype="f")}))
    assert model.layers(IMAGES) == []
    assert model.filters().shape == (3, 8, 8)


def test_layers_of_an_ensemble_are_those_of_its_first_member(ensemble: Model) -> None:
    layers = ensemble.layers(IMAGES)
    assert [layer.name for layer in layers] == ["convolution 1", "max pooling 1"]
    assert [layer.maps.shape for layer in layers] == [(5, 2, 8, 8), (5, 2, 4, 4)]
    np.testing.assert_allclose(layers[0].maps[:, 0], IMAGES / np.float32(255), atol=1e-6)


def test_looking_inside_changes_no_prediction(cnn: Model) -> None:
    before = cnn.predict(IMAGES)
    cnn.layers(IMAGES)
    np.testing.assert_array_equal(cnn.predict(IMAGES), before)


def test_filters(cnn: Model, mlp: Model) -> None:
    np.testing.assert_array_equal(cnn.filters(), KERNELS[:, 0])
    filters = mlp.filters()
    assert filters.shape == (5, 8, 8)
    np.testing.assert_array_equal(filters[4].ravel(), MLP_WEIGHTS["weights_1"][:, 4])


@given(
    st.binary()
    | st.integers(0, 1500).map(lambda size: onnx.parser.parse_model(CNN).SerializeToString()[:size])
)
def test_any_bytes_are_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged\.onnx: not a model that `train` wrote") as error:
        Model(path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "metadata", "reason"),
    [
        (CNN, {}, "no classes and no multiply_adds and no name and no parameters and no recipe"),
        (CNN, METADATA | {"parameters": "many"}, "invalid literal"),
        (CNN, METADATA | {"classes": '["a", "b"]'}, "for 2 classes"),
        (CNN, METADATA | {"classes": '"abc"'}, "its classes are no list of names"),
        (CNN, METADATA | {"classes": "[1, 2, 3]"}, "its classes are no list of names"),
        (CNN, METADATA | {"classes": '["a", "b", ""]'}, "empty or has control characters"),
        (CNN, METADATA | {"name": "\x1b[2J"}, "empty or has control characters"),
        (CNN, METADATA | {"classes": "[" * 2000}, "recursion|depth"),
        (CNN, METADATA | {"multiply_adds": "9" * 50_000}, "Exceeds the limit"),
        (CNN, METADATA | {"recipe": "null"}, "does not say how many members"),
        (CNN, METADATA | {"recipe": '{"members": 0}'}, "does not say how many members"),
        (CNN, METADATA | {"recipe": '{"members": "1"}'}, "does not say how many members"),
        (CNN, METADATA | {"data": "[]"}, "its data are no table of files"),
        (CNN.replace("uint8", "float"), METADATA, r"it takes tensor\(float\)"),
    ],
)
def test_a_foreign_model_is_refused(
    tmp_path: Path, text: str, metadata: dict[str, str], reason: str
) -> None:
    path = write(tmp_path / "foreign.onnx", text, CNN_WEIGHTS, metadata)
    with pytest.raises(UserError, match=rf"foreign\.onnx: not a model .*{reason}"):
        Model(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.onnx: .*No such file"):
        Model(tmp_path / "model.onnx")
