"""Where the page is in a picture that shows more: a screenshot with bars, a note on a desk."""

import cv2
import numpy as np

from digits.recognition.boxes import Box
from digits.recognition.samples import sampled, shrunk, spread

SIDE = 128  # pixels of the longer side at which the page is looked for
AROUND = 0.5  # least share of the picture's edge along which its surroundings are
EVEN = 6  # grey levels, and three times their spread, by which plain surroundings differ
PLAIN = 25  # grey levels by which they differ at most; what is written differs more
RECTANGULAR = 0.9  # of its turned box; a page covers more, a round digit less
FILLED = 0.85  # of its outline; of an empty frame less differs from what is around
LONG = 3.0  # times longer than wide; a page is shorter, a 1 is not


def find(picture: np.ndarray) -> Box:
    """Find the page, or the whole picture if no part of it surely is the page.

    Around a page all is plain, so that nothing is lost with it; and it is a rectangle on which
    something is written, as no digit is.

    Args:
        picture: `uint8 (height, width, 3)`.
    """
    height, width = picture.shape[:2]
    whole = Box(0, 0, width, height)
    small = shrunk(sampled(picture, 2 * SIDE), SIDE)
    edge = np.ones(small.shape[:2], bool)
    edge[1:-1, 1:-1] = False
    around = np.full_like(small, np.median(small[edge], axis=0))
    difference = np.maximum.reduce(cv2.split(cv2.absdiff(small, around)))
    differs = (difference > min(EVEN + 3 * spread(difference[edge]), PLAIN)).astype(np.uint8)
    outlines, _ = cv2.findContours(differs, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines or differs[edge].mean() > 1 - AROUND:
        return whole
    outline = max(outlines, key=cv2.contourArea)
    if not _is_page(outline, differs, small):
        return whole
    # What is half page, half surroundings is left out.
    box = Box(*cv2.boundingRect(outline))
    left, top = box.left + (box.left > 0), box.top + (box.top > 0)
    right = box.right - (box.right < small.shape[1])
    bottom = box.bottom - (box.bottom < small.shape[0])
    inner = Box(left, top, right - left, bottom - top)
    return inner.scaled(height / small.shape[0], width / small.shape[1])


def _is_page(outline: np.ndarray, differs: np.ndarray, picture: np.ndarray) -> bool:
    """Decide whether an outline is that of a page with something written on it.

    Args:
        outline: `int (N, 1, 2)`, of OpenCV.
        differs: `uint8 (height, width)`, 1 what differs from the surroundings.
        picture: of that height and width.
    """
    page = cv2.drawContours(np.zeros_like(differs), [outline], -1, 1, cv2.FILLED)
    _, sides, _ = cv2.minAreaRect(outline)
    short, long = sorted(side + 1 for side in sides)
    near = np.ones((5, 5), np.uint8)
    inside = cv2.erode(page, near, borderValue=1) > 0
    outside = cv2.dilate(page, near) == 0
    return bool(
        page.sum() > RECTANGULAR * short * long
        and differs[page > 0].mean() > FILLED
        and long < LONG * short
        and not differs[outside].any()
        and inside.any()
        and np.ptp(picture[inside], axis=0).max() > PLAIN
    )
