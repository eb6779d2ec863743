"""Strokes lie where they are said to."""

import numpy as np
import pytest

from digits.training import strokes


@pytest.mark.parametrize("pen", [1.0, 2.0, 4.0])
def test_a_line_is_where_its_points_are_and_as_wide_as_the_pen(pen: float) -> None:
    image = strokes.draw([np.array([[4, 13], [23, 13]])], (28, 30), pen).astype(float)
    assert image.shape == (28, 30)
    middle = image[:, 10]
    assert middle @ np.arange(28) / middle.sum() == pytest.approx(13, abs=0.15)
    assert middle.sum() / 255 == pytest.approx(pen, abs=0.5)


def test_a_bend_starts_and_ends_at_its_points_and_leans_to_the_control() -> None:
    start, control, end = np.array([0.0, 0]), np.array([5.0, 10]), np.array([10.0, 0])
    curve = strokes.bend(start, control, end, points=11)
    assert curve.shape == (11, 2)
    np.testing.assert_allclose(curve[[0, 5, 10]], [start, [5, 5], end])
