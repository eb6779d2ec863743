"""Where the ink is, on paper, a board or a screen, whatever the light."""

import cv2
import numpy as np

from digits.recognition import ruling
from digits.recognition.crops import scaled

GROUND_SHARE = 0.25  # of the picture's shorter side: broader is no stroke but part of the ground
AROUND = 0.5  # of the picture's edge: so much at least is what surrounds a sheet
APART = 0.35  # times as bright as a sheet, or the inverse, is what surrounds it: no shadow is,
ALL_AROUND = 0.9  # or along so much of the edge, as no shadow is, if it is
NEARLY = 0.8  # times as bright
PLAIN = 25  # of 255: what surrounds it differs no more from what is near, or may be written on
GROUND_SIDE = 128  # pixels of the longer side, enough for the ground, which is smooth
STEPS = 4  # times: a small disc so often is nearly the large one, and quicker
SAMPLE_SIDE = 400  # pixels of the longer side, enough to count by
DARKEST = 0.05  # of white: a ground is taken to be no darker
LEVEL_SHARE = 0.125  # of the longer side: within it the ink is as dark as elsewhere
LEAST_CONTRAST = 0.08  # of the ground's brightness; pencil has 0.2 and more
NOISE_FACTOR = 5.0  # times the spread of the ground
FAINTEST = 0.8  # of the strongest ink: what is below `EDGE` of this is print or a shadow
EDGE = 0.5  # of the ink around it: where a stroke ends


def find(picture: np.ndarray) -> np.ndarray:
    """Where ink is, without the lines that were printed on the paper.

    Args:
        picture: `uint8 (height, width, 3)`, light on dark or dark on light, any colours.

    Returns:
        `bool (height, width)`.
    """
    darkness = contrast(_without_surroundings(picture))
    sample = _sample(darkness)
    centre = np.median(sample)
    spread = 1.4826 * float(np.median(np.abs(sample - centre)))  # were it Gaussian
    darkness -= centre
    is_marked = darkness > max(LEAST_CONTRAST, NOISE_FACTOR * spread)
    if not is_marked.any():
        return is_marked
    strongest = float(np.percentile(darkness[is_marked], 97))
    level = np.maximum(_around(darkness.clip(0, strongest)), FAINTEST * strongest)
    mask = is_marked & (darkness > EDGE * level)
    printed = ruling.frames(mask) | ruling.lines(is_marked)
    written = mask & ~printed
    return written if written.any() else mask


def _without_surroundings(picture: np.ndarray) -> np.ndarray:
    """With what lies around a sheet, such as a scan's black border, painted as the sheet is.

    It is darker or lighter than the sheet, smaller, along the most of the picture's edge,
    and plain: nothing that is written gets lost.
    """
    grey = cv2.cvtColor(_shrunk(_sample(picture), GROUND_SIDE), cv2.COLOR_RGB2GRAY)
    threshold, _ = cv2.threshold(grey, 0, 1, cv2.THRESH_OTSU)
    is_other = (grey > threshold) != (np.median(grey) > threshold)
    edge = np.ones(grey.shape, bool)
    edge[1:-1, 1:-1] = False
    along = is_other[edge].mean()
    if along < AROUND:
        return picture
    _, labels = cv2.connectedComponents(is_other.astype(np.uint8))
    numbers = np.unique(labels[edge])
    around = np.isin(labels, numbers[numbers > 0]).astype(np.uint8)
    inner = cv2.erode(around, _disc(5), borderValue=1) > 0
    darker, lighter = sorted([np.median(grey[is_other]), np.median(grey[~is_other])])
    differences = cv2.absdiff(grey, cv2.medianBlur(grey, 15))[inner]
    apart = NEARLY if along > ALL_AROUND else APART
    if darker > apart * lighter or not inner.any() or np.percentile(differences, 99.9) > PLAIN:
        return picture
    outer = _stretched(cv2.dilate(around, _disc(5)), picture.shape) > 0
    painted = picture.copy()
    painted[outer] = np.median(_sample(picture)[~_sample(outer)], axis=0)
    return painted


def contrast(picture: np.ndarray) -> np.ndarray:
    """How much light the ink takes away, or gives on a dark ground, of what its ground has.

    Returns:
        `float32 (height, width)`, 0 the ground, 1 black on white.
    """
    small, values = _shrunk(picture, GROUND_SIDE), picture
    if _is_dark(small):
        small, values = ~small, ~values
    ground = _ground(small)
    least = ground.clip(255 * DARKEST)
    sample = _sample(values)
    there, least_there = (_stretched(each, sample.shape) for each in (ground, least))
    missing = (there - sample) / least_there
    # Seen along the ink's colour, that is, what differs most from the ground.
    amount = np.linalg.norm(missing, axis=2)
    colour = missing[amount >= np.percentile(amount, 99)].sum(axis=0).clip(1e-6)
    weights = colour / (np.linalg.norm(colour) * np.sqrt(3)) / least
    light = cv2.multiply(values, _stretched(weights, values.shape), dtype=cv2.CV_32F)
    light = cv2.transform(light, np.ones((1, 3), np.float32))  # the sum of the channels
    return _stretched((ground * weights).sum(axis=2), values.shape) - light


def _around(darkness: np.ndarray) -> np.ndarray:
    """The darkest near each place, `float32` of that shape."""
    # Thin strokes keep their darkness: of each block the darkest pixel.
    block = max(1, round(max(darkness.shape) / GROUND_SIDE)) | 1
    darkest = cv2.dilate(darkness, np.ones((block, block)))
    small = _shrunk(darkest, GROUND_SIDE, cv2.INTER_NEAREST)
    reach = int(max(small.shape) * LEVEL_SHARE) | 1
    darkest = cv2.dilate(small, _disc(round(reach / STEPS)), iterations=STEPS)
    small = cv2.blur(darkest, (reach, reach))
    return _stretched(small, darkness.shape)


def _is_dark(picture: np.ndarray) -> bool:
    """Whether the ground is darker than the ink: the median hides in the ground."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    window = int(0.75 * min(grey.shape)) | 1
    residue = grey.astype(np.float64) - cv2.medianBlur(grey, max(3, window))
    return bool((residue**3).sum() > 0)


def _ground(picture: np.ndarray) -> np.ndarray:
    """The brightness of the ground under the ink, of each channel, `float32` of that shape."""
    small = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1)
    reach = int(min(small.shape[:2]) * GROUND_SHARE) | 1
    # The light goes on as it came: an odd reflection continues a slope.
    beyond = [(reach, reach), (reach, reach), (0, 0)]
    padded = np.pad(small, beyond, mode="reflect", reflect_type="odd")
    sixteenths = np.rint(16 * padded).astype(np.int16)  # in half the time
    tip = _disc(round(reach / STEPS))
    closed = cv2.morphologyEx(sixteenths, cv2.MORPH_CLOSE, tip, iterations=STEPS)
    return closed[reach:-reach, reach:-reach].astype(np.float32) / 16


def _sample(image: np.ndarray) -> np.ndarray:
    """Every so many pixels of a large one."""
    step = -(-max(image.shape[:2]) // SAMPLE_SIDE)
    return image[::step, ::step]


def _stretched(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """To the height and width of this shape."""
    return cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _shrunk(image: np.ndarray, side: int, interpolation: int = cv2.INTER_AREA) -> np.ndarray:
    """No longer than this, in pixels."""
    return scaled(image, min(1.0, side / max(image.shape[:2])), interpolation)


def _disc(diameter: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(3, diameter | 1),) * 2)
