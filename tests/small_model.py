"""A small real model, trained in a moment, and handwriting for it: of scikit-learn's digits."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
from sklearn.datasets import load_digits

GRAPH = """
<ir_version: 10, opset_import: ["" : 17]>
cnn (uint8[N,28,28] images) => (float[N,10] probabilities)
<float scale = {0.00392156862745098}, int64[4] as_image = {-1, 1, 28, 28}> {
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale)
  image = Reshape(scaled, as_image)
  conv_1 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(image, kernels)
  pool_1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(conv_1)
  flat = Flatten(pool_1)
  products = MatMul(flat, weights)
  logits = Add(products, bias)
  probabilities = Softmax(logits)
}"""
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


@cache
def _weights() -> np.ndarray:
    """Least squares, regularized: the last row is the bias; takes a hundredth of a second."""
    pixels, labels = images()
    pooled = pixels.reshape(-1, 14, 2, 14, 2).max(axis=(2, 4)).reshape(-1, 196) / 255
    inputs = np.pad(pooled, ((0, 0), (0, 1)), constant_values=1)
    return np.linalg.solve(inputs.T @ inputs + 10 * np.eye(197), inputs.T @ np.eye(10)[labels])


def write(folder: Path, name: str = "cnn", sharpness: float = 1, **metadata: str) -> Path:
    """Write model.onnx as `train` does.

    Args:
        sharpness: of the probabilities: another one is another model that is as good.
        metadata: in addition.
    """
    *weights, bias = 10 * sharpness * _weights()
    kernels = np.zeros((2, 1, 3, 3))
    kernels[0, 0, 1, 1] = 1  # leaves the image as it is
    kernels[1, 0, 1, :2] = -1, 1  # vertical edges, which have no say
    parts = {
        "kernels": kernels,
        "weights": np.pad(weights, ((0, 196), (0, 0))),
        "bias": bias,
    }
    costs = {"parameters": "3950", "multiply_adds": "18032"}
    model = assemble(GRAPH, parts, name=name, **costs | metadata)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    return folder


def assemble(graph: str, weights: Mapping[str, np.ndarray], **metadata: str) -> onnx.ModelProto:
    """A model of ten digits out of its graph as text, its weights, and what it says of itself."""
    model = onnx.parser.parse_model(graph)
    for key, values in weights.items():
        tensor = onnx.numpy_helper.from_array(values.astype(np.float32), key)
        model.graph.initializer.append(tensor)
    classes = json.dumps([str(digit) for digit in range(10)])
    facts = {"classes": classes, "recipe": '{"members": 1}'}
    onnx.helper.set_model_props(model, facts | metadata)
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
