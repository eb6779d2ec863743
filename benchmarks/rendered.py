"""Pictures of handwriting made from the images of a data set, so that every answer is known.

Digits are written onto a page, in one of the ways of `looks`: what pens, paper, light and
cameras do. Each picture is random in the rest, and the same for the same seed.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from benchmarks.looks import HEIGHT, PAPER, WAYS, Look

__all__ = ["PAPER", "WAYS", "Look", "Picture", "no_digits", "pictures", "render"]


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows.

    Attributes:
        pixels: `uint8 (height, width, 3)`.
        label: the digits as they are read, a `|` between rows.
        boxes: `float64 (digits, 4)`, left, top, right, bottom, in the same order.
    """

    pixels: np.ndarray
    label: str
    boxes: np.ndarray = field(repr=False)


def pictures(
    images: np.ndarray, labels: np.ndarray, look: Look, count: int, seed: int
) -> list[Picture]:
    """Render pages of digits that are drawn at random.

    Args:
        images: `uint8 (N, height, width)`, light ink on black.
        labels: `uint8 (N,)`.
    """
    rng = np.random.default_rng(seed)
    pages = []
    for _ in range(count):
        chosen = rng.integers(0, len(images), sum(look.rows))
        pages.append(render(images[chosen], labels[chosen], look, rng))
    return pages


def render(images: np.ndarray, labels: np.ndarray, look: Look, rng: np.random.Generator) -> Picture:
    """Render one page."""
    strokes = [_stroke(image, look, rng) for image in images]
    ends = np.cumsum(look.rows)[:-1]
    rows = np.split(np.arange(len(strokes)), ends)
    widest = max(sum(strokes[i].shape[1] + HEIGHT for i in row) for row in rows)
    ink = np.zeros(
        (int(len(rows) * look.row_step * HEIGHT) + 2 * look.margin, widest + 2 * look.margin),
        np.float32,
    )
    lines = _printed(ink.shape, look, rng)
    boxes = np.zeros((len(strokes), 4))
    for number, row in enumerate(rows):
        left = look.margin + rng.uniform(0, 0.5) * HEIGHT
        for i in row:
            high, wide = strokes[i].shape
            top = (
                look.margin
                + (look.row_step * number + 0.3) * HEIGHT
                + rng.uniform(-0.1, 0.1) * HEIGHT
            )
            x, y = int(left), int(top + (HEIGHT - high) / 2)
            here = ink[y : y + high, x : x + wide]
            np.maximum(here, strokes[i], out=here)
            boxes[i] = x, y, x + wide, y + high
            if look.framed:
                frame = (x - HEIGHT // 4, y - HEIGHT // 4), (x + wide + 20, y + high + 20)
                cv2.rectangle(lines, *frame, 1, 2, cv2.LINE_AA)
            left += wide + (look.gap + rng.uniform(0, 0.1)) * HEIGHT
    if look.pressure:
        ink *= 1 - look.pressure * _smooth_noise(ink.shape, HEIGHT / 5, rng)
    for _ in range(look.specks):
        at = rng.integers(0, ink.shape[::-1])
        cv2.circle(ink, at.tolist(), int(rng.integers(1, 4)), 1, -1, cv2.LINE_AA)
    page = _painted(np.full((*ink.shape, 3), look.paper, np.float32), look.lines, lines)
    page = _painted(page, look.ink, ink)
    page, boxes = _seen_from_aside(page, boxes, look, rng)
    pixels = _photographed(page, look, rng)
    if look.window:
        colour = [round(255 * share) for share in look.window]
        sides = (HEIGHT,) * 4
        pixels = cv2.copyMakeBorder(pixels, *sides, cv2.BORDER_CONSTANT, value=colour)
        boxes = boxes + HEIGHT
    label = "|".join("".join(str(labels[i]) for i in row) for row in rows)
    return Picture(pixels, label, boxes)


def _painted(page: np.ndarray, colour: tuple[float, float, float], where: np.ndarray) -> np.ndarray:
    return page + (np.array(colour, np.float32) - page) * where[..., None]


def _stroke(image: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Turn a digit into ink, `float32 (height, width)` from 0 to 1, cut to its box."""
    rows, columns = np.nonzero(image > 127)
    cut = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = HEIGHT * rng.uniform(0.85, 1.15) / max(cut.shape)
    large = cv2.resize(np.pad(cut, 2), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    mask: np.ndarray = np.pad((cv2.GaussianBlur(large, (0, 0), 2) > 127).astype(np.uint8), 6)
    if look.pen or look.breaks:
        middle = _skeleton(mask)
    if look.pen:
        tip = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (look.pen, look.pen))
        mask = cv2.dilate(middle, tip)
    for _ in range(look.breaks):
        at = rng.choice(np.argwhere(middle))
        reach = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5)[tuple(at)] + 3
        angle = rng.uniform(0, np.pi)
        step = reach * np.array([np.cos(angle), np.sin(angle)])
        start, end = (np.rint(at[::-1] + sign * step).astype(int).tolist() for sign in (-1, 1))
        cv2.line(mask, start, end, 0, 3)
    rows, columns = np.nonzero(mask)
    mask = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return mask.astype(np.float32)


def _skeleton(mask: np.ndarray) -> np.ndarray:
    """Thin strokes from eight sides until they are a pixel wide."""
    side = np.array([[-1, -1, -1], [0, 1, 0], [1, 1, 1]])
    corner = np.array([[0, -1, -1], [1, 1, -1], [0, 1, 0]])
    kernels = [np.rot90(kernel, turn) for turn in range(4) for kernel in (side, corner)]
    skeleton, before = mask.copy(), None
    while before is None or (skeleton != before).any():
        before = skeleton.copy()
        for kernel in kernels:
            skeleton -= cv2.morphologyEx(skeleton, cv2.MORPH_HITMISS, kernel)
    return skeleton


def _printed(shape: tuple[int, int], look: Look, rng: np.random.Generator) -> np.ndarray:
    """Draw the lines of the paper, `float32` from 0 to 1."""
    lines = np.zeros(shape, np.float32)
    step = int(HEIGHT * (0.45 if look.squared else 0.85))
    start = int(rng.integers(step))
    if look.ruled or look.squared:
        for row in range(look.line_width):
            lines[start + row :: step] = 1
    if look.squared:
        for column in range(look.line_width):
            lines[:, start + column :: step] = 1
    return lines


def _smooth_noise(shape: tuple[int, int], spread: float, rng: np.random.Generator) -> np.ndarray:
    """Make clouds of about this many pixels, `float32` from 0 to 1."""
    noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), spread)
    return (0.5 + noise / (2.5 * noise.std())).clip(0, 1)


def _seen_from_aside(
    page: np.ndarray, boxes: np.ndarray, look: Look, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Tilt the page, and find the boxes around where its digits have come to."""
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    if not look.perspective and not look.tilt:
        return page, boxes
    moved = corners
    if look.perspective:
        moves = rng.uniform(-1, 1, (4, 2)) * look.perspective * min(height, width)
        moved = corners + moves.astype(np.float32)
    if look.tilt:
        angle = float(rng.choice([-1, 1])) * look.tilt
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.85)
        moved = cv2.transform(moved[None], turn)[0].astype(np.float32)
    mapping = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(
        page, mapping, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = boxes[:, [0, 2, 2, 0]], boxes[:, [1, 1, 3, 3]]
    there = cv2.perspectiveTransform(np.stack([x, y], axis=2), mapping)
    return seen, np.concatenate([there.min(axis=1), there.max(axis=1)], axis=1)


def _photographed(page: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Light the page, and take it with a camera."""
    height, width = page.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)
    light = 1 - look.slope * (along + 0.5).clip(0, 1)
    if look.shadow:
        angle = rng.uniform(0, 2 * np.pi)
        across = np.cos(angle) * (x - width / 2) + np.sin(angle) * (y - height / 2)
        light *= 1 - look.shadow / (1 + np.exp(-(across / rng.uniform(1, 8)).clip(-50, 50)))
    if look.corner:
        away = np.hypot(x - width * rng.integers(2), y - height * rng.integers(2)) / HEIGHT
        light *= 1 - look.corner / (1 + np.exp(8 * (away - 0.5)))
    seen = page * light[..., None]
    if look.glare:
        at = rng.uniform(0.2, 0.8, 2) * (width, height)
        lamp = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * HEIGHT**2))
        seen += look.glare * (1 - seen) * lamp[..., None].astype(np.float32)
    if look.blur:
        seen = cv2.GaussianBlur(seen, (0, 0), look.blur)
    seen = seen + rng.normal(0, look.noise, page.shape) if look.noise else seen
    pixels = np.rint(seen.clip(0, 1) * 255).astype(np.uint8)
    if look.quality:
        _, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, look.quality])
        pixels = cv2.imdecode(content, cv2.IMREAD_COLOR)  # the channels as they went in
    return pixels


LETTERS = "AEFHJKMNRTWXYaekmrwx"  # those that are not written as some digit is
FONTS = (cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX)


def no_digits(count: int, seed: int) -> dict[str, list[np.ndarray]]:
    """Render pages with a scribble or a letter, `uint8 (height, width, 3)`, by kind."""
    rng = np.random.default_rng(seed)
    kinds = {"scribbles": _scribble, "letters": _letter}
    return {name: [_with_ink(draw(rng), rng) for _ in range(count)] for name, draw in kinds.items()}


def _with_ink(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    page = np.full((*ink.shape, 3), PAPER.paper, np.float32)
    return _photographed(_painted(page, PAPER.ink, ink), PAPER, rng)


def _letter(rng: np.random.Generator) -> np.ndarray:
    ink = np.zeros((2 * HEIGHT, 2 * HEIGHT), np.uint8)
    letter, font = LETTERS[rng.integers(len(LETTERS))], FONTS[rng.integers(len(FONTS))]
    pen = int(rng.integers(3, 10))
    return cv2.putText(ink, letter, (40, 120), font, 3.5, 1, pen, cv2.LINE_AA)


def _scribble(rng: np.random.Generator) -> np.ndarray:
    ink = np.zeros((2 * HEIGHT, 2 * HEIGHT), np.uint8)
    ends = rng.uniform(0.2, 1.8, (int(rng.integers(6, 14)), 2)) * HEIGHT
    at = np.linspace(0, len(ends) - 1, 40 * len(ends))
    way = np.stack([np.interp(at, range(len(ends)), axis) for axis in ends.T], axis=1)
    smooth = cv2.GaussianBlur(way, (1, 61), 12, borderType=cv2.BORDER_REPLICATE)
    pen = int(rng.integers(3, 10))
    return cv2.polylines(ink, [np.rint(smooth).astype(np.int32)], False, 1, pen, cv2.LINE_AA)
