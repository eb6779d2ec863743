"""Writers whose digits MNIST, which is American, lacks: a long upstroke at the 1, a barred 7.

Each writer is random in slant, proportions and pen, and writes pages of strokes, as the page
sends those of a pen: for the story of docs/loop.md and its test.
"""

import numpy as np

from benchmarks.browser import curves, through
from digits.serving.strokes import EIGHTHS

# Points that a stroke passes, 100 the digit's height; a writer of this style writes them so.
CONTINENTAL = {
    "1": ["-24,82 10,44 46,0 44,48 42,100"],
    "4": ["58,0 34,8 8,40 10,56 36,56 68,50", "58,0 57,48 52,100"],
    "7": ["2,14 4,2 34,4 66,2 46,44 26,100", "8,56 38,50 66,50"],
    "9": ["62,18 36,2 12,22 28,46 60,24 58,70 30,100 -2,88"],
}
SIZE, STEP = 90, 125  # pixels: height of a digit, and from one to the next
PER_ROW = 10


class Writer:
    """A writer of this style.

    Attributes:
        session: the name of the visit.
    """

    def __init__(self, number: int) -> None:
        """Choose the writer's hand.

        Args:
            number: another number is another hand.
        """
        self._rng = np.random.default_rng([number, 7])
        self.session = f"writer-{number:05d}"
        self._slant = self._rng.normal(0.05, 0.12)
        self._width = self._rng.uniform(0.75, 1.1)
        self._pen = self._rng.uniform(7, 13)
        self._shake = self._rng.uniform(0.01, 0.03)

    def page(self, text: str) -> bytes:
        """Write digits in rows of ten, as the body of POST /strokes."""
        numbers: list[int] = []
        for place, digit in enumerate(text):
            row, column = divmod(place, PER_ROW)
            corner = np.array([40 + STEP * column, 30 + 1.5 * STEP * row])
            for points in self._strokes(digit):
                stroke = np.c_[corner + SIZE * points, np.full(len(points), self._pen)]
                whole = np.rint(EIGHTHS * stroke).astype(int)
                numbers += [len(whole), *whole.ravel().tolist()]
        return np.array(numbers, "<i2").tobytes()

    def _strokes(self, digit: str) -> list[np.ndarray]:
        """The strokes of a digit, `float64 (points, 2)` each, 1 its height."""
        rng = self._rng
        strokes = (
            [through(each) for each in CONTINENTAL[digit]]
            if digit in CONTINENTAL
            else curves(digit)
        )
        slant = self._slant + rng.normal(0, 0.04)
        stretch = np.array([self._width, 1]) * rng.uniform(0.9, 1.1, 2)
        made = []
        for points in strokes:
            # A slow wave along the stroke, as hands shake.
            wave = np.linspace(0, rng.uniform(1, 3) * np.pi, len(points))[:, None]
            moved = (
                points + self._shake * np.sin(wave + rng.uniform(0, 6, 2)) + rng.normal(0, 0.012, 2)
            )
            moved[:, 0] -= slant * (moved[:, 1] - 0.5)
            made.append(moved * stretch)
        return made
