"""Fractal clouds, as fog and as drops."""

import math

import numpy as np


def draw_clouds(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw fractal clouds from 0 to 1, `float64` of this shape.

    A height map of 256 x 256, or more for larger images, by the diamond-square algorithm of
    Fournier, Fussell and Carpenter, 1982; its roughness falls by 1.4 squared from scale to
    scale. As many images as fit side by side share a map.
    """
    count, height, width = shape
    side = max(256, 2 ** math.ceil(math.log2(max(height, width))))
    rows, columns = side // height, side // width
    heights = np.zeros((-(-count // (rows * columns)), side, side))

    def average(total: np.ndarray, roughness: float) -> np.ndarray:
        return total / 4 + rng.uniform(-roughness, roughness, total.shape)

    step, roughness = side, 100.0**2
    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=1)
        squares = average(pairs + np.roll(pairs, -1, axis=2), roughness)
        heights[:, half::step, half::step] = squares
        for axis, place in ((1, np.s_[:, ::step, half::step]), (2, np.s_[:, half::step, ::step])):
            across = squares + np.roll(squares, 1, axis=axis)
            along = corners + np.roll(corners, -1, axis=3 - axis)
            heights[place] = average(across + along, roughness)
        step, roughness = half, roughness / 1.4**2
    heights -= heights.min(axis=(1, 2), keepdims=True)
    heights /= heights.max(axis=(1, 2), keepdims=True)
    tiles = heights[:, : rows * height, : columns * width]
    tiles = tiles.reshape(-1, rows, height, columns, width).swapaxes(2, 3)
    return tiles.reshape(-1, height, width)[:count]
