"""A CNN and an MLP in a moment, without TensorFlow: the first layer random, the last one fitted.

They read most digits that are written clearly, and are files as `train` writes them.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from sklearn.linear_model import Ridge

from digits.data.splits import Split
from tests import small_model

FIRST_LAYER = {
    "cnn": """
  as_image = Constant<value_ints = [-1, 1, 28, 28]>()
  image = Reshape(scaled, as_image)
  convolution = Conv<kernel_shape = [5, 5], strides = [2, 2]>(image, first)
  pooled = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(convolution)
  active = Relu(pooled)
  features = Flatten(active)""",
    "mlp": """
  vector = Flatten(scaled)
  units = MatMul(vector, first)
  features = Relu(units)""",
}
SURE = 10  # the logit of an image's own class
SHAPES = {"cnn": (8, 1, 5, 5), "mlp": (784, 200)}
NETWORK = """<ir_version: 10, opset_import: ["" : 17]>
{name} (uint8[N,28,28] images) => (float[N,10] probabilities)
<float scale = {{0.00392156862745098}}> {{
  numbers = Cast<to = 1>(images)
  scaled = Mul(numbers, scale){first_layer}
  weighted = MatMul(features, last)
  logits = Add(weighted, bias)
  probabilities = Softmax(logits)
}}"""


def write(folder: Path, handwriting: Split) -> None:
    """Train both, and write them to cnn/model.onnx and mlp/model.onnx."""
    for name, shape in SHAPES.items():
        first = np.random.default_rng(0).normal(size=shape) / 5
        proto = _network(name, first=first)
        proto.graph.output[0].CopyFrom(onnx.helper.make_empty_tensor_value_info("features"))
        del proto.graph.node[-3:]
        session = onnxruntime.InferenceSession(proto.SerializeToString())
        (features,) = session.run(None, {"images": handwriting.images})
        fitted = Ridge(alpha=30).fit(features, SURE * np.eye(10)[handwriting.labels])
        last = {"last": fitted.coef_.T, "bias": fitted.intercept_}
        (folder / name).mkdir(parents=True)
        onnx.save(_network(name, first=first, **last), folder / name / "model.onnx")


def _network(name: str, **weights: np.ndarray) -> onnx.ModelProto:
    graph = NETWORK.format(name=name, first_layer=FIRST_LAYER[name])
    parameters = sum(values.size for values in weights.values())
    return small_model.assemble(
        graph, weights, name=name, parameters=str(parameters), multiply_adds="0"
    )
