import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from benchmarks import rendered
from digits.base.errors import UserError
from digits.recognition.boxes import Box
from digits.recognition.crops import crop
from digits.recognition.digitizing import (
    DeadlineError,
    Digit,
    TooManyDigitsError,
    digitize,
    examine,
)
from digits.recognition.page import find as find_page
from digits.recognition.parts import Part
from digits.recognition.touching import split

BUNCH = load_digits()
# As MNIST's: 28 x 28, the paper black. Only those whose strokes hang together.
LARGE = np.stack([cv2.resize(image, (20, 20), interpolation=3) for image in BUNCH.images])
IMAGES = np.pad((LARGE / 16 * 255).clip(0, 255).astype(np.uint8), [(0, 0), (4, 4), (4, 4)])
MASKS = (IMAGES > 127).astype(np.uint8)
WHOLE = np.array([cv2.connectedComponents(mask)[0] == 2 for mask in MASKS])
IMAGES, MASKS, LABELS = IMAGES[WHOLE], MASKS[WHOLE], BUNCH.target[WHOLE].astype(np.uint8)
CLEAR = rendered.WAYS["screen"]
quick = settings(max_examples=15, deadline=None)


@cache
def page(*numbers: int) -> rendered.Picture:
    """A clean page with one row of these images."""
    look = replace(CLEAR, rows=(len(numbers),), margin=80)
    chosen = list(numbers)
    return rendered.render(IMAGES[chosen], LABELS[chosen], look, np.random.default_rng(0))


def cut(mask: np.ndarray) -> np.ndarray:
    left, top, width, height = cv2.boundingRect(mask)
    return mask[top : top + height, left : left + width] > 0


def one(picture: np.ndarray) -> Digit:
    digits = digitize(picture)
    assert len(digits) == 1
    return digits[0]


def difference(picture: np.ndarray, other: np.ndarray) -> float:
    """Of the digit in each, the mean over the pixels, of 255."""
    return float(np.abs(one(picture).image.astype(int) - one(other).image).mean())


numbers = st.integers(0, 99)


@quick
@given(numbers, st.integers(-60, 60), st.integers(-60, 60))
def test_a_shift_changes_the_box_alone(number: int, down: int, right: int) -> None:
    pixels = page(number).pixels
    moved = np.roll(pixels, (down, right), axis=(0, 1))
    assert difference(pixels, moved) < 6
    before, after = one(pixels).box, one(moved).box
    assert abs(after.left - before.left - right) <= 1
    assert abs(after.top - before.top - down) <= 1


@quick
@given(numbers, st.floats(0.5, 4))
def test_a_scale_hardly_changes_the_digit(number: int, scale: float) -> None:
    pixels = page(number).pixels
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=way)
    assert difference(pixels, scaled) < 8


@quick
@given(numbers)
def test_light_on_dark_is_the_same_as_dark_on_light(number: int) -> None:
    pixels = page(number).pixels
    assert difference(pixels, 255 - pixels) < 3


@quick
@given(numbers, st.integers(60, 200), st.integers(30, 150), st.integers(0, 40))
def test_brightness_and_light_hardly_change_the_digit(
    number: int, paper: int, contrast: int, slope: int
) -> None:
    pixels = page(number).pixels
    light = paper + slope * np.linspace(0, 1, pixels.shape[1])[:, None]
    darker = light - (1 - pixels / 255) * min(contrast, paper - 20)
    assert difference(pixels, darker.astype(np.uint8)) < 6


@quick
@given(numbers, st.integers(1, 80), st.integers(0, 80))
def test_more_paper_around_changes_the_box_alone(number: int, side: int, above: int) -> None:
    pixels = page(number).pixels
    wider = np.pad(pixels, [(above, 0), (side, side), (0, 0)], constant_values=255)
    assert difference(pixels, wider) < 5


@quick
@given(numbers, st.integers(0, 255), st.integers(20, 300), st.integers(20, 300))
def test_bars_around_a_picture_change_the_box_alone(
    number: int, colour: int, side: int, above: int
) -> None:
    """As a screen shows it, or a scanner; its paper is here darker to the right."""
    light = 200 - 60 * np.linspace(0, 1, page(number).pixels.shape[1])[:, None]
    pixels = (page(number).pixels / 255 * light).astype(np.uint8)
    bars = [(above, 60), (side, side), (0, 0)]
    with_bars = np.pad(pixels, bars, constant_values=colour)
    assert difference(pixels, with_bars) < 6
    before, after = one(pixels).box, one(with_bars).box
    assert abs(after.left - before.left - side) <= 1
    assert abs(after.top - before.top - above) <= 1


@quick
@given(numbers, st.integers(40, 200), st.integers(-60, 60))
def test_a_lamps_reflection_hardly_changes_the_digit(number: int, spread: int, away: int) -> None:
    pixels = (page(number).pixels * 0.5).astype(np.uint8)
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x - width / 2 - away, y - height / 2 - away)
    light = 100 * np.exp(-0.5 * (distance / spread) ** 2)
    assert difference(pixels, (pixels + light[..., None]).astype(np.uint8)) < 10


@quick
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_pixels_give_digits_of_the_right_form_inside_the_picture(pixels: np.ndarray) -> None:
    height, width = pixels.shape[:2]
    for digit in digitize(pixels):
        assert digit.image.shape == (28, 28)
        assert digit.image.dtype == np.uint8
        box = digit.box
        assert min(box.left, box.top) >= 0
        assert min(box.width, box.height) >= 1
        assert box.right <= width
        assert box.bottom <= height


@pytest.mark.parametrize("shape", [(1, 1), (1, 50_000), (50_000, 1), (2, 2), (28, 28), (3000, 2)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_page_has_no_digits(shape: tuple[int, int], value: int) -> None:
    assert digitize(np.full(shape, value, np.uint8)) == []


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_noise_is_no_ink(noise: float) -> None:
    rng = np.random.default_rng(0)
    paper = 200 + 255 * rng.normal(0, noise, (300, 400, 3))
    assert digitize(paper.clip(0, 255).astype(np.uint8)) == []


@pytest.mark.parametrize("kind", ["grid", "blobs", "hatch"])
def test_a_pattern_is_looked_through_in_time(kind: str) -> None:
    across, down = np.indices((900, 900))
    patterns = {
        "grid": (across + down) % 8 < 1,
        "blobs": np.random.default_rng(0).random((900, 900)) > 0.9,
        "hatch": across % 10 < 2,
    }
    digits = digitize(np.where(patterns[kind], 0, 255).astype(np.uint8))
    assert len(digits) <= 200


def test_an_image_as_mnist_made_it_stays_almost_as_it_is() -> None:
    changes = []
    for mask in MASKS[:100]:
        as_made = crop(cut(mask))
        image = one(as_made).image
        changes.append(np.abs(image.astype(int) - as_made).mean())
        weights = image / image.sum()
        centre = [(weights * axis).sum() for axis in np.indices((28, 28))]
        assert centre == pytest.approx([14, 14], abs=0.35)
        rows, columns = np.nonzero(image > 30)
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 22
    assert np.mean(changes) < 8


def test_thin_strokes_become_as_thick_as_mnists() -> None:
    line = np.full((400, 400), 255, np.uint8)
    cv2.line(line, (200, 40), (190, 360), 0, 2)
    image = one(line).image
    assert 1.9 < image[14].sum() / 255 < 3


def test_the_box_is_around_the_ink() -> None:
    for number in range(20):
        picture = page(number)
        box = one(picture.pixels).box
        found = [box.left, box.top, box.right, box.bottom]
        assert found == pytest.approx(picture.boxes[0], abs=3)


def test_rows_are_read_one_after_the_other_even_if_they_climb() -> None:
    look = replace(CLEAR, rows=(4, 2, 5))
    picture = rendered.pictures(IMAGES, LABELS, look, 1, 0)[0]
    height, width = picture.pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 4, 1)
    turned = cv2.warpAffine(picture.pixels, turn, (width, height), borderValue=(255,) * 3)
    places = [(digit.row, digit.position) for digit in digitize(turned)]
    assert places == [(row, i) for row, count in enumerate((4, 2, 5)) for i in range(count)]


def test_specks_beside_a_digit_are_none_of_it() -> None:
    pixels = page(3).pixels.copy()
    box = one(pixels).box
    for place in ((box.left + 10, box.top - 18), (box.right + 14, box.top + 20)):
        cv2.circle(pixels, place, 3, (0, 0, 0), -1)
    assert one(pixels).box == box


def test_a_box_scaled_back_ends_with_the_picture() -> None:
    for side in range(1, 300):
        scaled = Box(0, 0, 300, 300).scaled(side / 300, side / 300)
        assert (scaled.right, scaled.bottom) == (side, side)


def test_specks_and_dashes_are_no_digits() -> None:
    pixels = page(3, 5).pixels.copy()
    cv2.circle(pixels, (30, 30), 4, (0, 0, 0), -1)
    cv2.line(pixels, (100, 20), (220, 20), (0, 0, 0), 6)
    assert len(digitize(pixels)) == 2


def test_a_bar_above_belongs_to_its_digit() -> None:
    pixels = np.full((300, 300), 255, np.uint8)
    cv2.ellipse(pixels, (150, 190), (50, 60), 0, -120, 140, 0, 10)
    cv2.line(pixels, (130, 100), (190, 95), 0, 10)
    assert one(pixels).box.top < 100


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (2, 1), (3, 2), (6, 2)])
def test_strokes_across_a_hair_are_of_two_rows_only_where_there_are_several(
    columns: int, rows: int
) -> None:
    pixels = np.full((300, 100 + 60 * columns), 255, np.uint8)
    for column in range(columns):
        across = 80 + 60 * column
        cv2.line(pixels, (across, 60), (across, 140), 0, 12)
        cv2.line(pixels, (across, 158), (across, 238), 0, 12)
    digits = digitize(pixels)
    assert len(digits) == columns * rows
    assert {digit.row for digit in digits} == set(range(rows))


def test_the_dot_of_an_i_belongs_to_it() -> None:
    pixels = np.full((300, 300), 255, np.uint8)
    cv2.line(pixels, (150, 150), (145, 250), 0, 10)
    above, higher, beside = pixels.copy(), pixels.copy(), pixels.copy()
    cv2.circle(above, (160, 110), 8, 0, -1)
    assert one(above).box.top == 102
    cv2.circle(higher, (160, 15), 8, 0, -1)
    cv2.circle(beside, (190, 200), 8, 0, -1)
    for other in (higher, beside):  # specks
        assert one(other).box == one(pixels).box
    cv2.line(pixels, (135, 60), (140, 110), 0, 10)  # higher than a dot: a digit of another row
    assert len(digitize(pixels)) == 2


def test_a_pale_stroke_that_hangs_on_a_dark_one_stays() -> None:
    pixels = np.full((300, 300), 255, np.uint8)
    cv2.line(pixels, (110, 60), (90, 160), 0, 10)
    cv2.line(pixels, (180, 60), (180, 250), 0, 10)
    whole = pixels.copy()
    cv2.line(whole, (90, 160), (210, 160), 0, 10)
    cv2.line(pixels, (96, 160), (174, 160), 170, 10)  # a third as dark
    assert difference(whole, pixels) < 15


@pytest.mark.parametrize("leads_on", [True, False])
def test_pale_ink_from_one_piece_of_strong_ink_to_another_is_ink(leads_on: bool) -> None:
    pixels = np.full((300, 300), 255, np.uint8)
    pixels[50:140, 145:155] = 0
    pixels[140:145, 145:155] = 170  # a third as dark
    if leads_on:
        pixels[145:250, 145:155] = 0
    assert examine(pixels).ink[142, 150] == leads_on


def test_pale_marks_that_hang_on_nothing_are_left_out() -> None:
    pixels = page(3, 5).pixels.copy()
    clean = len(digitize(pixels))
    cv2.circle(pixels, (pixels.shape[1] - 35, 40), 20, (190, 190, 190), 6)
    assert len(digitize(pixels)) == clean


def test_the_rest_of_a_digit_beyond_the_edge_is_left_out() -> None:
    pixels = page(3, 5).pixels.copy()
    cv2.line(pixels, (12, pixels.shape[0] - 25), (8, pixels.shape[0]), (0, 0, 0), 8)
    assert len(digitize(pixels)) == 2


def test_a_digit_that_fills_its_picture_is_no_rest() -> None:
    pixels = page(3).pixels
    box = one(pixels).box
    assert len(digitize(pixels[box.top : box.bottom, box.left : box.right])) == 1


def test_centring_cuts_no_ink_off() -> None:
    mask = np.zeros((200, 200), bool)
    mask[:, :60] = True
    mask[180:, :] = True
    image = crop(mask)
    assert image[:, 26].max() > 200 or image[:, 27].max() > 200
    assert (image > 127).any(axis=0).sum() >= 19


def test_ink_that_reaches_two_edges_is_centred() -> None:
    mask = np.zeros((80, 80), bool)
    mask[:20, :20] = mask[:2] = mask[:, :2] = True
    image = crop(mask)
    assert image[8, 8:].min() > 100
    assert image[8:, 8].min() > 100


def shown(draw: Callable[[np.ndarray], object]) -> np.ndarray:
    pixels = np.full((300, 400, 3), 255, np.uint8)
    draw(pixels)
    return pixels


INK = (20, 20, 20)


@pytest.mark.parametrize(
    "pixels",
    [
        page(3).pixels,
        shown(lambda p: cv2.line(p, (200, 60), (200, 240), INK, 40)),
        shown(lambda p: cv2.line(p, (150, 150), (250, 150), INK, 80)),
        shown(lambda p: cv2.circle(p, (200, 150), 90, INK, -1)),
        shown(lambda p: cv2.ellipse(p, (200, 150), (50, 90), 0, 0, 360, INK, 60)),
        shown(lambda p: cv2.rectangle(p, (120, 50), (280, 250), INK, 12)),
        np.where(np.arange(400)[:, None] < 200, page(3, 5).pixels[:, :400] // 2, 255),
    ],
    ids=["a digit", "a 1", "a bar", "a disc", "a 0", "a form's box", "half a page in a shadow"],
)
def test_what_is_no_page_is_looked_at_as_a_whole(pixels: np.ndarray) -> None:
    height, width = pixels.shape[:2]
    assert find_page(pixels) == Box(0, 0, width, height)


def test_a_thick_ruled_line_through_the_digits_is_left_out() -> None:
    pixels = page(3, 5).pixels.copy()
    middle = one(page(3).pixels).box.bottom - 6
    side = max(pixels.shape[:2])
    cv2.line(pixels, (0, middle), (pixels.shape[1], middle), (90, 90, 160), round(0.025 * side))
    assert len(digitize(pixels)) == 2


def test_colour_is_contrast_even_where_grey_is_little() -> None:
    pixels = page(7).pixels.copy()
    pixels[pixels[..., 0] < 128] = 255, 240, 0  # yellow on white
    assert difference(page(7).pixels, pixels) < 6


@pytest.mark.parametrize(("paper", "around"), [(230, 10), (230, 150), (30, 240)])
@pytest.mark.parametrize("angle", [0, 7])
def test_what_surrounds_a_sheet_is_no_ink(paper: int, around: int, angle: int) -> None:
    clean = page(2, 5).pixels
    sheet = np.where(clean < 128, 255 - paper, paper).astype(np.uint8)
    height, width = sheet.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    turn[:, 2] += 60
    size = (width + 120, height + 120)
    assert len(digitize(cv2.warpAffine(sheet, turn, size, borderValue=(around,) * 3))) == 2


def test_bytes_are_decoded_first() -> None:
    _, content = cv2.imencode(".png", page(4).pixels)
    assert (digitize(content.tobytes())[0].image == one(page(4).pixels).image).all()
    with pytest.raises(UserError, match="not a picture"):
        digitize(b"no picture")


def test_a_sheet_shows_what_was_seen() -> None:
    pixels = page(1, 2).pixels
    sheet = examine(pixels)
    assert sheet.pixels is pixels
    assert len(sheet.digits) == 2
    assert sheet.ink.any()
    assert sheet.ink.mean() < 0.2


# What follows needs a model: the nearest of scikit-learn's digits, made as these are made.


SEEN, UNSEEN = slice(1000), slice(1000, None)


@cache
def nearest() -> KNeighborsClassifier:
    model = KNeighborsClassifier(5)
    crops = np.stack([crop(cut(mask)) for mask in MASKS[SEEN]])
    return model.fit(crops.reshape(len(crops), -1), LABELS[SEEN])


def predict(images: np.ndarray) -> np.ndarray:
    return nearest().predict_proba(images.reshape(len(images), -1))


@pytest.mark.parametrize(
    ("way", "least"),
    [
        ("dark screen", 0.9),
        ("board", 0.9),
        ("blue pen", 0.9),
        ("pencil", 0.9),
        ("specks", 0.9),
        ("steep light", 0.9),
        ("shadow", 0.9),
        ("ruled", 0.9),
        ("squared", 0.9),
        ("square", 0.9),
        ("dark ruling", 0.8),
        ("form", 0.9),
        ("blurred", 0.8),
        ("noisy", 0.8),
        ("dim light", 0.8),
        ("dark window", 0.9),
        ("light window", 0.9),
        ("perspective", 0.9),
        ("rows", 0.8),
        ("broken", 0.7),
    ],
)
def test_digits_are_found_whatever_the_page(way: str, least: float) -> None:
    """As many, in the same rows, their boxes where they were written."""
    found = 0
    pages = rendered.pictures(IMAGES[UNSEEN], LABELS[UNSEEN], rendered.WAYS[way], 12, 0)
    for picture in pages:
        # Whether high pieces are halves of a digit or digits of two rows, the model helps to say.
        digits = digitize(picture.pixels, predict if way == "broken" else None)
        if len(digits) == len(picture.boxes):
            boxes = [digit.box for digit in digits]
            corners = [[box.left, box.top, box.right, box.bottom] for box in boxes]
            found += bool(np.abs(np.array(corners) - picture.boxes).max() < 14)
    assert found >= least * len(pages)


def test_most_digits_are_read_right() -> None:
    right = total = 0
    for picture in rendered.pictures(IMAGES[UNSEEN], LABELS[UNSEEN], rendered.PAPER, 12, 0):
        images = np.stack([digit.image for digit in digitize(picture.pixels)])
        text = "".join(str(number) for number in predict(images).argmax(axis=1))
        right += sum(a == b for a, b in zip(text, picture.label, strict=False))
        total += len(picture.label)
    assert right >= 0.8 * total  # 93 % of the images themselves


@pytest.mark.parametrize(
    ("whole", "pieces", "count"),
    [
        (0.6, 0.9999, 2),
        (0.6, 0.999, 1),  # pieces of a letter
        (0.99, 0.99999, 2),  # sure of both as one digit, but much surer of each
        (0.99, 0.9999, 1),
    ],
)
def test_digits_that_touch_are_parted_if_the_pieces_are_much_surer(
    whole: float, pieces: float, count: int
) -> None:
    pixels = np.full((200, 320, 3), 255, np.uint8)
    cv2.circle(pixels, (100, 100), 50, (0, 0, 0), 12)
    cv2.circle(pixels, (212, 100), 50, (0, 0, 0), 12)

    def rings(images: np.ndarray) -> np.ndarray:
        """Surer of what is as high as wide with nothing in the middle than of all else."""
        ink = images > 50
        height, width = ink.any(axis=2).sum(axis=1), ink.any(axis=1).sum(axis=1)
        is_ring = (abs(height - width) < 3) & ~ink[:, 14, 14]
        return np.where(is_ring[:, None], [pieces, 1 - pieces], [whole, 1 - whole])

    assert len(digitize(pixels)) == 1
    digits = digitize(pixels, rings)
    assert [digit.position for digit in digits] == list(range(count))
    if count == 2:
        assert digits[0].box.right == pytest.approx(156, abs=16)  # a stroke
        assert digits[1].box.left == pytest.approx(156, abs=16)  # a stroke


def test_a_line_that_is_too_thin_to_be_cut_stays_whole() -> None:
    mask = np.eye(400, k=1, dtype=bool)  # none of it is in a row and column that 5 divides
    mask[1, 1] = mask[2, 0] = mask[399, 399] = True
    part = Part(Box(0, 0, 400, 400), mask, 1)
    assert split(part, lambda images: np.full((len(images), 10), 0.1), is_alone=True) == [part]


@pytest.mark.parametrize(("radius", "others", "count"), [(20, [], 1), (45, [], 2), (20, [250], 3)])
def test_what_falls_into_slim_pieces_stays_whole_if_nothing_else_is_there(
    radius: int, others: list[int], count: int
) -> None:
    pixels = np.full((200, 320, 3), 255, np.uint8)
    for middle in (80, 80 + 2 * radius + 6, *others):
        cv2.ellipse(pixels, (middle, 100), (radius, 50), 0, 0, 360, (0, 0, 0), 12)

    def rings(images: np.ndarray) -> np.ndarray:
        """Sure of what is no wider than high and has nothing in the middle."""
        ink = images > 50
        height, width = ink.any(axis=2).sum(axis=1), ink.any(axis=1).sum(axis=1)
        sure = (width <= height) & ~ink[:, 14, 14]
        return np.where(sure[:, None], [0.99999, 0.00001], [0.6, 0.4])

    assert len(digitize(pixels, rings)) == count


def unsure(images: np.ndarray) -> np.ndarray:
    """A model that is sure of no image, so that every wide part is searched for cuts."""
    return np.full((len(images), 10), 0.1)


@pytest.mark.parametrize(
    ("apart", "together", "between", "count"),
    [
        ([0.01, 0.99], [0.99, 0.01], 50, 1),  # two 1s that look like another digit: an open 4
        ([0.01, 0.99], [0.99, 0.01], 80, 2),
        ([0.01, 0.99], [0.90, 0.10], 50, 2),
        ([0.99, 0.01], [0.99, 0.01], 50, 2),  # a 3 with a 1 beside it looks like a 3
        ([0.99, 0.01], [0.99, 0.01], 24, 2),
        ([0.60, 0.40], [0.90, 0.10], 50, 1),  # two pieces that look like nothing by themselves
        ([0.60, 0.40], [0.60, 0.40], 50, 2),
    ],
)
def test_two_strokes_are_joined_where_the_model_is_surer_of_both(
    apart: list[float], together: list[float], between: int, count: int
) -> None:
    pixels = np.full((300, 300), 255, np.uint8)
    cv2.line(pixels, (100, 60), (100, 250), 0, 12)
    cv2.line(pixels, (100 + between, 60), (100 + between, 250), 0, 12)

    def model(images: np.ndarray) -> np.ndarray:
        """Two strokes are wider than one."""
        is_wide = (images > 50).any(axis=1).sum(axis=1) > 3
        return np.where(is_wide[:, None], together, apart)

    assert len(digitize(pixels)) == 2
    assert len(digitize(pixels, model)) == count


def test_strokes_that_look_the_same_together_and_apart_stay_two() -> None:
    pixels = np.full((300, 300), 255, np.uint8)
    cv2.polylines(pixels, [np.array([[130, 60], [80, 170], [150, 170]])], False, 0, 10)
    cv2.line(pixels, (175, 100), (165, 250), 0, 10)

    def same(images: np.ndarray) -> np.ndarray:
        return np.tile([0.99, 0.01], (len(images), 1))

    assert len(digitize(pixels)) == 2
    assert len(digitize(pixels, same)) == 2


def test_the_model_is_asked_of_neighbours_alone() -> None:
    pixels = np.full((900, 900), 255, np.uint8)
    for across in range(100, 800, 35):
        cv2.line(pixels, (across, 100), (across, 800), 0, 8)
    asked = 0

    def model(images: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += len(images)
        return unsure(images)

    assert len(digitize(pixels, model)) == 20
    assert asked == 20 + 19


def test_a_picture_is_given_up_at_its_deadline() -> None:
    pixels = page(1, 2, 3).pixels
    assert len(examine(pixels, unsure, deadline=time.monotonic() + 600).digits) == 3
    with pytest.raises(DeadlineError, match="takes too long"):
        examine(pixels, unsure, deadline=time.monotonic() - 1)


def test_the_deadline_is_checked_before_each_part_is_cut() -> None:
    pixels = page(1, 0, 0, 0).pixels
    wide = cv2.resize(pixels, None, fx=2, fy=1)
    calls = []

    def slow(images: np.ndarray) -> np.ndarray:
        calls.append(len(images))
        time.sleep(1)
        return unsure(images)

    with pytest.raises(DeadlineError):
        examine(wide, slow, deadline=time.monotonic() + 0.9)
    assert len(calls) < 3  # a wide part asks twice: for the whole, and for its pieces


def test_too_many_digits_are_refused_before_any_is_cut() -> None:
    def fail(images: np.ndarray) -> np.ndarray:
        raise AssertionError("nothing may be cut")

    pixels = page(1, 2, 3, 4, 5).pixels
    with pytest.raises(TooManyDigitsError, match="5 digits or more: at most 4"):
        examine(pixels, fail, most_digits=4)
    assert len(examine(pixels, most_digits=5).digits) == 5


def test_a_sure_whole_is_not_cut() -> None:
    pixels = page(0).pixels
    wide = cv2.resize(pixels, None, fx=1.8, fy=1)
    assert len(digitize(wide, lambda images: np.full((len(images), 10), 0.99))) == 1
