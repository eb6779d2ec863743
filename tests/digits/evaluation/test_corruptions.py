"""What each corruption does to a known picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.evaluation.corruptions import CORRUPTIONS, corrupt
from digits.evaluation.robustness import measure_robustness

NAMES = list(CORRUPTIONS)
RANDOM = [n for n in NAMES if n not in {"scale", "brightness", "stripe", "canny_edges"}]
BLANK = np.zeros((200, 28, 28), np.uint8)


@st.composite
def pictures(draw: st.DrawFn) -> np.ndarray:
    """A few pictures, `uint8 (N, height, width)`, of any size and content."""
    shape = draw(st.integers(1, 3)), draw(st.integers(8, 40)), draw(st.integers(8, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.integers(0, draw(st.integers(1, 256)), shape).astype(np.uint8)


def bars(count: int = 100, height: int = 16, width: int = 6) -> np.ndarray:
    """Equal pictures of an upright bar in the middle."""
    images = np.zeros((count, 28, 28), np.uint8)
    top, left = 14 - height // 2, 14 - width // 2
    images[:, top : top + height, left : left + width] = 255
    return images


def moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the ink lies on average, (y, x), and its covariance."""
    places = np.indices(image.shape).reshape(2, -1)
    return (
        np.average(places, axis=1, weights=image.ravel()),
        np.cov(places, aweights=image.ravel(), ddof=0),
    )


@given(st.sampled_from(NAMES), pictures(), st.integers(0, 2**32))
def test_equal_seeds_give_equal_images_of_the_same_form(
    name: str, images: np.ndarray, seed: int
) -> None:
    before = images.copy()
    corrupted = corrupt(images, name, seed)
    assert (corrupted.shape, corrupted.dtype) == (images.shape, np.uint8)
    assert np.array_equal(corrupted, corrupt(images, name, seed))
    assert np.array_equal(images, before)


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_random_depends_on_the_seed_and_differs_from_image_to_image(name: str) -> None:
    first, second = corrupt(bars(8), name, 0), corrupt(bars(8), name, 1)
    is_random = name in RANDOM
    assert np.array_equal(first, second) != is_random
    assert (len({bytes(image) for image in first}) > 1) == is_random
    assert not np.array_equal(first, bars(8))


@given(st.sampled_from(NAMES), pictures())
def test_an_image_is_not_changed_by_the_next(name: str, images: np.ndarray) -> None:
    others = images.copy()
    others[-1] = 255 - others[-1]
    before, after = corrupt(images, name, 0), corrupt(others, name, 0)
    assert np.array_equal(before[:-1], after[:-1])


def test_shot_noise_counts_up_to_3_quanta_on_average_and_none_on_paper() -> None:
    grey = np.full((100, 28, 28), 85, np.uint8)
    noisy = corrupt(grey, "shot_noise", 0)
    assert np.unique(noisy).tolist() == [0, 85, 170, 255]
    assert (noisy == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)  # Poisson, of mean 1
    assert not corrupt(BLANK, "shot_noise", 0).any()


def test_impulse_noise_loses_17_percent_as_many_to_ink_as_to_paper() -> None:
    noisy = corrupt(np.full((100, 28, 28), 100, np.uint8), "impulse_noise", 0)
    assert np.unique(noisy).tolist() == [0, 100, 255]
    for value in (0, 255):
        assert (noisy == value).mean() == pytest.approx(0.085, abs=0.005)


def test_glass_blur_moves_ink_about_but_keeps_it() -> None:
    blurred = corrupt(bars(), "glass_blur", 0)
    ink = blurred.sum(axis=(1, 2)) / bars().sum(axis=(1, 2))
    np.testing.assert_allclose(ink, 1, atol=0.01)
    assert ((blurred > 0) & (blurred < 255)).any(axis=(1, 2)).all()
    assert not blurred[:, :, [0, -1]].any()


def test_motion_blur_gives_a_dot_a_tail_that_fades_within_10_pixels() -> None:
    dots = np.zeros((100, 28, 28), np.uint8)
    dots[:, 14, 24] = 255
    blurred = corrupt(dots, "motion_blur", 0)
    ink = blurred.sum(axis=(1, 2), dtype=int)
    assert np.abs(ink - 255).max() < 10
    assert (blurred[:, 10:19, 21:].sum(axis=(1, 2)) > ink / 2).all()  # most of it near the dot
    _, y, x = np.nonzero(blurred)
    assert (x <= 24).all()
    assert (np.abs(y - 14) <= 24 - x).all()  # at most 45 degrees
    assert y.min() < 14 < y.max()  # upwards and downwards
    assert np.hypot(y - 14, x - 24).max() == pytest.approx(8, abs=2)


def test_shear_slants_to_both_sides_around_the_centre() -> None:
    slants = set()
    for image in corrupt(bars(20), "shear", 0):
        centre, covariance = moments(image)
        np.testing.assert_allclose(centre, 13.5, atol=0.02)
        angle = np.arctan(covariance[0, 1] / covariance[0, 0])
        assert abs(angle) == pytest.approx(0.4, abs=0.04)
        slants.add(angle > 0)
    assert len(slants) == 2


def test_rotate_turns_both_ways_by_two_fifths_of_a_radian_around_the_centre() -> None:
    turns = set()
    for image in corrupt(bars(20), "rotate", 0):
        centre, covariance = moments(image)
        np.testing.assert_allclose(centre, 13.5, atol=0.02)
        (yy, xy), (_, xx) = covariance
        angle = np.arctan2(2 * xy, yy - xx) / 2  # of the longer axis, from the vertical
        assert abs(angle) == pytest.approx(0.4, abs=0.01)
        turns.add(angle > 0)
    assert len(turns) == 2


def test_scale_shrinks_to_70_percent_around_the_centre() -> None:
    (image,) = corrupt(bars(1, 20, 10), "scale", 0)
    expected = np.zeros((28, 28), bool)
    expected[7:21, 10:18] = True  # 14 of 20 rows; 7 of 10 columns, of which two by half
    assert np.array_equal(image > 100, expected)
    np.testing.assert_allclose(moments(image)[0], 13.5, atol=0.01)
    assert image.sum() / bars(1, 20, 10).sum() == pytest.approx(0.7**2, rel=0.01)


@given(pictures())
def test_brightness_raises_paper_to_half_of_ink(images: np.ndarray) -> None:
    expected = np.minimum(255, images + 127.5)
    assert np.abs(corrupt(images, "brightness", 0) - expected).max() <= 0.5


@given(pictures(), st.integers(0, 9))
def test_translate_shifts_by_3_pixels_both_ways_and_paper_comes_in(
    images: np.ndarray, seed: int
) -> None:
    _, height, width = images.shape
    padded = np.pad(images, [(0, 0), (6, 6), (6, 6)])
    for number, image in enumerate(corrupt(images, "translate", seed)):
        assert any(
            np.array_equal(image, padded[number, y : y + height, x : x + width])
            for y in (3, 9)
            for x in (3, 9)
        )


def test_translate_goes_to_all_corners_alike() -> None:
    moved = corrupt(bars(1000), "translate", 0)
    y, x = (moved.sum(axis=axis).argmax(axis=1) for axis in (2, 1))
    corners, counts = np.unique(np.stack([y, x]), axis=1, return_counts=True)
    assert (corners - [[6], [11]]).T.tolist() == [[-3, -3], [-3, 3], [3, -3], [3, 3]]
    assert counts.min() > 200


@given(pictures())
def test_stripe_negates_the_outer_quarters_and_nothing_else(images: np.ndarray) -> None:
    quarter = images.shape[2] // 4
    expected = images.copy()
    for outer in (np.s_[:, :, :quarter], np.s_[:, :, -quarter:]):
        expected[outer] = 255 - expected[outer]
    assert np.array_equal(corrupt(images, "stripe", 0), expected)


def test_fog_hides_three_quarters_of_the_contrast_and_is_no_stronger_than_the_ink() -> None:
    dot = np.zeros_like(bars())
    dot[:, 14, 14] = 255  # has the same strongest ink
    with_bar, without = (corrupt(images, "fog", 0).astype(int) for images in (bars(), dot))
    expected = (bars().astype(int) - dot) / 4
    assert np.abs(with_bar - without - expected).max() <= 1
    assert 180 < without[dot == 0].max() <= 255 * 3 / 4 + 1
    faint = bars() // 5
    assert (corrupt(faint, "fog", 0) <= 51).all()


def test_fog_is_cloudy() -> None:
    foggy = corrupt(np.full((500, 28, 28), 255, np.uint8), "fog", 0).astype(float)
    assert 0.8 < np.abs(np.diff(foggy, axis=2)).mean() < 2.5  # 0.5, were 1.4 a 2; 4.5, a 1.2
    assert foggy.std() > 20


def test_fogs_of_a_map_are_neighbours_not_copies() -> None:
    images = np.full((100, 20, 32), 255, np.uint8)  # 96 fit into one map
    foggy = corrupt(images, "fog", 0).astype(float)
    assert len({bytes(image) for image in foggy}) == 100
    across = np.abs(foggy[0, :, -1] - foggy[1, :, 0]).mean()
    assert across < np.abs(foggy[0, :, -1] - foggy[2, :, 0]).mean()


@pytest.mark.parametrize("shape", [(2, 300, 20), (1, 3, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_images_of_any_size_can_be_corrupted(name: str, shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert corrupt(images, name, 0).shape == shape


def test_of_an_image_too_narrow_for_stripes_nothing_is_negated() -> None:
    images = np.full((1, 3, 3), 200, np.uint8)
    assert corrupt(images, "stripe", 0).tolist() == images.tolist()


def test_spatter_puts_grey_drops_on_some_of_the_picture() -> None:
    drops = corrupt(BLANK, "spatter", 0)
    assert set(np.unique(drops)) <= {0, *range(50, 64)}
    assert 0.05 < (drops > 0).mean() < 0.5
    spattered = corrupt(np.full_like(BLANK, 255), "spatter", 0)
    assert ((spattered == 255) == (drops == 0)).all()
    assert spattered[drops > 0].max() < 110


@given(st.sampled_from(["dotted_line", "zigzag"]), pictures(), st.integers(0, 99))
def test_lines_only_add_ink(name: str, images: np.ndarray, seed: int) -> None:
    with np.errstate(divide="raise", invalid="raise"):  # a segment straight up has no slope
        assert (corrupt(images, name, seed) >= images).all()


@pytest.mark.parametrize("size", [(28, 28), (20, 32), (32, 20)], ids=str)
@pytest.mark.parametrize("name", ["dotted_line", "zigzag"])
def test_lines_are_in_the_picture_and_thin(name: str, size: tuple[int, int]) -> None:
    drawn = corrupt(np.zeros((100, *size), np.uint8), name, 0)
    assert (drawn.max(axis=(1, 2)) > 150).all()
    assert (drawn > 127).mean() < 0.15


def test_a_dotted_line_is_two_columns_in_four() -> None:
    columns = corrupt(BLANK, "dotted_line", 0).any(axis=1)
    expected = np.tile([False, False, True, True], 7)
    expected[-1] = False  # the edge itself
    assert (columns == expected).all()


def test_a_zigzag_turns_every_4_pixels() -> None:
    drawn = corrupt(BLANK, "zigzag", 0).astype(float)
    inside = drawn[~drawn[:, [0, 1, -2, -1]].any(axis=(1, 2))]  # not cut off by the edge
    assert len(inside) > 100
    assert not inside[:, :, :2].any()
    assert not inside[:, :, 26:].any()
    x, y = np.arange(4, 24), np.arange(28)
    heights = np.einsum("nyx,y->nx", inside, y)[:, x] / inside.sum(axis=1)[:, x]
    for line in heights:
        aside = line - np.polyval(np.polyfit(x, line, 1), x)
        turns = np.flatnonzero(np.diff(np.sign(np.diff(aside)))) + x[1]
        assert 1.2 < np.abs(aside).max() < 3
        assert np.diff(turns).mean() == pytest.approx(4, abs=0.5)


def test_canny_edges_of_a_bar_are_its_contour() -> None:
    image, *_ = corrupt(bars(3, 12, 8), "canny_edges", 0)
    assert set(np.unique(image)) == {0, 255}
    inner, outer = (bars(1, 12 - n, 8 - n)[0] > 0 for n in (4, -2))
    assert not image[inner | ~outer].any()  # within a pixel of the border
    assert 30 <= (image > 0).sum() <= 44  # one pixel wide: the border has 36 on its inside
    for line in (image[14], image[:, 14]):
        assert (line > 0).sum() == 2


def test_canny_edges_follow_a_bar_that_fades() -> None:
    fading = bars(1, 24) * 0.8 ** np.arange(-2, 26)[:, np.newaxis]
    fading = fading.clip(0, 255).astype(np.uint8)
    faint = np.minimum(fading, 15)
    assert not corrupt(faint, "canny_edges", 0).any()
    (edges,) = corrupt(fading, "canny_edges", 0)
    assert (fading[0, 14:17, 13] < 20).all()
    assert (edges[14:17] > 0).sum(axis=1).tolist() == [2, 2, 2]


def test_canny_edges_leave_faint_slopes_out() -> None:
    assert not corrupt(bars(1) // 32, "canny_edges", 0).any()
    assert not corrupt(np.full((1, 28, 28), 255, np.uint8), "canny_edges", 0).any()


def test_robustness_tells_a_model_that_is_always_right_from_one_that_says_one_thing() -> None:
    labels = (np.arange(10) % 4).astype(np.uint8)
    for answers, accuracy in ((labels, 1.0), (np.zeros(10, int), 0.3)):
        table = measure_robustness(lambda _, a=answers: np.eye(4)[a], bars(10), labels, 0)
        assert table["corruption"].tolist() == NAMES
        assert (table["accuracy"] == accuracy).all()


def test_robustness_gives_each_corruption_its_own_accuracy() -> None:
    def without_paper(images: np.ndarray) -> np.ndarray:
        return np.eye(2)[(images.min(axis=(1, 2)) > 100).astype(int)]

    table = measure_robustness(without_paper, BLANK[:5], np.zeros(5, np.uint8), 0)
    assert table.set_index("corruption")["accuracy"].to_dict() == {
        name: 0.0 if name == "brightness" else 1.0 for name in NAMES
    }


def test_robustness_shows_the_model_what_corrupt_makes() -> None:
    seen = []

    def look(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return np.ones((len(images), 2))

    measure_robustness(look, bars(3), np.zeros(3, np.uint8), 7)
    for name, images in zip(NAMES, seen, strict=True):
        assert np.array_equal(images, corrupt(bars(3), name, 7))
