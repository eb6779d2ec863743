"""The server's routes, asked over HTTP."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import mlflow.onnx
import numpy as np
import onnx
import pytest
from mlflow.pyfunc import scoring_server

from digits import Recognizer
from digits.base.selection import sureness
from digits.recognition.recognizer import stack
from tests import small_model
from tests.digits.serving.conftest import Serve, serving

RAW = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
PICTURE = small_model.handwriting("120|463")
IMAGES = small_model.images()[0][:5]


def encoded(suffix: str, picture: np.ndarray = PICTURE) -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


def read(client: httpx.Client, picture: np.ndarray = PICTURE, **params: int) -> dict[str, Any]:
    height, width = picture.shape
    size = {"width": width, "height": height}
    answer = client.post("/read", params=size | params, content=picture.tobytes(), headers=RAW)
    assert answer.status_code == 200, answer.text
    return answer.json()


def unpacked(layer: dict[str, Any]) -> np.ndarray:
    pixels = np.frombuffer(base64.b64decode(layer["pixels"]), np.uint8)
    return pixels.reshape(layer["channels"], layer["height"], layer["width"])


@pytest.mark.parametrize("suffix", ["png", "jpeg", "webp", "bmp"])
def test_predict_reads_a_picture(
    client: httpx.Client, recognizers: list[Recognizer], suffix: str
) -> None:
    content = encoded(f".{suffix}")
    answer = client.post("/predict", content=content, headers={"Content-Type": f"image/{suffix}"})
    assert answer.status_code == 200
    expected = [each.as_json() for each in recognizers[0].read(content)]
    assert answer.json() == {
        "model": {"name": "cnn", "md5": recognizers[0].origin.md5},
        "digits": expected,
    }
    assert "".join(each["digit"] for each in expected) == "120463"
    assert [each["row"] for each in expected] == [0, 0, 0, 1, 1, 1]


def test_predict_takes_a_form(client: httpx.Client) -> None:
    files = {"file": ("digits.png", encoded(".png"), "image/png")}
    digits = client.post("/predict", files=files).json()["digits"]
    assert "".join(each["digit"] for each in digits) == "120463"


def test_predict_takes_bare_images(client: httpx.Client, recognizers: list[Recognizer]) -> None:
    answer = client.post("/predict", content=IMAGES.tobytes(), headers=RAW).json()
    expected = recognizers[0].answers(recognizers[0].classify(IMAGES))
    assert answer["digits"] == [each.as_json() for each in expected]
    assert answer["digits"][0]["box"] is None


def test_a_large_request_is_answered_in_order(
    client: httpx.Client, recognizers: list[Recognizer]
) -> None:
    images = small_model.images()[0]
    digits = client.post("/predict", content=images.tobytes(), headers=RAW).json()["digits"]
    expected = recognizers[0].classify(images).max(axis=1)
    np.testing.assert_allclose([each["confidence"] for each in digits], expected, atol=2e-6)


def test_read_gives_all_that_the_page_shows(
    client: httpx.Client, recognizers: list[Recognizer]
) -> None:
    reading = read(client)
    assert reading.keys() == {"digits", "classes", "milliseconds"}
    assert reading["classes"] == list("0123456789")
    found = recognizers[0].examine(PICTURE).digits
    images = stack(found)
    assert len(reading["digits"]) == 6
    for index, digit in enumerate(reading["digits"]):
        box = found[index].box
        assert digit["box"] == [box.left, box.top, box.width, box.height]
        assert digit["row"] == found[index].row
        assert base64.b64decode(digit["crop"]) == images[index].tobytes()
        assert list(digit["answers"]) == ["cnn", "mlp"]  # the main model first
        for recognizer in recognizers:
            answer = digit["answers"][recognizer.network.name]
            (expected,) = recognizer.classify(images[index : index + 1])
            np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
            assert answer["confidence"] == max(answer["probabilities"])
            refused = sureness(expected[np.newaxis])[0] < 0.5
            assert answer["refused"] == refused
            assert answer["digit"] == ("?" if refused else str(expected.argmax()))


class Rings(Recognizer):
    """Sure of what is as high as wide with nothing in the middle, unsure of all else."""

    def classify(self, images: np.ndarray) -> np.ndarray:
        ink = images > 50
        height, width = ink.any(axis=2).sum(axis=1), ink.any(axis=1).sum(axis=1)
        sure = (abs(height - width) < 3) & ~ink[:, 14, 14]
        return np.where(sure[:, None], [0.999991, *9 * [0.000001]], 0.1).astype(np.float32)


def test_read_parts_what_touches_once_it_is_finished(models: Path, serve: Serve) -> None:
    touching = np.full((200, 320), 255, np.uint8)
    for left in (100, 212):
        cv2.circle(touching, (left, 100), 50, 0, 12)
    client = serve(Rings(models / "cnn"))
    assert len(read(client, touching, unfinished=1)["digits"]) == 1
    assert len(read(client, touching, unfinished=0)["digits"]) == 2
    assert len(read(client, touching)["digits"]) == 2


def test_read_adds_feature_maps(client: httpx.Client, recognizers: list[Recognizer]) -> None:
    reading = read(client, maps=1)
    crop = np.frombuffer(base64.b64decode(reading["digits"][1]["crop"]), np.uint8)
    crop = crop.reshape(28, 28).astype(float)
    assert reading["maps"]["digit"] == 1
    convolution, pooling = reading["maps"]["layers"]
    assert (convolution["name"], convolution["pools"]) == ("convolution 1", False)
    assert (pooling["name"], pooling["pools"]) == ("max pooling 1", True)
    same, edges = unpacked(convolution)[:2].astype(float)
    np.testing.assert_allclose(same, 128 + 127 * crop / crop.max(), atol=0.51)
    differences = np.diff(crop, axis=1, prepend=0)
    np.testing.assert_allclose(edges, 128 + 127 * differences / abs(differences).max(), atol=0.51)
    pooled = unpacked(pooling)[0]
    np.testing.assert_array_equal(pooled, same.reshape(14, 2, 14, 2).max(axis=(1, 3)))


def test_maps_of_a_digit_that_is_not_there_are_left_out(client: httpx.Client) -> None:
    assert "maps" not in read(client, maps=6)


def test_an_empty_sheet_is_read(client: httpx.Client) -> None:
    assert read(client, np.full((50, 60), 255, np.uint8), maps=0)["digits"] == []


PAYLOADS = {
    "inputs": {"inputs": IMAGES.tolist()},
    "instances": {"instances": IMAGES.tolist()},
    "inputs, a row each": {"inputs": IMAGES.reshape(-1, 784).tolist()},
    "dataframe_split": {
        "dataframe_split": {
            "columns": list(range(784)),
            "data": IMAGES.reshape(-1, 784).tolist(),
        }
    },
    "dataframe_split of images": {
        "dataframe_split": {"columns": ["image"], "data": [[image.tolist()] for image in IMAGES]}
    },
}


@pytest.fixture(scope="module")
def mlflows(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """MLflow's own scoring server, with the same model."""
    path = tmp_path_factory.mktemp("mlflow") / "model"
    signature = mlflow.models.infer_signature(IMAGES, np.zeros((5, 10), np.float32))
    mlflow.onnx.save_model(
        onnx.load(models / "cnn/model.onnx"), path, signature=signature, pip_requirements=[]
    )
    with serving(scoring_server.init(mlflow.pyfunc.load_model(str(path)))) as client:
        yield client


@pytest.mark.parametrize("name", PAYLOADS)
def test_invocations_give_the_probabilities(
    client: httpx.Client, recognizers: list[Recognizer], name: str
) -> None:
    answer = client.post("/invocations", json=PAYLOADS[name])
    assert answer.status_code == 200, answer.text
    expected = recognizers[0].classify(IMAGES)
    np.testing.assert_allclose(answer.json()["predictions"], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["inputs", "instances"])
def test_mlflows_own_server_answers_the_same(
    client: httpx.Client, mlflows: httpx.Client, name: str
) -> None:
    answer, theirs = (each.post("/invocations", json=PAYLOADS[name]) for each in (client, mlflows))
    assert (answer.status_code, theirs.status_code) == (200, 200), theirs.text
    assert answer.json().keys() == theirs.json().keys()
    predictions = theirs.json()["predictions"]["probabilities"]  # Keras' flavour has no names
    np.testing.assert_allclose(answer.json()["predictions"], predictions, atol=1e-6)


def test_health(client: httpx.Client) -> None:
    for path in ("/health", "/ping"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"live": True, "ready": True})


def test_version_tells_which_model_answers(
    client: httpx.Client, recognizers: list[Recognizer]
) -> None:
    assert client.get("/version").json() == {
        "name": "cnn",
        "md5": recognizers[0].origin.md5,
        "version": None,
        "run_id": None,
        "threshold": 0.5,
        "metrics": {},
        "others": [{"name": "mlp", "md5": recognizers[1].origin.md5}],
    }


def test_metrics_count_requests_and_digits(serve: Serve) -> None:
    client = serve()
    client.post("/predict", content=IMAGES.tobytes(), headers=RAW)
    client.post("/predict", content=b"", headers=RAW)
    client.get("/no/such/path")
    lines = client.get("/metrics").text.splitlines()
    assert 'digits_requests_total{path="/predict",status="200"} 1.0' in lines
    assert 'digits_requests_total{path="/predict",status="400"} 1.0' in lines
    assert 'digits_requests_total{path="other",status="404"} 1.0' in lines
    assert 'digits_answers_total{refused="false"} 5.0' in lines
    assert "digits_batch_images_sum 5.0" in lines
    assert "digits_busy_requests 0.0" in lines


def test_the_page_and_its_files_are_served(client: httpx.Client) -> None:
    assert "<title>digits</title>" in client.get("/").text
    script = client.get("/static/page.js")
    assert script.text == "'use strict'"
    assert script.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    ["/static/../secret", "/static/%2e%2e/secret", "/static/..%2fsecret", "/static//etc/passwd"],
)
def test_no_path_leads_out_of_the_page(client: httpx.Client, path: str) -> None:
    answer = client.send(httpx.Request("GET", client.base_url.copy_with(raw_path=path.encode())))
    assert answer.status_code == 404
    assert "not to be served" not in answer.text


def test_the_interface_is_described_without_a_network(client: httpx.Client) -> None:
    text = client.get("/docs").text
    assert "//" not in text.replace("<!--", "")
    assert "<script" not in text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f" {path}</code>" in text


@pytest.mark.parametrize(
    ("path", "headers", "content", "status", "reason"),
    [
        ("/predict", {}, b"x", 415, "send image/png, "),
        ("/predict", JSON, b"{}", 415, "send image/png, "),
        ("/predict", {"Content-Type": "image/png"}, b"", 400, "not a picture"),
        ("/predict", {"Content-Type": "image/png"}, encoded(".png")[:200], 400, "not a picture"),
        ("/predict", RAW, b"", 400, "0 bytes: must be a multiple of 784"),
        ("/predict", RAW, b"x" * 785, 400, "785 bytes: must be a multiple of 784"),
        ("/predict", {"Content-Type": "multipart/form-data"}, b"x", 400, "boundary"),
        ("/read?width=2&height=3", RAW, b"12345", 400, "5 bytes: must be 2 x 3, one a pixel"),
        ("/read?width=2", RAW, b"12", 400, "height: Field required"),
        ("/read?width=0&height=x", RAW, b"", 400, "width: .*; height: "),
        ("/read?width=100000&height=100000", RAW, b"", 413, "at most 25,000,000 pixels"),
        ("/read?width=2&height=1&maps=-1", RAW, b"12", 400, "maps: "),
        ("/invocations", RAW, b"{}", 415, "send application/json"),
        ("/invocations", JSON, b"{", 400, "not JSON: "),
        ("/invocations", JSON, b"[1]", 400, "one of the keys inputs, instances, dataframe_split"),
        ("/invocations", JSON, b'{"inputs": [], "instances": []}', 400, "one of the keys"),
        ("/invocations", JSON, b'{"inputs": [[1, 2], [3]]}', 400, "lists of unequal length"),
        ("/invocations", JSON, b'{"inputs": [[1, 2]]}', 400, r"shape \(1, 2\): must be images of"),
        ("/invocations", JSON, b'{"inputs": []}', 400, r"shape \(0,\)"),
        ("/invocations", JSON, b'{"inputs": "abc"}', 400, "not numbers alone"),
        ("/invocations", JSON, b'{"inputs": [[null]]}', 400, "not numbers alone"),
        ("/invocations", JSON, b'{"inputs": [[NaN]]}', 400, "not JSON"),
        ("/invocations", JSON, b'{"inputs": ' + b"[" * 5000, 400, "too many lists"),
        ("/invocations", JSON, b'{"dataframe_split": []}', 400, "dataframe_split: must be "),
        (
            "/invocations",
            JSON,
            json.dumps({"inputs": [[256] * 784]}).encode(),
            400,
            "a whole number from 0, the ground, to 255",
        ),
        ("/nothing", {}, b"", 404, "Not Found"),
        ("/health", {}, b"", 405, "Method Not Allowed"),
    ],
)
def test_a_bad_request_is_answered_with_the_reason(
    client: httpx.Client,
    path: str,
    headers: dict[str, str],
    content: bytes,
    status: int,
    reason: str,
) -> None:
    answer = client.post(path, headers=headers, content=content)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem.keys() == {"detail"}
    assert len(problem["detail"].splitlines()) == 1
    assert re.search(reason, problem["detail"]), problem["detail"]
