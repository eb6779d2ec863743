"""Where the ink is, on paper, a board or a screen, whatever the light."""

import cv2
import numpy as np

from digits.recognition import ruling
from digits.recognition.samples import sampled, shrunk, spread

GROUND_SHARE = 0.25  # of the shorter side; anything broader is part of the ground, not a stroke
AROUND = 0.5  # least share of the picture's edge that a sheet's surroundings cover
APART = 0.35  # brightness ratio of surroundings and sheet; shadows differ less
ALL_AROUND = 0.9  # share of the edge that no shadow covers, so that `NEARLY` holds instead
NEARLY = 0.8  # brightness ratio that is enough if the surroundings are all around
PLAIN = 25  # grey levels by which surroundings may vary; more may be writing
GROUND_SIDE = 128  # pixels of the longer side at which the ground, being smooth, is estimated
STEPS = 4  # small discs in turn act nearly as one large disc, and are quicker
SAMPLE_SIDE = 400  # pixels of the longer side of the sample on which statistics are made
DARKEST = 0.05  # least brightness of a ground, share of white, because it is divided by
LEVEL_SHARE = 0.125  # of the longer side; within it the strength of the ink is compared
LEAST_CONTRAST = 0.08  # of the ground's brightness; pencil has 0.2 and more
QUIET = 0.03  # of the ground's brightness; stronger noise is smoothed
NEIGHBOURS = 20_000  # pixels compared with the next one, from which the noise is estimated
NOISE_FACTOR = 5.0  # ink differs from the ground by so many standard deviations of its noise
FAINTEST = 0.8  # of the strongest ink; a region's ink is compared with no less than this
EDGE = 0.5  # of the strongest ink nearby; strong ink is at least as dark
PALE = 0.3  # of the ink within a stroke's width; pale ink beside strong ink is darker
STROKE_SHARE = 0.02  # of the longer side; about the width of a stroke
NONE = 65535  # above the number of any piece of ink


def find(picture: np.ndarray) -> np.ndarray:
    """Find where ink is, without the lines that were printed on the paper.

    Args:
        picture: `uint8 (height, width, 3)`, light on dark or dark on light, any colours.

    Returns:
        `bool (height, width)`.
    """
    side = round(STROKE_SHARE * max(picture.shape)) | 1
    darkness = _without_noise(contrast(_without_surroundings(picture)), side)
    sample = sampled(darkness, SAMPLE_SIDE)
    centre = np.median(sample)
    noise = spread(sample - centre)
    darkness -= centre
    is_marked = darkness > max(LEAST_CONTRAST, NOISE_FACTOR * noise)
    if not is_marked.any():
        return is_marked
    strongest = float(np.percentile(darkness[is_marked], 97))
    level = np.maximum(_around(darkness.clip(0, strongest)), FAINTEST * strongest)
    strong = is_marked & (darkness > EDGE * level)
    levels = cv2.convertScaleAbs(darkness.clip(0, 1), alpha=255)  # bytes are quicker
    pale = is_marked & (levels > PALE * cv2.dilate(levels, _square(side)))
    mask = _with_pale_ends(strong, pale, side)
    printed = ruling.frames(mask) | ruling.lines(is_marked)
    written = mask & ~printed
    if not written.any():
        return mask
    beside_lines = cv2.dilate(printed.astype(np.uint8), _square(2 * side + 1)) > 0
    return _with_pale_links(written, pale & ~beside_lines, side)


def _with_pale_ends(strong: np.ndarray, pale: np.ndarray, side: int) -> np.ndarray:
    """Add to strong ink the paler ink that hangs on it: a stroke where the pen was light.

    Pale ink that reaches the picture's edge is left out: a ruled line hangs on digits too.

    Args:
        strong: `bool (height, width)`, ink as dark as what is around it.
        pale: `bool` of that shape, paler ink, and perhaps strong ink.
        side: pixels; about the width of a stroke.
    """
    _, labels = cv2.connectedComponents((pale & ~strong).astype(np.uint8), connectivity=8)
    beside = cv2.dilate(strong.astype(np.uint8), _square(3)) > 0
    is_kept = np.zeros(labels.max() + 1, bool)
    is_kept[labels[beside]] = True
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        is_kept[edge] = False
    is_kept[0] = False
    hanging = is_kept[labels]
    # The soft edge of strong ink is pale as well, but no stroke of its own.
    distance = cv2.distanceTransform((~strong).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    stroke = (hanging & (distance > side)).astype(np.uint8)
    return strong | (hanging & (cv2.dilate(stroke, _square(2 * side + 1)) > 0))


def _with_pale_links(strong: np.ndarray, pale: np.ndarray, side: int) -> np.ndarray:
    """Add to pieces of strong ink the paler ink that leads from one to another one nearby.

    Args:
        strong, pale: `bool (height, width)`, as for `_with_pale_ends`.
        side: pixels; between pieces farther from each other nothing is added.
    """
    # Digits that all but touch have no more between them than their soft edges.
    beyond = pale & (cv2.dilate(strong.astype(np.uint8), _square(3)) == 0)
    if not beyond.any():
        return strong
    _, numbers = cv2.connectedComponents(strong.astype(np.uint8), connectivity=8)
    # Where the highest and the lowest number nearby differ there are two pieces of ink.
    high = numbers.clip(0, NONE - 1).astype(np.uint16)
    low = np.where(strong, high, np.uint16(NONE))
    is_near_two = cv2.dilate(high, _square(2 * side + 1)) > cv2.erode(low, _square(2 * side + 1))
    between = pale & ~strong & is_near_two
    count, links = cv2.connectedComponents(between.astype(np.uint8), connectivity=8)
    here, highest, lowest = links[between], np.zeros(count), np.full(count, NONE)
    np.maximum.at(highest, here, cv2.dilate(high, _square(3))[between])
    np.minimum.at(lowest, here, cv2.erode(low, _square(3))[between])
    is_long = np.zeros(count, bool)
    is_long[links[between & beyond]] = True
    return strong | (is_long & (highest > lowest))[links]


def _without_surroundings(picture: np.ndarray) -> np.ndarray:
    """Paint what lies around a sheet, such as a scan's black border, in the sheet's colour.

    It is darker or lighter than the sheet, smaller, along the most of the picture's edge,
    and plain: nothing that is written gets lost.
    """
    grey = cv2.cvtColor(shrunk(sampled(picture, SAMPLE_SIDE), GROUND_SIDE), cv2.COLOR_RGB2GRAY)
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
    painted[outer] = np.median(sampled(picture, SAMPLE_SIDE)[~sampled(outer, SAMPLE_SIDE)], axis=0)
    return painted


def contrast(picture: np.ndarray) -> np.ndarray:
    """Measure the ink's contrast: the share of its ground's light that it takes away or adds.

    Returns:
        `float32 (height, width)`, 0 the ground, 1 black on white.
    """
    small, values = shrunk(picture, GROUND_SIDE), picture
    if _is_dark(small):
        small, values = ~small, ~values
    ground = _ground(small)
    least = ground.clip(255 * DARKEST)
    sample = sampled(values, SAMPLE_SIDE)
    there, least_there = (_stretched(each, sample.shape) for each in (ground, least))
    missing = (there - sample) / least_there
    # Seen along the ink's colour, that is, what differs most from the ground.
    amount = np.linalg.norm(missing, axis=2)
    colour = missing[amount >= np.percentile(amount, 99)].sum(axis=0).clip(1e-6)
    weights = colour / (np.linalg.norm(colour) * np.sqrt(3)) / least
    light = cv2.multiply(values, _stretched(weights, values.shape), dtype=cv2.CV_32F)
    light = cv2.transform(light, np.ones((1, 3), np.float32))  # the sum of the channels
    return _stretched((ground * weights).sum(axis=2), values.shape) - light


def _without_noise(darkness: np.ndarray, side: int) -> np.ndarray:
    """Smooth what a camera adds in dim light, where it would drown the ink.

    Args:
        darkness: `float32 (height, width)`, as `contrast` gives it.
        side: pixels; about the width of a stroke, which bounds what is smoothed.
    """
    values = darkness.ravel()
    step = values.size // NEIGHBOURS + 1
    noise = spread(values[1::step] - values[:-1:step]) / np.sqrt(2)
    # A Gaussian as wide leaves QUIET of white noise.
    width = min(noise / QUIET / (2 * np.sqrt(np.pi)), side / 4)
    return cv2.GaussianBlur(darkness, (0, 0), width) if width > 0.5 else darkness


def _around(darkness: np.ndarray) -> np.ndarray:
    """Find the strongest ink near each pixel, `float32` of that shape."""
    # Thin strokes keep their darkness: of each block the darkest pixel.
    block = max(1, round(max(darkness.shape) / GROUND_SIDE)) | 1
    darkest = cv2.dilate(darkness, _square(block))
    small = shrunk(darkest, GROUND_SIDE, cv2.INTER_NEAREST)
    reach = int(max(small.shape) * LEVEL_SHARE) | 1
    darkest = cv2.dilate(small, _disc(round(reach / STEPS)), iterations=STEPS)
    small = cv2.blur(darkest, (reach, reach))
    return _stretched(small, darkness.shape)


def _is_dark(picture: np.ndarray) -> bool:
    """Decide whether the ground is darker than the ink: the median is the ground's.

    What counts is where the picture is steep, as at the ink's edge; a lamp's reflection is not.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    window = int(0.75 * min(grey.shape)) | 1
    residue = grey.astype(np.float64) - cv2.medianBlur(grey, max(3, window))
    steepness = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, _square(3)).astype(np.float64)
    return bool((residue * steepness**3).sum() > 0)


def _ground(picture: np.ndarray) -> np.ndarray:
    """Estimate the ground's brightness under the ink, by channel, `float32` of that shape."""
    small = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1)
    reach = int(min(small.shape[:2]) * GROUND_SHARE) | 1
    # The light goes on as it came: an odd reflection continues a slope.
    beyond = [(reach, reach), (reach, reach), (0, 0)]
    padded = np.pad(small, beyond, mode="reflect", reflect_type="odd")
    sixteenths = np.rint(16 * padded).astype(np.int16)  # in half the time
    tip = _disc(round(reach / STEPS))
    closed = cv2.morphologyEx(sixteenths, cv2.MORPH_CLOSE, tip, iterations=STEPS)
    return closed[reach:-reach, reach:-reach].astype(np.float32) / 16


def _stretched(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resize an image to the height and width of this shape."""
    return cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _square(side: int) -> np.ndarray:
    return np.ones((side, side), np.uint8)


def _disc(diameter: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(3, diameter | 1),) * 2)
