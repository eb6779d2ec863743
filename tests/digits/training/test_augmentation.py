"""What the random changes do to known pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digits.params import Augmentation
from digits.training import augmentation

KINDS = ["ground", "stripes", "noise", "line", "outline", "misplacement"]
SEED = 1
BLANK = np.zeros((500, 28, 28), np.uint8)


def square(count: int, height: int = 28, width: int = 28) -> np.ndarray:
    """Equal images of a square of 8 x 8 in the middle."""
    images = np.zeros((count, height, width), np.uint8)
    top, left = height // 2 - 4, width // 2 - 4
    images[:, top : top + 8, left : left + 8] = 255
    return images


def settings_of(**some: float) -> Augmentation:
    return Augmentation(**dict.fromkeys(Augmentation.model_fields, 0) | some)


def augmented(images: np.ndarray, seed: int = SEED, **some: float) -> np.ndarray:
    return augmentation.augment(images, settings_of(**some), np.random.default_rng(seed))


def moved(**largest: float) -> np.ndarray:
    """1,000 images of a square, each augmented on its own."""
    return augmented(square(1000), **largest)


def made(kind: str, images: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Images `float32` after one kind of spoiling."""
    function: Callable[..., np.ndarray] = getattr(augmentation, kind)
    changed = function(images.astype(np.float32), np.random.default_rng(seed))
    return changed.astype(np.float32)


def centres(images: np.ndarray) -> np.ndarray:
    """Where the ink of each image lies on average, `(2, N)`."""
    marginals = images.sum(axis=2), images.sum(axis=1)
    return np.stack([m @ np.arange(m.shape[1]) / m.sum(axis=1) for m in marginals])


def test_no_augmentation_changes_nothing() -> None:
    assert np.array_equal(moved(), square(1000))


@given(
    st.tuples(st.integers(1, 4), st.integers(8, 40), st.integers(8, 40)),
    st.fixed_dictionaries(
        {
            "shift": st.floats(0, 14),
            "rotation": st.floats(0, 180),
            "zoom": st.floats(0, 0.99),
            "slant": st.floats(0, 45),
            "elastic": st.floats(0, 10),
            "spoiled": st.floats(0, 0.99),
        }
    ),
    st.integers(0, 2**62),
)
@settings(max_examples=30)
def test_any_augmentation_keeps_shape_and_type_and_repeats(
    shape: tuple[int, int, int], some: dict[str, float], seed: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    before = images.copy()
    changed = augmented(images, seed, **some)
    assert (changed.shape, changed.dtype) == (shape, np.uint8)
    assert np.array_equal(changed, augmented(images, seed, **some))
    assert np.array_equal(images, before)


def test_another_seed_gives_other_images() -> None:
    images, some = square(8), {"shift": 1.0, "spoiled": 0.5}
    other = augmented(images, SEED + 1, **some)
    assert not np.array_equal(augmented(images, **some), other)


def test_a_shift_moves_the_centre_as_far_as_it_may() -> None:
    for centre in centres(moved(shift=3.0)):
        assert np.abs(centre - 13.5).max() <= 3 + 1e-3
        assert centre.min() < 13.5 - 2.8
        assert centre.max() > 13.5 + 2.8


def test_zoom_and_rotation_leave_the_centre_where_it_is() -> None:
    np.testing.assert_allclose(centres(moved(zoom=0.2, rotation=30.0)), 13.5, atol=0.02)
    wide = augmented(square(100, 20, 32), zoom=0.2, rotation=30.0)
    np.testing.assert_allclose(centres(wide), [[9.5] * 100, [15.5] * 100], atol=0.02)


def test_a_slant_moves_the_top_and_the_foot_apart_as_far_as_it_may() -> None:
    bars = np.zeros((1000, 28, 28), np.uint8)
    bars[:, 6:22, 12:16] = 255
    images = augmented(bars, slant=20.0).astype(float)
    x = np.arange(28)
    top, foot = (images[:, row] @ x / images[:, row].sum(axis=1) for row in (8, 19))
    slants = np.degrees(np.arctan2(top - foot, 11))
    assert slants.min() == pytest.approx(-20, abs=0.5)
    assert slants.max() == pytest.approx(20, abs=0.5)


def test_many_images_are_moved_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = moved(shift=3.0, elastic=1.0).astype(int)
    monkeypatch.setattr(augmentation, "REMAP_ROWS", 100)
    # OpenCV rounds places to a 32nd of a pixel.
    assert np.abs(moved(shift=3.0, elastic=1.0) - whole).max() <= 2 * 255 / 32


def test_rotation_turns_both_ways_as_far_as_it_may() -> None:
    bars = np.zeros((1000, 28, 28), np.float32)
    bars[:, 6:22, 12:16] = 255
    y, x = np.indices((28, 28)) - 13.5
    images = augmented(bars, rotation=30.0)
    yy, xx, xy = (np.einsum("nyx,yx->n", images, m) for m in (y * y, x * x, x * y))
    angles = np.degrees(np.arctan2(2 * xy, yy - xx) / 2)  # of the bar, from the vertical
    assert angles.min() == pytest.approx(-30, abs=0.5)
    assert angles.max() == pytest.approx(30, abs=0.5)


def test_zoom_changes_the_area_as_far_as_it_may() -> None:
    area = moved(zoom=0.2).sum(axis=(1, 2)) / square(1).sum()
    assert 0.8**2 - 0.05 < area.min() < 0.75
    assert 1.3 < area.max() < 1.2**2 + 0.05


def test_bending_moves_ink_about_but_keeps_it() -> None:
    images = moved(elastic=1.0)
    assert len({bytes(image) for image in images}) == 1000
    ink = images.sum(axis=(1, 2)) / square(1).sum()
    assert abs(ink.mean() - 1) < 0.05
    assert 0.1 < centres(images)[1].std() < 1.5


def test_what_comes_in_from_outside_is_paper() -> None:
    shifted = augmented(np.full((100, 28, 28), 255, np.uint8), shift=10.0)
    assert shifted.min() == 0
    assert shifted.max() == pytest.approx(255)


@pytest.mark.parametrize(("share", "spoiled"), [(0.0, 0), (0.002, 0), (0.25, 50), (0.99, 198)])
def test_a_share_of_the_images_is_spoiled_and_the_rest_untouched(
    share: float, spoiled: int
) -> None:
    images = augmented(square(200), spoiled=share)
    is_changed = (images != square(200)).any(axis=(1, 2))
    assert not is_changed[spoiled:].any()
    assert is_changed[:spoiled].sum() >= 0.9 * spoiled


def test_what_is_spoiled_was_moved_before() -> None:
    images = augmented(np.full((200, 28, 28), 80, np.uint8), shift=10.0, spoiled=0.5)
    both = augmented(np.full((200, 28, 28), 80, np.uint8), shift=10.0)
    assert np.array_equal(images[100:], both[100:])
    assert not np.array_equal(images[:100], both[:100])


def test_each_kind_of_spoiling_befalls_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(number: int) -> Any:
        return lambda images, rng: np.full_like(images, number)

    for number, kind in enumerate(KINDS):
        monkeypatch.setattr(augmentation, kind, fill(number))
    images = augmentation.spoil(np.zeros((1000, 4, 4), np.uint8), np.random.default_rng(0))
    assert np.ptp(images, axis=(1, 2)).max() == 0  # one kind for all of an image
    assert np.bincount(images[:, 0, 0].astype(int)) == pytest.approx([1000 / 6] * 6, abs=40)


def test_spoiled_images_are_between_paper_and_ink() -> None:
    images = augmentation.spoil(square(500), np.random.default_rng(0))
    assert (images.min(), images.max()) == (0, 255)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 32), (2, 32, 20)], ids=str)
def test_each_kind_takes_images_of_any_size(kind: str, shape: tuple[int, int, int]) -> None:
    images = square(*shape)
    spoiled = made(kind, images)
    assert (spoiled.shape, spoiled.dtype) == (shape, np.float32)
    assert np.array_equal(spoiled, made(kind, images))
    assert not np.array_equal(spoiled, images)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "outline"])
def test_each_kind_but_the_outline_is_random_in_each_image(kind: str) -> None:
    images = made(kind, square(50))
    assert len({bytes(image) for image in images}) > 45
    assert not np.array_equal(images, made(kind, square(50), SEED + 1))


def test_a_ground_takes_up_to_four_fifths_of_the_contrast() -> None:
    ground = made("ground", BLANK)
    left = (made("ground", square(500)) - ground)[square(500) > 0].reshape(500, 64) / 255
    assert np.ptp(left, axis=1).max() < 1e-5  # in an image everywhere alike
    assert left.min() == pytest.approx(0.2, abs=0.02)
    assert left.max() == pytest.approx(1, abs=0.02)
    grey = ground / 255
    assert (grey <= 1 - left[:, :1, np.newaxis] + 1e-5).all()
    unevenness = grey.std(axis=(1, 2))
    assert unevenness.min() < 0.01  # plain
    assert unevenness.max() > 0.1  # cloudy


def test_stripes_negate_margins_at_two_opposite_sides() -> None:
    images = made("stripes", BLANK)
    assert set(np.unique(images)) == {0, 255}
    upright = 0
    for image in images:
        is_upright = (image == image[:1]).all()
        assert is_upright or (image == image[:, :1]).all()
        upright += is_upright
        first, second = np.split(image[0] if is_upright else image[:, 0], 2)
        assert (np.diff(first) <= 0).all()
        assert (np.diff(second) >= 0).all()
    assert 200 < upright < 300
    assert images[:, [0, 0, -1, -1], [0, -1, 0, -1]].any(axis=1).mean() > 0.9
    assert np.array_equal(made("stripes", np.full_like(BLANK, 255)), 255 - images)


def test_noise_is_of_any_strength_up_to_half_of_ink_and_blurs_every_second_image() -> None:
    drawn = made("noise", BLANK)
    strength = drawn.std(axis=(1, 2))
    assert strength.min() < 10
    assert strength.max() == pytest.approx(127, abs=10)
    assert drawn.mean() == pytest.approx(0, abs=1)
    corner = (made("noise", square(500)) - drawn)[:, 10, 10] / 255
    is_blurred = np.isclose(corner, 4 / 9, atol=1e-3)
    assert (is_blurred | np.isclose(corner, 1, atol=1e-3)).all()
    assert 200 < is_blurred.sum() < 300


def test_a_line_adds_ink_from_edge_to_edge_in_either_direction() -> None:
    images = made("line", BLANK)
    assert images.min() == 0
    assert images.max() == 255
    assert np.array_equal(made("line", square(500)), square(500) + images)
    is_inked = images > 0
    lengths = np.stack([is_inked.any(axis=axis).sum(axis=1) for axis in (1, 2)])
    assert (lengths.max(axis=0) >= 10).mean() > 0.9
    for along, across in (lengths, lengths[::-1]):
        assert ((along > 24) & (across <= 14)).sum() > 50
    assert is_inked.mean(axis=(1, 2)).max() < 0.25


def test_an_outline_is_a_pixel_wide_and_around_the_ink() -> None:
    (image,) = made("outline", square(1))
    expected = np.zeros((28, 28))
    expected[9:19, 9:19] = 255
    expected[10:18, 10:18] = 0
    assert np.array_equal(image, expected)


def test_a_misplacement_is_of_up_to_4_pixels() -> None:
    images, axis = made("misplacement", square(1000)), np.arange(28)
    for marginal in (images.sum(axis=1), images.sum(axis=2)):
        centre = (marginal * axis).sum(axis=1) / marginal.sum(axis=1)
        assert np.abs(centre - 13.5).max() == pytest.approx(4, abs=0.1)
        assert abs(centre.mean() - 13.5) < 0.3
