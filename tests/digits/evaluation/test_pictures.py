import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from sklearn.datasets import load_digits

from digits.base import tables
from digits.evaluation import metrics, pictures
from digits.evaluation.corruptions import CORRUPTIONS, corrupt

DIGITS = load_digits()
IMAGES = (DIGITS.images * 15.9).astype(np.uint8)
NAMES = [str(number) for number in range(10)]
LONG_NAMES = ["ankle boot", "trouser", *NAMES[2:]]


def predictions(errors: int) -> pd.DataFrame:
    """What a model says that gets the first `errors` images wrong."""
    labels = DIGITS.target
    probabilities = (
        np.random.default_rng(0).dirichlet(np.ones(10), len(labels)) + np.eye(10)[labels]
    )
    probabilities[:errors] = np.roll(probabilities[:errors], 1, axis=1)
    return tables.tabulate_predictions(probabilities / 2, labels)


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"matplotlib" not in content
    return struct.unpack(">2I", content[16:24])


@pytest.mark.parametrize("names", [NAMES, LONG_NAMES])
@pytest.mark.parametrize("errors", [0, 1, 30])
def test_gallery_of_errors(tmp_path: Path, errors: int, names: list[str]) -> None:
    table = predictions(errors)
    assert (table["label"] != table["predicted"]).sum() == errors
    pictures.draw_errors(IMAGES, table, names, "cnn", tmp_path / "errors.png")
    assert size(tmp_path / "errors.png")[0] > 800


def test_gallery_shows_no_more_than_its_most(tmp_path: Path) -> None:
    for errors in (pictures.MOST_ERRORS, 1000):
        pictures.draw_errors(IMAGES, predictions(errors), NAMES, "cnn", tmp_path / f"{errors}.png")
    assert size(tmp_path / "1000.png") == size(tmp_path / f"{pictures.MOST_ERRORS}.png")
    assert size(tmp_path / "1000.png")[1] < 3000


@pytest.mark.parametrize(
    "errors",
    [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(1000, marks=pytest.mark.slow)],
)
def test_every_picture_is_the_same_bytes_each_time(tmp_path: Path, errors: int) -> None:
    table = predictions(errors)
    bins, sureness = metrics.bin_by_confidence(table, 15), table["confidence"].to_numpy()
    curve = metrics.trace_risk_coverage(table, sureness)
    chosen = metrics.score_selection(table, sureness, 0.5)
    for folder in (tmp_path / "first", tmp_path / "second"):
        pictures.draw_confusion(table, NAMES, "cnn", folder / "confusion.png")
        pictures.draw_reliability(bins, "cnn", folder / "reliability.png")
        pictures.draw_risk_coverage(curve, chosen, "cnn", folder / "risk_coverage.png")
        pictures.draw_errors(IMAGES, table, NAMES, "cnn", folder / "errors.png")
    for path in sorted((tmp_path / "first").iterdir()):
        assert min(size(path)) > 100
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def robustness(accuracy: float) -> pd.DataFrame:
    return pd.DataFrame({"corruption": list(CORRUPTIONS), "accuracy": accuracy})


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_the_picture_of_corruptions_is_the_same_bytes_each_time(
    tmp_path: Path, accuracy: float
) -> None:
    samples = np.stack([corrupt(IMAGES[:5], name, 0) for name in CORRUPTIONS])
    for name in ("first.png", "second.png"):
        pictures.draw_corruptions(samples, robustness(accuracy), "cnn", tmp_path / name)
    assert size(tmp_path / "first.png")[0] > 800
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_the_picture_of_corruptions_has_a_column_for_each_and_a_row_for_each_image(
    tmp_path: Path,
) -> None:
    table = robustness(0.5)[:4]
    samples = np.zeros((4, 3, 8, 8), np.uint8)
    pictures.draw_corruptions(samples, table, "cnn", tmp_path / "paper.png")
    paper = imread(tmp_path / "paper.png")
    for column, row in [(0, 0), (3, 0), (0, 2), (3, 2)]:
        inked = samples.copy()
        inked[column, row] = 255
        pictures.draw_corruptions(inked, table, "cnn", tmp_path / "inked.png")
        changed = np.argwhere((imread(tmp_path / "inked.png") != paper).any(axis=2))
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
        assert 60 < bottom - top < 85  # 0.75 inches of 110 dots, less the gap
        assert 60 < right - left < 85
        middle = (left + right) / 2 / paper.shape[1]
        assert middle == pytest.approx((column + 0.5) / 4, abs=0.04)
        assert (bottom > paper.shape[0] - 30) == (row == 2)


def test_one_image_of_one_class(tmp_path: Path) -> None:
    table = predictions(1)[:1]
    pictures.draw_confusion(table, LONG_NAMES, "cnn", tmp_path / "confusion.png")
    pictures.draw_reliability(
        metrics.bin_by_confidence(table, 15), "cnn", tmp_path / "reliability.png"
    )
    sureness = table["confidence"].to_numpy()
    chosen = metrics.score_selection(table, sureness, 0.5)
    curve = metrics.trace_risk_coverage(table, sureness)
    pictures.draw_risk_coverage(curve, chosen, "cnn", tmp_path / "risk_coverage.png")
    pictures.draw_errors(IMAGES[:1], table, LONG_NAMES, "cnn", tmp_path / "errors.png")
    samples = np.stack([IMAGES[:1]] * len(CORRUPTIONS))
    pictures.draw_corruptions(samples, robustness(0), "cnn", tmp_path / "corruptions.png")
    assert len(list(tmp_path.iterdir())) == 5
