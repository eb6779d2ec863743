"""Strokes that the page sends: read, or refused with a reason."""

import numpy as np
import pytest

from digits.base.errors import UserError
from digits.serving.strokes import MOST_POINTS, MOST_STROKES, parse_strokes


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
