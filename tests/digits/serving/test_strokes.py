"""Strokes that the page sends: read, or refused with a reason."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from digits.base.errors import UserError
from digits.recognition import drawing
from digits.recognition.digitizing import DeadlineError, Digit
from digits.serving.limits import Limits
from digits.serving.strokes import MOST_POINTS, MOST_STROKES, parse_strokes
from tests.digits.serving.conftest import Serve


def packed(*strokes: list[int]) -> bytes:
    numbers = [number for stroke in strokes for number in (len(stroke) // 3, *stroke)]
    return np.array(numbers, "<i2").tobytes()


def test_numbers_are_eighths_of_a_pixel() -> None:
    one, other = parse_strokes(packed([80, 88, 4], [0, 8, 16, 24, 32, 40]))
    np.testing.assert_array_equal(one, [[10, 11, 0.5]])
    np.testing.assert_array_equal(other, [[0, 1, 2], [3, 4, 5]])
    assert parse_strokes(b"") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x01", "two bytes"),
        (b"\0\0", "has not the 0 points"),
        (packed([1, 2, 3])[:-2], "has not the 1 points"),
        (b"\xff\xff", "has not the -1 points"),
        (packed([1, 2, 0]), "no width"),
        (packed([32_767, 2, 8]), "beyond"),
        (packed(*[[1, 2, 8]] * (MOST_STROKES + 1)), "at most 1,000 strokes"),
        (packed([1, 2, 8] * MOST_POINTS, [1, 2, 8]), "at most 20,000 points"),
    ],
)
def test_what_is_no_stroke_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        parse_strokes(body)


def test_few_strokes_do_not_wait_behind_many(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, free, find = threading.Event(), threading.Event(), drawing.find

    def held(strokes: Sequence[np.ndarray], *arguments: object) -> list[Digit]:
        if len(strokes) > 1:
            begun.set()
            assert free.wait(30)
        return find(strokes[:1], *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(drawing, "find", held)
    client = serve(limits=Limits(seconds=20))
    headers = {"Content-Type": "application/octet-stream"}
    many, one = packed(*[[80, 80, 32] * 20] * 100), packed([80, 80, 32] * 20)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(client.post, "/strokes", content=many, headers=headers)
        try:
            assert begun.wait(10)
            assert client.post("/strokes", content=one, headers=headers, timeout=10).is_success
        finally:
            free.set()
        assert busy.result().is_success


def test_what_takes_too_long_holds_up_nobody(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up, find = threading.Event(), drawing.find

    def watched(strokes: Sequence[np.ndarray], *arguments: object) -> list[Digit]:
        try:
            return find(strokes, *arguments)  # type: ignore[arg-type]
        except DeadlineError:
            given_up.set()
            raise

    monkeypatch.setattr(drawing, "find", watched)
    client = serve(limits=Limits(seconds=0.02))
    points = np.random.default_rng(0).integers(0, 8000, (MOST_STROKES, 10, 2))
    scribble = np.pad(points, ((0, 0), (0, 0), (0, 1)), constant_values=32).reshape(-1, 30)
    headers = {"Content-Type": "application/octet-stream"}
    answer = client.post("/strokes", content=packed(*scribble.tolist()), headers=headers)
    assert answer.status_code in (400, 408), answer.text
    assert given_up.wait(10)  # seconds; to its end it takes much longer
