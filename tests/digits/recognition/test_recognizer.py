import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from digits import Recognizer
from digits.base.errors import UserError
from digits.recognition.recognizer import stack
from tests import small_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model.write(tmp_path_factory.mktemp("models") / "cnn")


def text(answers: list) -> str:
    rows = {answer.row: "" for answer in answers}
    for answer in answers:
        rows[answer.row] += answer.digit
    return "|".join(rows.values())


def test_rows_of_digits_are_read_in_order(model: Path) -> None:
    answers = Recognizer(model).read(small_model.handwriting("1203|2346"))
    assert text(answers) == "1203|2346"
    lefts = [answer.box.left for answer in answers if answer.box]
    assert lefts[:4] == sorted(lefts[:4])
    for answer in answers:
        assert answer.top[0] == (answer.digit, answer.confidence)
        probabilities = [probability for _, probability in answer.top]
        assert probabilities == sorted(probabilities, reverse=True)
        assert len(probabilities) == 3


def test_a_file_its_content_and_its_pixels_are_read_alike(model: Path, tmp_path: Path) -> None:
    pixels = small_model.handwriting("12")
    cv2.imwrite(str(path := tmp_path / "picture.png"), pixels)
    recognizer = Recognizer(model)
    answers = recognizer.read(pixels)
    assert text(answers) == "12"
    assert recognizer.read(path) == answers
    assert recognizer.read(path.read_bytes()) == answers
    assert recognizer.read(np.repeat(pixels[..., None], 3, axis=2)) == answers


def test_an_empty_sheet_has_no_digits(model: Path) -> None:
    assert Recognizer(model).read(np.full((200, 200), 240, np.uint8)) == []


def test_classify_is_the_models_own_answer(model: Path) -> None:
    images, labels = small_model.images()
    probabilities = Recognizer(model).classify(images)
    assert probabilities.dtype == np.float32
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.95


def test_what_the_model_is_not_sure_of_is_refused(model: Path) -> None:
    recognizer = Recognizer(model, threshold=0.66)  # of the roots: 0.894 / (0.894 + 0.447)
    sure, unsure = [0.8, 0.2] + 8 * [0.0], [0.79, 0.21] + 8 * [0.0]
    first, second = recognizer.answers(np.float32([sure, unsure]))
    assert (first.digit, first.refused) == ("0", False)
    assert (second.digit, second.refused) == ("?", True)
    assert second.top[:2] == (("0", 0.79), ("1", 0.21))
    assert second.box is None


def test_probabilities_that_are_no_numbers_are_refused(model: Path) -> None:
    (answer,) = Recognizer(model).answers(np.full((1, 10), np.nan, np.float32))
    assert answer.refused


@pytest.mark.parametrize(
    ("metadata", "asked", "threshold"),
    [({}, None, 0.5), ({"threshold": "0.7"}, None, 0.7), ({"threshold": "0.7"}, 0.0, 0.0)],
)
def test_the_threshold_is_the_models_unless_another_is_asked_for(
    tmp_path: Path, metadata: dict[str, str], asked: float | None, threshold: float
) -> None:
    folder = small_model.write(tmp_path / "cnn", **metadata)
    assert Recognizer(folder, asked).threshold == threshold


def test_no_digit_is_an_image_of_none() -> None:
    assert stack([]).shape == (0, 28, 28)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing: has no model\.onnx; `dvc repro` trains"):
        Recognizer(tmp_path / "nothing")


def test_neither_importing_nor_reading_pays_for_the_training(model: Path) -> None:
    code = f"""
import sys, digits
assert not sys.modules.keys() & {{"numpy", "onnxruntime"}}, "import digits is to stay light"
import numpy as np
digits.Recognizer({str(model)!r}).read(np.full((50, 50), 255, np.uint8))
assert not sys.modules.keys() & {{"tensorflow", "mlflow", "dvc", "pandas", "sklearn"}}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
