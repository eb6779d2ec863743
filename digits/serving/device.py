"""What a browser needs to read by itself: ONNX Runtime, the models, and a word about them."""

import base64
from collections.abc import Sequence
from itertools import islice
from typing import Any

import onnx

from digits.inference.layers import layer_names
from digits.recognition.recognizer import Recognizer
from digits.serving import runtime

FOLDER = "device"  # of the files, beside the page
DESCRIPTION = "device.json"


def file_name(recognizer: Recognizer) -> str:
    """Name a model's file by its content: no browser takes an older one for it."""
    return f"{recognizer.network.name}-{recognizer.origin.md5[:12]}.onnx"


def describe(recognizers: Sequence[Recognizer], has_server: bool) -> dict[str, Any]:
    """Describe what the page can use: the models and ONNX Runtime.

    Args:
        recognizers: the main one first.
        has_server: whether there is one to ask where the device cannot read.
    """
    return {
        "server": has_server,
        "script": f"{FOLDER}/{runtime.SCRIPT}",
        "wasm": f"{FOLDER}/{runtime.WASM}",
        "models": [_describe_model(recognizer) for recognizer in recognizers],
    }


def _describe_model(recognizer: Recognizer) -> dict[str, Any]:
    network = recognizer.network
    graph = onnx.load_from_string(network.content).graph
    every = layer_names(graph)
    names = dict(islice(every.items(), len(every) // network.recipe["members"]))
    # Two files of protobuf, one after the other, are one message: this adds outputs to a model.
    addition = onnx.ModelProto()
    addition.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in names)
    return {
        "name": network.name,
        "file": f"{FOLDER}/{file_name(recognizer)}",
        "classes": network.classes,
        "threshold": recognizer.threshold,
        "layers": [
            {"output": output, "name": name, "pools": pools}
            for output, (name, pools) in names.items()
        ],
        "outputs": base64.b64encode(addition.SerializeToString()).decode("ascii"),
    }
