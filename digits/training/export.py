"""Writing a trained model: a reproducible Keras file, and ONNX that agrees with it."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime

from digits.base.errors import UserError
from digits.base.files import replacing

TOLERANCE = 1e-5  # largest difference of a probability between Keras and ONNX Runtime


def write_keras(model: keras.Model, path: Path) -> None:
    """Save a model so that equal weights give equal bytes.

    Keras' own file holds the time of saving, twice, and memory addresses as the ids of
    shared objects; here these are a fixed date and a count.
    """
    with replacing(path) as partial:
        whole = partial.with_suffix(".keras")  # Keras saves under no other ending
        try:
            model.save(whole, include_optimizer=False)
            with zipfile.ZipFile(whole) as source, zipfile.ZipFile(partial, "w") as target:
                for name in sorted(source.namelist()):
                    content = source.read(name)
                    if name.endswith(".json"):
                        content = _stable_json(content)
                    target.writestr(zipfile.ZipInfo(name), content)  # dated 1980-01-01
        finally:
            whole.unlink(missing_ok=True)


def _stable_json(content: bytes) -> bytes:
    numbers: dict[int, int] = {}

    def stable(value: dict[str, Any]) -> dict[str, Any]:
        value.pop("date_saved", None)
        if isinstance(address := value.get("shared_object_id"), int):
            value["shared_object_id"] = numbers.setdefault(address, len(numbers))
        return value

    return json.dumps(json.loads(content, object_hook=stable), sort_keys=True).encode()


def write_onnx(
    model: keras.Model, path: Path, samples: np.ndarray, facts: Mapping[str, Any]
) -> float:
    """Export a model to ONNX and check it on some images.

    The file describes itself: its metadata are `name` and `facts`, all but text as JSON.

    Args:
        samples: `uint8 (N, height, width)`, what to check on.
        facts: what else to say, see `inference.model.METADATA`.

    Returns:
        The largest difference of a probability between Keras and ONNX Runtime.

    Raises:
        UserError: that difference is above `TOLERANCE`.
    """
    expected = model.predict(samples, batch_size=500, verbose=0)
    with replacing(path) as partial:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            model.export(partial, format="onnx", verbose=False)
        exported = onnx.load(partial)
        description = {"name": model.name, **facts}
        props = {k: v if isinstance(v, str) else json.dumps(v) for k, v in description.items()}
        onnx.helper.set_model_props(exported, props)
        _stabilize(exported.graph)
        onnx.save(exported, partial)
        session = onnxruntime.InferenceSession(partial, providers=["CPUExecutionProvider"])
        (probabilities,) = session.run(None, {session.get_inputs()[0].name: samples})
        difference = float(np.abs(probabilities - expected).max())
        if not difference <= TOLERANCE:  # also where it is not a number
            raise UserError(
                f"ONNX Runtime and Keras differ by {difference:.1e} in a probability, more "
                f"than {TOLERANCE:.0e}: no model was kept"
            )
    return difference


def _stabilize(graph: onnx.GraphProto) -> None:
    """Order and name nodes and tensors by their place in the graph.

    The converter does so by the order of Python's sets, which differs from process to
    process. Now they are `images`, `conv_1`, `relu_1`, `maxpool_1`, ..., `probabilities`.
    """
    producers = {output: node for node in graph.node for output in node.output}
    constants = {constant.name: constant for constant in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    names = {"": "", graph.input[0].name: "images"}
    counts: Counter[str] = Counter()

    def visit(tensor: str) -> None:
        if tensor in names:
            return
        kind = "constant"
        if tensor not in constants:
            node = producers[tensor]
            for source in node.input:
                visit(source)
            nodes.append(node)
            kind = node.op_type.lower()
        counts[kind] += 1
        names[tensor] = f"{kind}_{counts[kind]}"

    visit(graph.output[0].name)
    names[graph.output[0].name] = "probabilities"
    for node in nodes:
        node.input[:] = [names[tensor] for tensor in node.input]
        node.output[:] = [names[tensor] for tensor in node.output]
        node.name = node.output[0]
    used = [name for name in names if name in constants]  # in the order of their first use
    for name in used:
        constants[name].name = names[name]
    ordered = [constants[name] for name in used]
    graph.input[0].name, graph.output[0].name = "images", "probabilities"
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(ordered)
    graph.name = "digits"
