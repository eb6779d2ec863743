"""The pictures: what they show, that they are reproducible, and that odd data has them too."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from digits.data.splits import Split
from digits.intake import exploration, image_statistics
from digits.params import Validate

PICTURES = ["classes.png", "mean_variance.png", "pixels.png", "projection.png", "samples.png"]


def draw(folder: Path, split: Split, classes: list[str]) -> None:
    options = Validate(
        min_class_share=0.05,
        max_class_share=0.15,
        ink_threshold=128,
        samples_per_class=3,
        projected_images=100,
        seed=0,
    )
    images = image_statistics.describe_images(
        {"train": split, "test": split}, options.ink_threshold
    )
    folder.mkdir()
    exploration.draw(
        folder, split, image_statistics.describe_classes(images, classes), classes, options
    )


def drawn(figure: Figure, axes: int = 0) -> np.ndarray:
    return np.asarray(figure.axes[axes].images[0].get_array())


@pytest.mark.slow
def test_equal_data_gives_equal_bytes(handwriting: Split, tmp_path: Path) -> None:
    split = Split(handwriting.images[:200], handwriting.labels[:200])
    for name in ("first", "second"):
        draw(tmp_path / name, split, list("0123456789"))
    first = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert sorted(first) == PICTURES
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()}
    assert not any(b"matplotlib" in content for content in first.values())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("count", "shape", "classes"),
    [
        (1, (28, 28), 2),  # one image
        (4, (1, 1), 2),  # one pixel
        (60, (48, 64), 30),  # classes on several lines, an image too large for numbers
    ],
)
def test_data_of_any_size_has_pictures(
    tmp_path: Path, count: int, shape: tuple[int, int], classes: int
) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, *shape)).astype(np.uint8)
    labels = generator.integers(0, classes + 2, count).astype(np.uint8)  # two belong to none
    draw(tmp_path / "pictures", Split(images, labels), [f"class {i}" for i in range(classes)])
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == PICTURES


@pytest.mark.filterwarnings("error")
def test_equal_images_have_pictures(tmp_path: Path) -> None:
    split = Split(np.full((5, 3, 4), 7, np.uint8), np.array([0, 0, 1, 1, 9], np.uint8))
    draw(tmp_path / "pictures", split, ["a", "b"])
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == PICTURES


def test_samples_show_images_of_their_class_and_leave_gaps() -> None:
    labels = np.array([0, 1, 1, 1, 1], np.uint8)
    images = (10 * labels + np.arange(5, dtype=np.uint8)).reshape(5, 1, 1)
    figure = exploration.draw_samples(Split(images, labels), ["a", "b"], per_class=3, seed=0)
    shown = drawn(figure)[1::3, 1::3]  # a pixel of paper on each side of each tile
    assert list(shown[0]) == [0, 0, 0]
    assert len(set(shown[1])) == 3
    assert set(shown[1]) <= {11, 12, 13, 14}


def test_mean_and_variance_are_those_of_the_class() -> None:
    images = np.array([10, 20, 200], np.uint8).reshape(3, 1, 1)
    split = Split(images, np.array([0, 0, 1], np.uint8))
    figure = exploration.draw_mean_and_variance(split, ["a", "b"])
    assert list(drawn(figure, 0)[1, 1::3]) == [15, 200]
    assert list(drawn(figure, 1)[1, 1::3]) == [25, 0]


def test_each_pixel_is_written_as_a_number(handwriting: Split) -> None:
    image = handwriting.images[0]
    figure = exploration.draw_pixels(image)
    numbers = [int(text.get_text()) for text in figure.axes[0].texts]
    assert numbers == list(image.ravel())


def test_points_on_a_line_vary_along_the_first_component() -> None:
    vectors = np.outer(np.arange(20), [1, 2, 3]).astype(np.uint8)
    points, shares = exploration.project(vectors, seed=0)
    assert shares == pytest.approx([1, 0])
    steps = np.diff(points[:, 0])
    assert steps == pytest.approx(np.full(19, steps[0]), abs=1e-4)
    assert abs(steps[0]) == pytest.approx(np.sqrt(14) / 255, abs=1e-4)


def test_the_projection_keeps_what_it_says(handwriting: Split) -> None:
    """Against the singular values: the shares are those of the two largest."""
    vectors = handwriting.images[:300].reshape(300, -1)
    _, shares = exploration.project(vectors, seed=0)
    centred = vectors / 255 - (vectors / 255).mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2
    assert shares == pytest.approx(variances[:2] / variances.sum(), rel=1e-3)


def test_the_axes_of_the_projection_name_their_share(handwriting: Split) -> None:
    figure = exploration.draw_projection(handwriting, list("0123456789"), count=300, seed=0)
    assert re.fullmatch(r"first component: 1\d\.\d% of the variance", figure.axes[0].get_xlabel())
