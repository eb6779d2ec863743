"""Whatever comes in: no 5xx, no hang. `make fuzz` tries thousands of cases, the suite a few."""

import io
import os
import struct
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from digits.collection.collector import Settings
from tests import small_model
from tests.digits.serving.conftest import Serve

CASES = int(os.environ.get("FUZZ", "20"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
SECONDS = 20.0  # more is a hang
FORMATS = ("png", "jpeg", "webp", "bmp")
PICTURE = Image.fromarray(small_model.handwriting("12"))

bounded = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("collects", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_interface_is_as_it_describes_itself(
    client: httpx.Client, serve: Serve, tmp_path: Path, mode: GenerationMode, collects: bool
) -> None:
    if collects:
        client = serve(collection=Settings(tmp_path))
    api = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
    operations = [each.ok() for each in api.get_all_operations()]
    assert len(operations) == (9 if collects else 7)
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.method == "get":
            continue  # they take nothing that could be wrong

        @given(case=operation.as_strategy(generation_mode=mode))
        @bounded
        def check(case: schemathesis.Case) -> None:
            response = case.call(timeout=SECONDS)
            # That a body is too large refuses it too, which this check does not know.
            is_refused = response.status_code == 413
            checks = [c for c in CHECKS if not (is_refused and c is negative_data_rejection)]
            case.validate_response(response, checks=checks)

        check()


def saved(image: Image.Image, suffix: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, suffix, **options)
    return content.getvalue()


def headed(width: int, height: int) -> bytes:
    """A PNG that claims to be large, and has one row."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 + min(width, 1000)))
    head = b"\x89PNG\r\n\x1a\n"
    return head + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def send(client: httpx.Client, content: bytes, suffix: str = "png") -> httpx.Response:
    headers = {"Content-Type": f"image/{suffix}"}
    answer = client.post("/predict", content=content, headers=headers, timeout=SECONDS)
    assert answer.status_code < 500
    assert answer.status_code == 200 or len(answer.json()["detail"].splitlines()) == 1
    return answer


WIDE = Image.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16))
FRAMES = [Image.new("L", (60, 60), grey) for grey in (255, 0, 128)]
NOISE = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(saved(PICTURE, "png")[:-20], {200, 400}, id="without an end"),
        pytest.param(headed(2**31 - 1, 2**31 - 1), {400}, id="a huge header"),
        pytest.param(headed(5000, 4000), {200, 400}, id="a large header, little in it"),
        pytest.param(headed(0, 0), {400}, id="no pixel"),
        pytest.param(
            saved(FRAMES[0], "webp", save_all=True, append_images=FRAMES[1:]), {200}, id="animated"
        ),
        pytest.param(
            saved(FRAMES[0], "png", save_all=True, append_images=FRAMES[1:]), {200}, id="APNG"
        ),
        pytest.param(saved(PICTURE.convert("CMYK"), "jpeg"), {200}, id="CMYK"),
        pytest.param(saved(WIDE, "png"), {200}, id="16 bits"),
        pytest.param(saved(PICTURE.convert("1"), "png"), {200}, id="1 bit"),
        pytest.param(saved(PICTURE.convert("P"), "png"), {200}, id="a palette"),
        pytest.param(saved(PICTURE.convert("LA"), "png"), {200}, id="transparent"),
        pytest.param(saved(Image.new("L", (1, 1)), "png"), {200}, id="1 x 1"),
        pytest.param(saved(Image.new("L", (1, 50_000)), "png"), {200}, id="1 x 50,000"),
        pytest.param(saved(Image.new("L", (50_000, 1), 255), "png"), {200}, id="50,000 x 1"),
        pytest.param(saved(Image.fromarray(NOISE), "png"), {200, 400}, id="noise"),
        pytest.param(saved(Image.fromarray(NOISE // 128 * 255), "png"), {200, 400}, id="specks"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", {400}, id="SVG"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", {400}, id="PostScript"),
    ],
)
def test_a_strange_picture(client: httpx.Client, content: bytes, status: set[int]) -> None:
    answer = send(client, content)
    assert answer.status_code in status, answer.text


@given(st.data())
@bounded
def test_a_damaged_picture(client: httpx.Client, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(FORMATS))
    content = bytearray(saved(PICTURE, suffix))
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, max_size=10)):
        content[place] = data.draw(st.integers(0, 255))
    send(client, bytes(content[: data.draw(places) + 1]), suffix)


@given(st.binary(max_size=3000), st.sampled_from(FORMATS))
@bounded
def test_any_bytes(client: httpx.Client, content: bytes, suffix: str) -> None:
    send(client, content, suffix)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32), st.integers(1, 8))
@bounded
def test_any_drawing(
    client: httpx.Client, width: int, height: int, seed: int, coarseness: int
) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    drawing = np.kron(coarse, np.ones((coarseness, coarseness), np.uint8))
    height, width = drawing.shape
    params = {"width": width, "height": height, "maps": 0}
    headers = {"Content-Type": "application/octet-stream"}
    answer = client.post(
        "/read", params=params, content=drawing.tobytes(), headers=headers, timeout=SECONDS
    )
    assert answer.status_code == 200, answer.text
    for digit in answer.json()["digits"]:
        left, top, wide, high = digit["box"]
        assert 0 <= left < left + wide <= width
        assert 0 <= top < top + high <= height
