"""What the server does not take, whatever comes in, and what it tells browsers."""

import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from digits import Recognizer
from digits.recognition.digitizing import Sheet
from digits.serving.access import Access
from digits.serving.guard import SECURITY_HEADERS
from digits.serving.limits import Limits
from tests import small_model
from tests.digits.serving.conftest import Serve
from tests.small_project import wait_for

RAW = {"Content-Type": "application/octet-stream"}
PNG = {"Content-Type": "image/png"}
IMAGE = small_model.images()[0][0].tobytes()


class Slow(Recognizer):
    """A model that answers when it is told to."""

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        self.go = threading.Event()

    def classify(self, images: np.ndarray) -> np.ndarray:
        assert self.go.wait(30)
        return super().classify(images)


class SlowToFind(Slow):
    """A model that finds digits in pictures when it is told to, and answers at once."""

    def classify(self, images: np.ndarray) -> np.ndarray:
        return Recognizer.classify(self, images)

    def examine(self, *arguments: Any, **options: Any) -> Sheet:
        assert self.go.wait(30)
        return super().examine(*arguments, **options)


@pytest.fixture
def slow(models: Path) -> Iterator[Slow]:
    recognizer = Slow(models / "cnn")
    yield recognizer
    recognizer.go.set()


@pytest.fixture
def slow_to_find(models: Path) -> Iterator[SlowToFind]:
    recognizer = SlowToFind(models / "cnn")
    yield recognizer
    recognizer.go.set()


def chunks(size: int) -> Iterator[bytes]:
    """A body that does not tell its length."""
    for _ in range(size // 1000):
        yield bytes(1000)


def test_a_body_is_at_most_so_large(serve: Serve) -> None:
    client = serve(limits=Limits(bytes=784 * 10))
    assert client.post("/predict", content=IMAGE * 10, headers=RAW).status_code == 200
    for content in (IMAGE * 11, chunks(10_000)):
        answer = client.post("/predict", content=content, headers=RAW)
        assert answer.status_code == 413
        assert answer.json() == {"detail": "the body has more than 7,840 bytes"}


@pytest.mark.parametrize("token", [None, "a-long-token"])
def test_a_client_that_sends_a_large_body_at_once_sees_why_it_is_refused(
    serve: Serve, token: str | None
) -> None:
    url = serve(access=Access(token=token)).base_url
    # This client sends all before it reads.
    with closing(HTTPConnection(url.host, url.port or 80, timeout=30)) as client:
        client.request("POST", "/predict", bytes(30_000_000), PNG | {"Connection": "close"})
        assert client.getresponse().status == (401 if token else 413)


def test_a_picture_is_at_most_so_large(serve: Serve) -> None:
    client = serve(limits=Limits(pixels=200 * 200))
    for side, status in ((200, 200), (201, 400)):
        picture = cv2.imencode(".png", np.full((side, side), 255, np.uint8))[1].tobytes()
        answer = client.post("/predict", content=picture, headers=PNG)
        assert answer.status_code == status
    assert "201 x 201 pixels: at most 40,000" in answer.json()["detail"]


def test_a_picture_has_at_most_so_many_digits(serve: Serve) -> None:
    client = serve(limits=Limits(digits=2))
    for text, status in (("12", 200), ("120", 400)):
        picture = cv2.imencode(".png", small_model.handwriting(text))[1].tobytes()
        answer = client.post("/predict", content=picture, headers=PNG)
        assert answer.status_code == status
    assert answer.json() == {"detail": "a picture of 3 digits or more: at most 2 are answered"}


def test_a_request_takes_at_most_so_long(serve: Serve, slow: Slow) -> None:
    client = serve(slow, limits=Limits(seconds=0.2))
    answer = client.post("/predict", content=IMAGE, headers=RAW)
    assert answer.status_code == 408
    assert answer.json() == {"detail": "not answered within 0.2 seconds"}
    slow.go.set()
    assert client.post("/predict", content=IMAGE, headers=RAW).status_code == 200


def test_a_client_that_sends_nothing_is_not_waited_for(serve: Serve) -> None:
    url = serve(limits=Limits(body_seconds=0.2)).base_url
    with socket.create_connection((url.host, url.port)) as connection:
        head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\nabc".encode())
        connection.settimeout(10)
        answer = b""
        while received := connection.recv(1000):  # to the end: the server closes it
            answer += received
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the body did not come within 0.2 seconds" in answer


def test_at_most_so_many_pictures_wait(serve: Serve, slow_to_find: SlowToFind) -> None:
    client = serve(slow_to_find, limits=Limits(waiting=3))
    picture = cv2.imencode(".png", small_model.handwriting("12"))[1].tobytes()
    with ThreadPoolExecutor(3) as executor:
        waiting = [
            executor.submit(client.post, "/predict", content=picture, headers=PNG) for _ in range(3)
        ]
        while client.get("/health").status_code == 200:
            time.sleep(0.01)
        refused = client.post("/predict", content=picture, headers=PNG)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json() == {"detail": "3 pictures wait already"}
        health = client.get("/health")
        assert (health.status_code, health.json()) == (503, {"live": True, "ready": False})
        slow_to_find.go.set()
        assert [each.result().status_code for each in waiting] == [200] * 3
    assert client.get("/health").json()["ready"]


def test_small_requests_do_not_wait_behind_pictures(serve: Serve, slow_to_find: SlowToFind) -> None:
    client = serve(slow_to_find)
    picture = cv2.imencode(".png", small_model.handwriting("12"))[1].tobytes()
    with ThreadPoolExecutor(4) as executor:
        waiting = [
            executor.submit(client.post, "/predict", content=picture, headers=PNG) for _ in range(4)
        ]
        time.sleep(0.2)
        answer = client.post("/invocations", json={"inputs": [[0] * 784]}, timeout=5)
        assert answer.status_code == 200
        assert not any(each.done() for each in waiting)
        slow_to_find.go.set()


def test_a_picture_that_takes_too_long_is_given_up(serve: Serve) -> None:
    touching = np.full((1600, 1600), 255, np.uint8)
    for top in range(20, 1560, 40):
        for left in range(0, 1600, 30):
            cv2.ellipse(touching, (left + 10, top), (16, 14), 0, 0, 360, 0, 3)
    picture = cv2.imencode(".png", touching)[1].tobytes()
    client = serve(limits=Limits(seconds=0.02))  # to read it takes several times as long
    start = time.monotonic()
    answer = client.post("/predict", content=picture, headers=PNG)
    assert answer.status_code in (400, 408), answer.text
    assert time.monotonic() - start < 10


def test_only_the_formats_that_are_promised_are_read(client: httpx.Client) -> None:
    for suffix in ("gif", "tiff", "ppm"):
        content = io.BytesIO()
        Image.new("L", (50, 50), 255).save(content, suffix)
        answer = client.post("/predict", content=content.getvalue(), headers=PNG)
        assert answer.status_code == 400
        assert "send PNG, JPEG, WebP or BMP" in answer.json()["detail"]


def test_what_takes_more_memory_than_there_is(serve: Serve, models: Path) -> None:
    class Large(Recognizer):
        def classify(self, images: np.ndarray) -> np.ndarray:
            raise MemoryError

    client = serve(Large(models / "cnn"))
    for request in ({"json": {"inputs": [[0] * 784]}}, {"content": IMAGE, "headers": RAW}):
        path = "/invocations" if "json" in request else "/predict"
        answer = client.post(path, **request)
        assert (answer.status_code, answer.json()["detail"][:20]) == (413, "it takes more memory")


def test_a_client_that_leaves_does_no_harm(serve: Serve, slow: Slow) -> None:
    client = serve(slow)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/predict", content=IMAGE, headers=RAW, timeout=0.1)
    slow.go.set()
    assert client.post("/predict", content=IMAGE, headers=RAW).status_code == 200
    assert "digits_busy_requests 0.0" in client.get("/metrics").text


def test_a_client_that_leaves_in_mid_body_is_no_error_of_the_server(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 784\r\n\r\n"
        connection.sendall(head + bytes(100))
    counted = re.compile(r'digits_requests_total\{path="other",status="(\d+)"\} 1.0')
    wait_for(lambda: counted.search(client.get("/metrics").text))
    assert counted.findall(client.get("/metrics").text) == ["499"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/docs", 200), ("GET", "/none", 404), ("POST", "/predict", 415)],
)
def test_every_answer_has_the_security_headers(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers.items() >= {(k.lower(), v) for k, v in SECURITY_HEADERS.items()}
    assert "server" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")  # WebAssembly, no script
    assert "http" not in policy


def test_no_other_site_may_read_an_answer(client: httpx.Client) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    for method, status in (("OPTIONS", 405), ("POST", 403)):
        answer = client.request(method, "/predict", headers=headers)
        assert answer.status_code == status
        assert not [name for name in answer.headers if name.startswith("access-control")]
