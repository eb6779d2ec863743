"""The layers inside a model that are worth a look."""

import math
from dataclasses import dataclass

import numpy as np
import onnx

POOLINGS = {"MaxPool": "max pooling", "AveragePool": "average pooling"}


@dataclass(frozen=True)
class Layer:
    """What one layer makes of some images.

    Attributes:
        name: such as "convolution 1".
        maps: `float32 (N, channels, height, width)`.
        pools: whether it is a pooling: channel by channel of the convolution before it.
    """

    name: str
    maps: np.ndarray
    pools: bool = False


def layer_names(graph: onnx.GraphProto) -> dict[str, tuple[str, bool]]:
    """Of each layer to look at: its output's name in the graph -> its name, if it pools."""
    names: dict[str, tuple[str, bool]] = {}
    convolutions = 0
    for node in graph.node:
        if node.op_type == "Conv":
            convolutions += 1
            names[node.output[0]] = f"convolution {convolutions}", False
        elif node.op_type in POOLINGS:
            names[node.output[0]] = f"{POOLINGS[node.op_type]} {convolutions}", True
    if not convolutions:
        activations = [node.output[0] for node in graph.node if node.op_type == "Relu"]
        names = {a: (f"hidden layer {i}", False) for i, a in enumerate(activations, 1)}
    return names


def as_square(units: np.ndarray) -> np.ndarray:
    """Lay out `float32 (N, units)` as `(N, 1, side, side)`, row by row, the rest NaN."""
    side = math.ceil(math.sqrt(units.shape[1]))
    missing = side * side - units.shape[1]
    padded = np.pad(units, ((0, 0), (0, missing)), constant_values=np.nan)
    return padded.reshape(len(units), 1, side, side)
