"""Digits that a pen wrote: grouped, parted, laid on the grid."""

import time
import tracemalloc

import numpy as np
import pytest

from benchmarks import browser
from digits.recognition import drawing
from digits.recognition.boxes import Box
from digits.recognition.digitizing import DeadlineError
from digits.recognition.gaps import gap
from digits.recognition.parting import parted
from digits.recognition.strokes import crop


def pen(points: list[tuple[float, float]], width: float = 10) -> np.ndarray:
    """A stroke through some points."""
    return np.array([(x, y, width) for x, y in points], float)


def written(text: str, left: float = 40, size: float = 100) -> list[np.ndarray]:
    """The strokes of digits side by side."""
    strokes = []
    for index, digit in enumerate(text):
        for curve in browser.curves(digit):
            points = size * curve + [left + 1.15 * size * index, 40]
            strokes.append(np.pad(points, ((0, 0), (0, 1)), constant_values=10))
    return strokes


class TestCrop:
    def test_the_longer_side_has_20_pixels_and_the_mass_is_in_the_middle(self) -> None:
        image = crop(written("0", size=333))
        rows, _ = np.nonzero(image)
        assert 20 <= np.ptp(rows) + 1 <= 21
        mass = image / image.sum()
        centre = [(mass.sum(axis=1 - axis) * np.arange(28)).sum() for axis in (0, 1)]
        np.testing.assert_allclose(centre, 14, atol=0.1)

    @pytest.mark.parametrize("size", [25, 900])
    def test_the_size_on_the_sheet_does_not_matter(self, size: float) -> None:
        of_size = [stroke * [1, 1, size / 100] for stroke in written("5", 0, size)]
        away = np.abs(crop(of_size).astype(int) - crop(written("5", 0, 100)))
        assert np.mean(away <= 40) > 0.98  # the margin of 40 pixels is not scaled

    def test_a_thin_stroke_is_thickened(self) -> None:
        thin = crop([pen([(0, 0), (0, 100)], width=0.5)])
        assert 2 <= np.count_nonzero(thin[14]) <= 4

    def test_a_dot_is_round(self) -> None:
        dot = crop([pen([(5, 5)])])
        assert dot[14, 14] == 255
        assert abs(int(dot.sum()) / 255 - np.pi * 100) < 5


class TestGrouping:
    @pytest.mark.parametrize("text", ["5", "4", "45", "0123456789"])
    def test_strokes_of_a_digit_belong_together(self, text: str) -> None:
        digits = drawing.find(written(text))
        assert len(digits) == len(text)
        assert {digit.row for digit in digits} == {0}

    def test_rows_are_read_from_the_upper_one(self) -> None:
        low = [np.add(stroke, [0, 200, 0]) for stroke in written("12")]
        digits = drawing.find([*low, *written("345")])
        assert [digit.row for digit in digits] == [0, 0, 0, 1, 1]
        assert [digit.position for digit in digits] == [0, 1, 2, 0, 1]

    def test_the_box_holds_the_ink(self) -> None:
        (digit,) = drawing.find([pen([(50, 60), (80, 120)])])
        assert digit.box == Box(45, 55, 40, 70)

    def test_specks_and_dashes_are_none(self) -> None:
        marks = [pen([(300, 100)], width=6), pen([(300, 20), (500, 24)])]
        assert len(drawing.find([*written("0"), *marks])) == 1
        assert drawing.find([]) == []

    def test_the_pen_may_leave_out_a_little(self) -> None:
        halves = [pen([(50, 20), (50, 70)]), pen([(50, 84), (50, 130)])]
        assert len(drawing.find(halves)) == 1

    def test_the_dot_of_an_i_belongs_to_it(self) -> None:
        stem = pen([(50, 80), (45, 180)])
        (dotted,) = drawing.find([stem, pen([(60, 40)])])
        assert dotted.box.top == 35
        for speck in (pen([(60, -40)]), pen([(90, 120)])):
            (digit,) = drawing.find([stem, speck])
            assert digit.box.top == 75
        assert len(drawing.find([stem, pen([(30, 0), (35, 55)])])) == 2  # of another row


class TestGap:
    def test_it_is_the_paper_between(self) -> None:
        one, other = pen([(0, 0), (0, 100)]), pen([(30, 50), (90, 50)])
        assert gap(one, other) == gap(other, one) == 20

    def test_lines_that_cross_touch(self) -> None:
        assert gap(pen([(0, 0), (100, 100)]), pen([(0, 100), (100, 0)])) <= 0

    def test_long_strokes_take_little_memory(self) -> None:
        way = np.random.default_rng(0).normal(0, 1, (1500, 2)).cumsum(axis=0)
        one = np.pad(way, ((0, 0), (0, 1)), constant_values=10)
        other = one + np.array([300, 0, 0])
        tracemalloc.start()
        whole = gap(one, other)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 15e6  # bytes; 18 MB for one number of each pair
        assert whole == min(gap(one[:900], other), gap(one[899:], other))


class TestFind:
    def test_in_a_scribble_only_strokes_near_each_other_are_compared(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compared = 0

        def counted(one: np.ndarray, other: np.ndarray) -> float:
            nonlocal compared
            compared += 1
            return gap(one, other)

        monkeypatch.setattr(drawing, "gap", counted)
        places = np.random.default_rng(0).uniform(0, 700, (200, 2))
        drawing.find([pen([(x, y), (x + 60, y + 40)]) for x, y in places])
        assert compared < 1_000  # 18,887 where all of a piece are compared

    def test_is_given_up_at_its_deadline(self) -> None:
        strokes = written("123")
        assert len(drawing.find(strokes, deadline=time.monotonic() + 600)) == 3
        with pytest.raises(DeadlineError, match="takes too long"):
            drawing.find(strokes, deadline=time.monotonic() - 1)


class TestParting:
    def test_a_dash_is_not_cut_into_thousands(self) -> None:
        dash = pen([(0, 0), (8000, 0)], width=0.125)

        def doubt(images: np.ndarray) -> np.ndarray:
            assert len(images) == 1  # the whole; no part is looked at
            return np.full((1, 10), 0.1)

        tracemalloc.start()
        assert len(parted([[dash]], doubt)) == 1
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5e6  # bytes; 400,000 parts took 100 times as much

    def test_digits_are_parted_where_the_model_is_surer(self) -> None:
        pieces = [[stroke] for stroke in (*written("1"), *written("1", left=140))]

        def predict(images: np.ndarray) -> np.ndarray:
            # It is sure of what is narrow.
            spans = np.array([np.ptp(np.nonzero(image)[1]) for image in images])
            return np.where(spans[:, None] < 12, 0.99, 0.3) * np.eye(10)[[0] * len(images)]

        assert len(parted(pieces, predict)) == 2

    def test_a_stroke_that_is_too_wide_is_cut_along_its_way(self) -> None:
        wide = pen([(x, 50 + 45 * np.cos(x / 15)) for x in range(0, 400, 5)])

        def predict(images: np.ndarray) -> np.ndarray:
            widths = (images.max(axis=1) > 0).sum(axis=1)
            return np.where(widths[:, None] > 15, 0.99, 0.3) * np.eye(10)[[0] * len(images)]

        def doubt(images: np.ndarray) -> np.ndarray:
            return predict(images) if len(images) > 1 else np.full((1, 10), 0.1)

        assert len(parted([[wide]], doubt)) > 1
