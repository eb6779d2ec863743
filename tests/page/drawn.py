"""Numbers that a hand writes: no two alike, some whose digits touch."""

import numpy as np

from benchmarks import browser

EIGHTH = 1 / 8


def number(text: str, rng: np.random.Generator, pitch: float = 1.1) -> list[np.ndarray]:
    """The strokes of a number, `float64 (points, 3)` each, in pixels and multiples of 1/8.

    Args:
        pitch: from digit to digit, in widths of a digit; below 1 they may touch.
    """
    size, pen = rng.uniform(60, 300), rng.uniform(4, 16)
    strokes, left = [], 40.0
    for digit in text:
        shape = np.array([[1, 0], [rng.uniform(-0.3, 0.2), 1]]) * rng.uniform(0.85, 1.15, 2)
        turn = rng.normal(0, 0.08)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        curves = [curve @ shape @ rotation * size for curve in browser.curves(digit)]
        curves = [curve + rng.normal(0, size * 0.006, curve.shape) for curve in curves]
        corner = np.min(np.concatenate(curves), axis=0)
        for curve in curves:
            points = curve - [corner[0], 0] + [left, 60 + rng.normal(0, size * 0.02)]
            width = np.full((len(points), 1), pen) * rng.uniform(0.9, 1.1, (len(points), 1))
            stroke = np.concatenate([points, width], axis=1)
            strokes.append(np.round(stroke / EIGHTH) * EIGHTH)
        widest = max(curve[:, 0].max() for curve in curves) - corner[0]
        left += pitch * (widest + pen) + (0.05 * size if pitch >= 1 else 0)
    return strokes


def numbers(count: int, seed: int = 0) -> list[tuple[str, list[np.ndarray]]]:
    """Numbers of one to five digits and their strokes.

    The digits of every fifth may touch; every seventh has a dot above it, as an i.
    """
    rng = np.random.default_rng(seed)
    several = []
    for index in range(count):
        text = "".join(map(str, rng.integers(0, 10, rng.integers(1, 6))))
        strokes = number(text, rng, 0.92 if index % 5 == 4 else 1.1)
        if index % 7 == 6:
            x, y, width = strokes[0][strokes[0][:, 1].argmin()]
            strokes.append(np.array([[x, y - 4 * np.round(width), width]]))
        several.append((text, strokes))
    return several
