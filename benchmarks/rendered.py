"""Pictures of handwriting made from the images of a data set, so that every answer is known.

Digits are written onto a page, in one of the ways of `WAYS`: what pens, paper, light and
cameras do. Each picture is random in the rest, and the same for the same seed.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

HEIGHT = 80  # pixels of a digit's box on the page, on average


@dataclass(frozen=True)
class Look:
    """How a page is written and taken; a colour is red, green and blue from 0 to 1.

    Attributes:
        rows: digits of each.
        gap: between digits, share of `HEIGHT`; negative: they touch.
        margin: pixels around the rows.
        pen: width of the strokes in pixels; 0: as the digit was written.
        breaks: gaps in the strokes of each digit, as of a worn pen.
        specks: small dots on the page.
        ruled, squared: printed lines, with their own colour.
        framed: boxes, as a form has for each digit.
        slope: of the light, share lost from side to side.
        shadow: share of the light that an edge across the page takes away.
        perspective: share of the page by which the corners are moved.
        blur: spread in pixels.
        noise: spread, of white.
        quality: of the JPEG it has been; 0: it never was.
    """

    rows: tuple[int, ...] = (4,)
    ink: tuple[float, float, float] = (0.12, 0.12, 0.16)
    paper: tuple[float, float, float] = (0.96, 0.95, 0.92)
    gap: float = 0.35
    margin: int = 60
    pen: int = 0
    breaks: int = 0
    specks: int = 0
    ruled: bool = False
    squared: bool = False
    framed: bool = False
    lines: tuple[float, float, float] = (0.62, 0.72, 0.85)
    slope: float = 0.0
    shadow: float = 0.0
    perspective: float = 0.0
    blur: float = 0.7
    noise: float = 0.008
    quality: int = 0


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


PAPER = Look(slope=0.25, noise=0.015, blur=1.0, quality=85)  # what a camera makes of any page
WAYS: dict[str, Look] = {
    "screen": Look(ink=(0, 0, 0), paper=(1, 1, 1), blur=0, noise=0),
    "dark screen": Look(ink=(1, 1, 1), paper=(0, 0, 0), blur=0, noise=0),
    "board": replace(PAPER, ink=(0.9, 0.9, 0.88), paper=(0.16, 0.24, 0.2)),
    "paper": PAPER,
    "blue pen": replace(PAPER, ink=(0.2, 0.25, 0.65)),
    "red pen": replace(PAPER, ink=(0.8, 0.15, 0.15)),
    "pencil": replace(PAPER, ink=(0.55, 0.55, 0.55), noise=0.025),
    "thin": replace(PAPER, pen=2),
    "thick": replace(PAPER, pen=15),
    "broken": replace(PAPER, breaks=2),
    "specks": replace(PAPER, specks=30),
    "steep light": replace(PAPER, slope=0.65),
    "shadow": replace(PAPER, shadow=0.45),
    "ruled": replace(PAPER, ruled=True),
    "squared": replace(PAPER, squared=True),
    "square": replace(PAPER, rows=(1,), squared=True, margin=10, lines=(0.55, 0.55, 0.55)),
    "dark ruling": replace(PAPER, ruled=True, lines=(0.2, 0.2, 0.25)),
    "form": replace(PAPER, framed=True, lines=(0.3, 0.3, 0.3), gap=0.6),
    "blurred": replace(PAPER, blur=3.0),
    "noisy": replace(PAPER, noise=0.08),
    "perspective": replace(PAPER, perspective=0.12),
    "rows": replace(PAPER, rows=(5, 3, 6), perspective=0.03),
    "touching": replace(PAPER, gap=-0.04),
    "one": replace(PAPER, rows=(1,), shadow=0.3),
}


def pictures(
    images: np.ndarray, labels: np.ndarray, look: Look, count: int, seed: int
) -> list[Picture]:
    """Pages of digits drawn at random.

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
    """One page, the digits as they come."""
    strokes = [_stroke(image, look, rng) for image in images]
    ends = np.cumsum(look.rows)[:-1]
    rows = np.split(np.arange(len(strokes)), ends)
    widest = max(sum(strokes[i].shape[1] + HEIGHT for i in row) for row in rows)
    ink = np.zeros(
        (int(len(rows) * 1.7 * HEIGHT) + 2 * look.margin, widest + 2 * look.margin), np.float32
    )
    lines = _printed(ink.shape, look, rng)
    boxes = np.zeros((len(strokes), 4))
    for number, row in enumerate(rows):
        left = look.margin + rng.uniform(0, 0.5) * HEIGHT
        for i in row:
            high, wide = strokes[i].shape
            top = look.margin + (1.7 * number + 0.3) * HEIGHT + rng.uniform(-0.1, 0.1) * HEIGHT
            x, y = int(left), int(top + (HEIGHT - high) / 2)
            here = ink[y : y + high, x : x + wide]
            np.maximum(here, strokes[i], out=here)
            boxes[i] = x, y, x + wide, y + high
            if look.framed:
                frame = (x - HEIGHT // 4, y - HEIGHT // 4), (x + wide + 20, y + high + 20)
                cv2.rectangle(lines, *frame, 1, 2, cv2.LINE_AA)
            left += wide + (look.gap + rng.uniform(0, 0.1)) * HEIGHT
    for _ in range(look.specks):
        at = rng.integers(0, ink.shape[::-1])
        cv2.circle(ink, at.tolist(), int(rng.integers(1, 4)), 1, -1, cv2.LINE_AA)
    page = _painted(np.full((*ink.shape, 3), look.paper, np.float32), look.lines, lines)
    page = _painted(page, look.ink, ink)
    page, boxes = _seen_from_aside(page, boxes, look, rng)
    pixels = _photographed(page, look, rng)
    label = "|".join("".join(str(labels[i]) for i in row) for row in rows)
    return Picture(pixels, label, boxes)


def _painted(page: np.ndarray, colour: tuple[float, float, float], where: np.ndarray) -> np.ndarray:
    return page + (np.array(colour, np.float32) - page) * where[..., None]


def _stroke(image: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """A digit as ink, `float32 (height, width)` from 0 to 1, cut to its box."""
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
    """The middle of the strokes, a pixel wide: what thinning from eight sides leaves."""
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
    """The lines of the paper, `float32` from 0 to 1."""
    lines = np.zeros(shape, np.float32)
    step = int(HEIGHT * (0.45 if look.squared else 0.85))
    start = int(rng.integers(step))
    if look.ruled or look.squared:
        lines[start::step] = lines[start + 1 :: step] = 1
    if look.squared:
        lines[:, start::step] = lines[:, start + 1 :: step] = 1
    return lines


def _seen_from_aside(
    page: np.ndarray, boxes: np.ndarray, look: Look, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The page in perspective, and the boxes around where its digits have come to."""
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    if not look.perspective:
        return page, boxes
    moved = corners + (rng.uniform(-1, 1, (4, 2)) * look.perspective * min(height, width)).astype(
        np.float32
    )
    mapping = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(
        page, mapping, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = boxes[:, [0, 2, 2, 0]], boxes[:, [1, 1, 3, 3]]
    there = cv2.perspectiveTransform(np.stack([x, y], axis=2), mapping)
    return seen, np.concatenate([there.min(axis=1), there.max(axis=1)], axis=1)


def _photographed(page: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """The page under its light, through its camera."""
    height, width = page.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)
    light = 1 - look.slope * (along + 0.5).clip(0, 1)
    if look.shadow:
        angle = rng.uniform(0, 2 * np.pi)
        across = np.cos(angle) * (x - width / 2) + np.sin(angle) * (y - height / 2)
        light *= 1 - look.shadow / (1 + np.exp(-(across / rng.uniform(1, 8)).clip(-50, 50)))
    seen = page * light[..., None]
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
    """Pages, `uint8 (height, width, 3)`, of each kind so many, with a scribble or a letter."""
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
