"""The lines that were printed on the paper."""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.recognition.crops import stroke_widths

LONG = 0.5  # of the picture's extent; shorter segments are not looked at
THROUGH = 0.75  # least share of ink along a line that crosses the page, and in each of its ends
END = 0.04  # of a line's length; how long its end is
PARALLEL = 3  # lines that cross the page make a ruling; paler lines like them belong to it
ACROSS = 0.6  # least share of ink along a line of a ruling
TILT = 0.35  # rows a column, the steepest line that is looked for
MOST_LINES = 300  # segments that are looked at, which bounds the time
THIN = 0.035  # of the longer side, the thickest printed line; 0.02 missed lines in small crops
CROWDED = 0.2  # share of ink above which there is no ruling, and the search would take long
WIDE = 6  # least width of a frame's inside, in thicknesses of its line
RECTANGULAR = 0.93  # least share of the area of the smallest rectangle around; an ellipse has 0.79


def frames(mask: np.ndarray) -> np.ndarray:
    """Find ink that surrounds a rectangle, as the lines of a form do.

    Args:
        mask: `bool (height, width)`, where ink is.

    Returns:
        `bool` of that shape: the ink of the frames.
    """
    ink = mask.astype(np.uint8)
    contours, tree = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outsides = [] if tree is None else tree[0][:, 3]
    holes = [hole for hole, outside in zip(contours, outsides, strict=True) if outside >= 0]
    sides = [cv2.minAreaRect(hole)[1] for hole in holes]
    frames = [
        (hole, min(lengths))
        for hole, lengths in zip(holes, sides, strict=True)
        if cv2.contourArea(hole) > RECTANGULAR * np.prod(lengths)
    ]
    if not frames:
        return np.zeros_like(mask)
    _, labels = cv2.connectedComponents(ink, connectivity=8)
    strokes = stroke_widths(labels)
    found = np.zeros_like(ink)
    for hole, width in frames:
        x, y = hole[0, 0]
        stroke = strokes[labels[y, x]]
        if width > WIDE * stroke:
            cv2.drawContours(found, [hole], -1, 1, 2 * round(1.3 * stroke) + 3)
    return mask & (found > 0)


def lines(mask: np.ndarray) -> np.ndarray:
    """Find printed lines where nothing is written on them, `bool (height, width)`.

    A line goes from edge to edge, or is like several others that do: no stroke of a digit
    does. What crosses it and is thicker than it stays.

    Args:
        mask: `bool (height, width)`, ink and print, however faint.
    """
    return _horizontal(mask) | _horizontal(np.ascontiguousarray(mask.T)).T


def _horizontal(mask: np.ndarray) -> np.ndarray:
    """Find the lines that go more across than down."""
    height, width = mask.shape
    side = max(height, width)
    ink = mask.astype(np.uint8)
    if not _may_cross(np.asarray(mask.any(axis=0))):
        return np.zeros_like(mask)
    flat = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, 9), np.uint8))
    if flat.mean() > CROWDED:
        return np.zeros_like(mask)
    edge = flat - cv2.erode(flat, np.ones((3, 1), np.uint8))  # says as much, and is less
    segments = cv2.HoughLinesP(
        edge, 1, np.pi / 720, int(LONG * width / 2), None, LONG * width, 0.1 * width
    )
    if segments is None:
        return np.zeros_like(mask)
    lines = [_line(ink, segment) for segment in segments[:MOST_LINES, 0]]
    lines = [line for line in lines if line.slope < TILT and line.thickness < THIN * side]
    through = [line for line in lines if min(line.share, line.least_end) > THROUGH]
    if not through:
        return np.zeros_like(mask)
    thickness = int(np.median([line.thickness for line in through]))
    if _distinct(through, side) >= PARALLEL:
        through = [ln for ln in lines if ln.share > ACROSS and ln.thickness <= 1.5 * thickness]
    band = np.zeros_like(ink)
    for line in through:
        ends = (0, round(line.rows[0])), (width - 1, round(line.rows[-1]))
        cv2.line(band, *ends, 1, 2 * line.thickness + 3)
    upright = np.ones((round(1.5 * thickness) + 2, 1), np.uint8)
    return mask & (band > 0) & (cv2.morphologyEx(ink, cv2.MORPH_OPEN, upright) == 0)


def _may_cross(columns: np.ndarray) -> bool:
    """Decide by the columns with ink, `bool (width,)`, whether a line may cross the page."""
    end = _end(len(columns))
    return min(columns.mean(), columns[:end].mean(), columns[-end:].mean()) > THROUGH


def _end(width: int) -> int:
    """Return the length of a line's end, in pixels."""
    return max(2, round(END * width))


@dataclass(frozen=True)
class _Line:
    """A line through the picture.

    Attributes:
        rows: where it is in each column.
        slope: rows a column, absolute.
        share: of it that is ink.
        least_end: the same of its end with less ink.
        thickness: pixels.
    """

    rows: np.ndarray
    slope: float
    share: float
    least_end: float
    thickness: int


def _line(ink: np.ndarray, segment: np.ndarray) -> _Line:
    """Extend a segment, `int (4,)`, to both edges of the picture."""
    left, top, right, bottom = segment.astype(float)
    slope = (bottom - top) / max(right - left, 1e-9)
    columns = np.arange(ink.shape[1])
    rows = (top + slope * (columns - left)).clip(0, len(ink) - 1)
    reach = np.arange(-12, 13)[:, None]
    around = ink[(np.rint(rows).astype(int) + reach).clip(0, len(ink) - 1), columns].astype(bool)
    below = np.logical_and.accumulate(around[12:]).sum(axis=0)
    above = np.logical_and.accumulate(around[12::-1]).sum(axis=0)
    runs = (above + below - 1)[around[12]]
    there = around[10:15].any(axis=0)  # a line is not quite straight
    end = _end(len(there))
    if runs.size:  # from where it was found to its middle
        rows = rows + np.median((below - above)[around[12]]) / 2
    return _Line(
        rows,
        abs(slope),
        float(there.mean()),
        float(min(there[:end].mean(), there[-end:].mean())),
        int(np.median(runs)) if runs.size else 1,
    )


def _distinct(lines: list[_Line], side: int) -> int:
    """Count lines; one that was found twice counts once."""
    middle = np.sort([line.rows[len(line.rows) // 2] for line in lines])
    return int((np.diff(middle, prepend=-side) > 0.02 * side).sum())
