import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from matplotlib.image import imread

from digits.inference.model import Model
from digits.recognition import explanation
from digits.recognition.answers import Answer
from digits.recognition.digitizing import examine

CNN = """
<ir_version: 8, opset_import: ["": 17]>
net (uint8[batch, 28, 28] image) => (float[batch, 2] probabilities)
<float[2, 1, 3, 3] kernels, int64[1] channel = {1}>
{
  values = Cast<to = 1>(image)
  channels = Unsqueeze(values, channel)
  conv = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(channels, kernels)
  pool = GlobalMaxPool(conv)
  logits = Flatten(pool)
  probabilities = Softmax(logits)
}"""
FACTS = {"name": "net", "parameters": "18", "multiply_adds": "1", "recipe": '{"members": 1}'}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    proto = onnx.parser.parse_model(CNN)
    kernels = np.random.default_rng(0).normal(size=(2, 1, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(kernels, "kernels"))
    onnx.helper.set_model_props(proto, FACTS | {"classes": json.dumps(["a", "b"])})
    onnx.save(proto, tmp_path / "model.onnx")
    return Model(tmp_path / "model.onnx")


def page(rings: int, width: int = 700) -> np.ndarray:
    """Paper with rows of ten rings."""
    pixels = np.full((100 + 60 * (rings // 10), width, 3), 255, np.uint8)
    for number in range(rings):
        row, column = divmod(number, 10)
        cv2.circle(pixels, (50 + 60 * column, 50 + 60 * row), 18, (0, 0, 0), 5)
    return pixels


def draw(pixels: np.ndarray, model: Model, path: Path) -> np.ndarray:
    sheet = examine(pixels)
    answers = [Answer(each.box, each.row, "a", 0.9, (("a", 0.9),), False) for each in sheet.digits]
    explanation.draw(sheet, answers, model, path)
    return imread(path)


@pytest.mark.parametrize("rings", [0, 1, 30])
def test_the_same_bytes_each_time_whatever_was_found(
    rings: int, model: Model, tmp_path: Path
) -> None:
    for name in ("first.png", "second.png"):
        draw(page(rings), model, tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
def test_of_any_shape_it_has_a_size_to_look_at(
    shape: tuple[int, int], model: Model, tmp_path: Path
) -> None:
    drawn = draw(np.full((*shape, 3), 255, np.uint8), model, tmp_path / "page.png")
    assert 150 < len(drawn) < 1200
    assert drawn.shape[1] == 1100


def test_a_digit_has_its_box_and_its_maps(model: Model, tmp_path: Path) -> None:
    none = draw(page(0), model, tmp_path / "none.png")
    one = draw(page(1), model, tmp_path / "one.png")
    more = draw(page(2), model, tmp_path / "more.png")
    assert len(one) > len(none)
    assert one.shape == more.shape
    assert (one != more).any(axis=2).mean() > 0.005


def test_nothing_is_drawn_over_the_edge(model: Model, tmp_path: Path) -> None:
    drawn = draw(page(30), model, tmp_path / "page.png")[..., :3]
    for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert (edge == 1).all()
