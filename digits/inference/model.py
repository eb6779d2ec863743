"""A trained model, run from its ONNX file without TensorFlow, and a look inside it."""

import json
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from digits.base.errors import UserError
from digits.base.text import one_line, shape_text
from digits.inference.layers import Layer, as_square, layer_names

BATCH = 500  # images at a time, so that their activations need megabytes, not gigabytes
METADATA = {"name", "classes", "parameters", "multiply_adds", "recipe"}
THRESHOLD = 0.5  # of a model that names none
MOST_BYTES = 2**31 - 1  # of a file of ONNX's format


def _refuse_external_data(content: bytes) -> None:
    """Refuse a model whose weights lie in other files: it could name any file of this machine."""
    if any(
        isinstance(message, onnx.TensorProto)
        and onnx.external_data_helper.uses_external_data(message)
        for message in _messages(onnx.load_from_string(content))
    ):
        raise ValueError("its weights lie in other files")


def _messages(message: Any) -> Iterator[Any]:
    """A message of ONNX's format and all inside it: tensors may lie in graphs, nodes, functions."""
    yield message
    for field, value in message.ListFields():
        if field.message_type:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from _messages(inner)


def _refuse_odd(name: str, classes: Any, recipe: Any, data: Any) -> None:
    """Refuse metadata of another type than `train` writes: it would fail later, in mid-answer."""
    if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
        raise ValueError("its classes are no list of names")
    if not all(each and each.isprintable() for each in [name, *classes]):
        raise ValueError("its name or that of a class is empty or has control characters")
    members = recipe.get("members") if isinstance(recipe, dict) else None
    if type(members) is not int or members < 1:
        raise ValueError("its recipe does not say how many members it has")
    if not isinstance(data, dict):
        raise ValueError("its data are no table of files")


class Model:
    """An ONNX file that describes itself: its name, its classes and what it costs.

    Attributes:
        name: of the architecture.
        classes: names, in the order of the probabilities.
        parameters: number of weights.
        multiply_adds: multiplications with a weight for one image.
        size_bytes: of the file.
        recipe: the parameters it was trained with.
        data: MD5 of each file it learned from, by path; none where it does not say.
        threshold: what it is less sure of, by `selection.sureness`, is no answer.
        image_shape: height and width.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a model.

        Raises:
            UserError: the file is missing, damaged, or not a model that `train` wrote.
        """
        self._path, self._threads = path, threads
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError(f"it has {path.stat().st_size} bytes")
            self._content = path.read_bytes()
            _refuse_external_data(self._content)
            self._session = self._open(self._content)
            self.size_bytes = len(self._content)
            description = self._session.get_modelmeta().custom_metadata_map
            if missing := METADATA - description.keys():
                raise ValueError(f"its metadata has no {' and no '.join(sorted(missing))}")
            self.name: str = description["name"]
            self.classes: list[str] = json.loads(description["classes"])
            self.parameters = int(description["parameters"])
            self.multiply_adds = int(description["multiply_adds"])
            self.recipe: dict[str, Any] = json.loads(description["recipe"])
            self.data: dict[str, str] = json.loads(description.get("data", "{}"))
            _refuse_odd(self.name, self.classes, self.recipe, self.data)
            self.threshold = float(description.get("threshold", THRESHOLD))
            if not 0 <= self.threshold <= 1:
                raise ValueError(f"its threshold is {self.threshold}")
            (images,), (probabilities,) = self._session.get_inputs(), self._session.get_outputs()
            self._input: str = images.name
            _, *self.image_shape = images.shape
            if (images.type, len(self.image_shape)) != ("tensor(uint8)", 2):
                raise ValueError(f"it takes {images.type} {images.shape}")
            if probabilities.shape[1:] != [len(self.classes)]:
                raise ValueError(f"{probabilities.shape} for {len(self.classes)} classes")
        except Exception as error:  # ONNX Runtime's errors have no other base in common
            raise UserError(
                f"{path}: not a model that `train` wrote: {one_line(error)}; "
                "`dvc repro` writes it anew"
            ) from None

    def _open(self, content: bytes) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.use_deterministic_compute = True
        options.log_severity_level = 3  # errors
        # A thread that spins until the next call takes a core from whoever else computes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    @property
    def content(self) -> bytes:
        """The ONNX file."""
        return self._content

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The probabilities of the classes.

        Args:
            images: `uint8 (N, height, width)`.

        Returns:
            `float32 (N, classes)`, the rows add up to 1.

        Raises:
            UserError: the images are not of the size that the model takes.
        """
        if list(images.shape[1:]) != self.image_shape:
            raise UserError(
                f"{self._path}: takes images of {shape_text(self.image_shape)} pixels, "
                f"not {shape_text(images.shape[1:])}"
            )
        batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        probabilities = [self._session.run(None, {self._input: batch})[0] for batch in batches]
        return np.concatenate([np.empty((0, len(self.classes)), np.float32), *probabilities])

    def answers(self, images: np.ndarray) -> list[np.ndarray]:
        """What each member of an ensemble says by itself; of a single network, what it says.

        Returns:
            `float32 (N, classes)` of each member, as from `predict`, which gives their mean.
        """
        if self.recipe["members"] == 1:
            return [self.predict(images)]
        proto = onnx.load_from_string(self._content)
        last = proto.graph.node[-1]
        proto.graph.output.append(onnx.helper.make_empty_tensor_value_info(last.input[0]))
        session = self._open(proto.SerializeToString())
        batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        # (members * views, batch, classes) each
        several = [session.run([last.input[0]], {self._input: batch})[0] for batch in batches]
        views = np.concatenate(several, axis=1)
        return [answer.mean(axis=0) for answer in np.split(views, self.recipe["members"])]

    def layers(self, images: np.ndarray) -> list[Layer]:
        """What the layers inside make of some images, from first to last.

        Of a network with convolutions: each of them, before its activation, so that one
        sees where a filter's pattern is (positive) and where its negative (negative);
        and each pooling. Of one without: each hidden layer after its activation, its
        units laid out as one square, filled up with NaN. Of an ensemble: its first member.

        Args:
            images: `uint8 (N, height, width)`; a few, because all is kept in memory.
        """
        names, session = self._inside
        if not names:
            return []
        outputs = session.run(list(names), {self._input: images})
        outputs = [output[: len(images)] for output in outputs]  # what follows are shifted views
        return [
            Layer(name, output if output.ndim == 4 else as_square(output), pools)
            for (name, pools), output in zip(names.values(), outputs, strict=True)
        ]

    @cached_property
    def _inside(self) -> tuple[dict[str, tuple[str, bool]], onnxruntime.InferenceSession]:
        """The layers to look at, as `layer_names` gives them, and a session that gives them."""
        proto = onnx.load_from_string(self._content)
        every = layer_names(proto.graph)
        names = dict(list(every.items())[: len(every) // self.recipe["members"]])
        proto.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in names)
        return names, self._open(proto.SerializeToString())

    def filters(self) -> np.ndarray:
        """The weights with which the first layer looks at the image.

        Returns:
            `float32 (filters, height, width)`: the kernels of the first convolution, or
            of a network without one, the weights of each unit of its first dense layer,
            as large as the image. None, `(0, ...)`, where the first layer is another.
        """
        graph = onnx.load_from_string(self._content).graph
        weights = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type in ("Conv", "MatMul", "Gemm") and node.input[1] in weights:
                kernel = onnx.numpy_helper.to_array(weights[node.input[1]])
                if node.op_type == "Conv":
                    return kernel[:, 0]  # an image has one channel
                if len(kernel) == math.prod(self.image_shape):
                    return kernel.T.reshape(-1, *self.image_shape)
        return np.empty((0, *self.image_shape), np.float32)
