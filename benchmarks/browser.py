"""A browser on this machine, and a hand that writes digits on the page: for tests, too."""

import shutil

import numpy as np
from playwright.sync_api import Page
from scipy.interpolate import make_interp_spline

# The first is Chromium without windows and tabs: it shows the same pages for half of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")

# Of each stroke some points on its way, from its left and its top, in hundredths of the height.
STROKES = {
    "0": ["35,0 15,12 3,35 0,60 8,85 28,100 50,95 63,75 67,50 63,22 50,5 35,0"],
    "1": ["15,0 13,30 10,65 8,100"],
    "2": ["3,25 10,8 28,0 50,5 58,22 52,45 35,68 15,88 0,100 25,96 45,97 65,100"],
    "3": ["5,10 25,0 48,6 53,22 42,38 22,46 42,50 57,64 55,84 38,97 15,100 0,92"],
    "4": [
        "12,0 8,25 2,50 0,58 25,57 60,53",
        "50,0 48,35 45,70 43,100",
    ],
    "5": [
        "12,0 10,22 7,43 28,40 50,50 57,70 48,90 28,100 0,94",
        "12,0 35,2 60,0",
    ],
    "6": ["48,0 28,15 10,40 0,68 8,90 28,100 48,93 55,76 45,60 25,58 7,72"],
    "7": ["0,5 25,3 60,0 50,22 38,50 27,78 20,100"],
    "8": ["52,10 30,0 10,8 8,25 25,40 45,55 55,75 47,93 27,100 8,92 5,74 20,56 42,38 54,22 52,10"],
    "9": ["50,15 35,0 12,6 0,25 8,42 28,45 46,32 52,14 50,40 45,70 40,100"],
}


def curves(digit: str, points: int = 25) -> list[np.ndarray]:
    """Return the strokes of a digit: curves, `float64 (points, 2)` each, 1 the digit's height."""
    return [through(stroke, points) for stroke in STROKES[digit]]


def through(stroke: str, points: int = 25) -> np.ndarray:
    """Return a curve through points such as "0,50 20,0", `float64 (points, 2)`, 100 being 1."""
    passed = np.array([[float(number) for number in pair.split(",")] for pair in stroke.split()])
    # By the root of the distance, which keeps a spline from swinging out.
    steps = np.sqrt(np.linalg.norm(np.diff(passed, axis=0), axis=1))
    times = np.concatenate([[0], np.cumsum(steps)])
    curve = make_interp_spline(times, passed / 100, k=min(3, len(passed) - 1))
    return curve(np.linspace(0, times[-1], points))


def write(
    page: Page,
    text: str,
    left: float,
    top: float,
    size: float,
    pause: float = 0,
    points: int = 25,
) -> None:
    """Write digits side by side with the mouse, and lift it after each stroke.

    Args:
        left, top: of the first, on the paper, pixels.
        size: height of each, pixels.
        pause: milliseconds between two moves.
        points: of each stroke.
    """
    paper = page.locator("#paper").bounding_box()
    assert paper
    for index, digit in enumerate(text):
        corner = paper["x"] + left + 1.15 * size * index, paper["y"] + top
        for curve in curves(digit, points):
            first, *others = (corner + size * curve).tolist()
            page.mouse.move(*first)
            page.mouse.down()
            for point in others:
                page.wait_for_timeout(pause)
                page.mouse.move(*point)
            page.mouse.up()
