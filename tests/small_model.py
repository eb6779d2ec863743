"""Small real models, made in a moment without TensorFlow, and handwriting for them.

The first layer is drawn at random, the last one is fitted to scikit-learn's digits. They read
most digits that are written clearly, and are files as `train` writes them.
"""

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from ruamel.yaml import YAML
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from digits.base import files

GRAPH = """<ir_version: 10, opset_import: ["" : 17]>
{kind} (uint8[N,28,28] images) => (float[N,10] probabilities)
<float scale = {{0.00392156862745098}}> {{
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale){first_layer}
  products = MatMul(features, weights)
  logits = Add(products, bias)
  probabilities = Softmax(logits)
}}"""
FIRST_LAYER = {
    "cnn": """
  as_image = Constant<value_ints = [-1, 1, 28, 28]>()
  image = Reshape(scaled, as_image)
  conv_1 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(image, first)
  pool_1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(conv_1)
  relu_1 = Relu(pool_1)
  features = Flatten(relu_1)""",
    "mlp": """
  vector = Flatten(scaled)
  units = MatMul(vector, first)
  features = Relu(units)""",
}
SHAPES = {"cnn": (8, 1, 3, 3), "mlp": (784, 200)}
SURE = 10  # the logit of an image's own class
SIDE = 100  # pixels of an image in a picture
PAPER = 235


@cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """All of scikit-learn's digits as MNIST has its: `uint8 (1797, 28, 28)`, and labels."""
    small, labels = load_digits(return_X_y=True)
    large = [
        cv2.resize(each.reshape(8, 8), (20, 20), interpolation=cv2.INTER_CUBIC) for each in small
    ]
    grey = (np.array(large) * (255 / 16)).clip(0, 255).astype(np.uint8)
    return np.pad(grey, ((0, 0), (4, 4), (4, 4))), labels


def write(folder: Path, name: str = "cnn", sharpness: float = 1, **metadata: str) -> Path:
    """Write model.onnx as `train` does.

    Args:
        name: `mlp` has a hidden layer, all others a convolution and a pooling.
        sharpness: of the probabilities: another one is another model that is as good.
        metadata: in addition.
    """
    kind = "mlp" if name == "mlp" else "cnn"
    first, weights, bias = _fitted(kind)
    model = _network(kind, first=first, weights=sharpness * weights, bias=sharpness * bias)
    facts = {"name": name, "classes": json.dumps([str(digit) for digit in range(10)])}
    uses = 28 * 28 if kind == "cnn" else 1  # of each weight of the first layer
    costs = {
        "parameters": str(first.size + weights.size + bias.size),
        "multiply_adds": str(uses * first.size + weights.size),
    }
    onnx.helper.set_model_props(model, facts | {"recipe": '{"members": 1}'} | costs | metadata)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    return folder


def write_lock(workspace: Path) -> None:
    """Write dvc.lock as DVC does after the training of each of a workspace's models."""
    stages = {
        f"train@{folder.name}": {
            "cmd": "train",
            "outs": [{"path": f"models/{folder.name}", "hash": "md5", "md5": files.md5(folder)}],
        }
        for folder in sorted((workspace / "models").iterdir())
    }
    YAML().dump({"schema": "2.0", "stages": stages}, workspace / "dvc.lock")


@cache
def _fitted(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first layer's weights, the last layer's, and its bias."""
    first = np.random.default_rng(0).normal(size=SHAPES[kind]) / 5
    if kind == "cnn":
        first[0] = first[1] = 0
        first[0, 0, 1, 1] = 1  # leaves the image as it is
        first[1, 0, 1, :2] = -1, 1  # vertical edges
    untrained = _network(kind, first=first)
    untrained.graph.output[0].CopyFrom(onnx.helper.make_empty_tensor_value_info("features"))
    del untrained.graph.node[-3:]
    session = onnxruntime.InferenceSession(untrained.SerializeToString())
    pixels, labels = images()
    (features,) = session.run(None, {"images": pixels})
    fitted = Ridge(alpha=30).fit(features, SURE * np.eye(10)[labels])
    return first, fitted.coef_.T, fitted.intercept_


def _network(kind: str, **weights: np.ndarray) -> onnx.ModelProto:
    text = GRAPH.format(kind=kind, first_layer=FIRST_LAYER[kind])
    model = onnx.parser.parse_model(text)
    for key, values in weights.items():
        tensor = onnx.numpy_helper.from_array(np.asarray(values, np.float32), key)
        model.graph.initializer.append(tensor)
    return model


def handwriting(text: str, seed: int = 0) -> np.ndarray:
    """Digits, `|` between rows, dark ink on light paper: `uint8 (height, width)`."""
    pixels, labels = images()
    rng, rows = np.random.default_rng(seed), text.split("|")
    paper = np.full(((SIDE + 30) * len(rows), (SIDE + 10) * max(map(len, rows))), PAPER, np.uint8)
    for row, digits in enumerate(rows):
        for column, digit in enumerate(digits):
            chosen = pixels[rng.choice(np.flatnonzero(labels == int(digit)))]
            ink = cv2.resize(chosen, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            top, left = 15 + (SIDE + 30) * row, 5 + (SIDE + 10) * column
            paper[top : top + SIDE, left : left + SIDE] -= (ink * 0.8).astype(np.uint8)
    return np.pad(paper, 10, constant_values=PAPER)
