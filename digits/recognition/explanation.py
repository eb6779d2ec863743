"""The picture of how a picture was read: from the source to what the first layer sees."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digits.inference.model import Model
from digits.recognition.answers import Answer
from digits.recognition.digitizing import Sheet
from digits.rendering import figures

MOST_DIGITS = 16  # shown one by one: more would be too small
MAPS = 4  # of the first layer, those that vary most
WIDTH = 10.0  # inches
MARGINS = {"left": 0.02, "right": 0.98, "bottom": 0.02, "top": 0.88, "wspace": 0.04}
CELL = WIDTH / (MOST_DIGITS + 3)  # inches, for a small image


def draw(sheet: Sheet, answers: Sequence[Answer], model: Model, path: Path) -> None:
    """Draw the source, its ink, each digit as the model takes it, and the first layer's maps.

    Args:
        sheet: from `digitizing.examine`.
        answers: to its digits.
        path: of the PNG.
    """
    digits = sheet.digits[:MOST_DIGITS]
    height, width = sheet.pixels.shape[:2]
    high = float(np.clip(WIDTH / 2 * height / width, 1.2, 6))
    rows = 1 + MAPS if digits else 0
    figure = Figure(figsize=(WIDTH, high + 0.6 + rows * CELL + 0.5))
    halves = figure.add_gridspec(2, height_ratios=[high + 0.6, rows * CELL + 0.5])
    above, below = figure.add_subfigure(halves[0]), figure.add_subfigure(halves[1])
    source, ink = above.subplots(1, 2, gridspec_kw=MARGINS)
    source.imshow(sheet.pixels)
    page = sheet.page
    extent = (page.left, page.right, page.bottom, page.top)
    ink.imshow(sheet.ink, cmap="gray_r", extent=extent, interpolation="nearest")
    ink.set(xlim=(0, width), ylim=(height, 0))
    for axes, title in ((source, "the picture"), (ink, "its ink, and what is a digit")):
        axes.set_title(title)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color=figures.GREY, linewidth=0.5)  # white has no end by itself
        _boxes(axes, sheet)
    if digits:
        images = np.stack([digit.image for digit in digits])
        _rows(below.add_axes((0, 0, 1, 1)), images, answers, model)
    else:
        below.text(0.5, 0.5, "no digit was found", ha="center", va="center")
    if hidden := len(sheet.digits) - len(digits):
        below.text(0.99, 0.02, f"and {hidden} more", ha="right", va="bottom", fontsize=8)
    figures.save(figure, path)


def _boxes(axes: Axes, sheet: Sheet) -> None:
    for digit in sheet.digits:
        box = digit.box
        corner = (box.left, box.top)
        axes.add_patch(
            Rectangle(corner, box.width, box.height, fill=False, color=figures.COLOURS[1])
        )


def _rows(axes: Axes, images: np.ndarray, answers: Sequence[Answer], model: Model) -> None:
    """A column for each digit: its class, its image, and the first layer's maps below."""
    axes.set(xlim=(-2.5, MOST_DIGITS + 0.5), ylim=(MAPS + 1.2, -0.9), autoscale_on=False)
    axes.set_axis_off()
    for column, (image, answer) in enumerate(zip(images, answers, strict=False)):
        caption = f"{answer.digit}\n{answer.confidence:.0%}"
        axes.text(column + 0.5, -0.1, caption, ha="center", fontsize=8)
        figures.draw_tile(axes, column, 0, image)
    axes.text(-0.1, 0.5, "as the model takes it", ha="right", va="center", fontsize=8)
    if layers := model.layers(images):
        maps = layers[0].maps
        spread = np.nanstd(maps, axis=(0, 2, 3))
        channels = sorted(np.argsort(-spread, kind="stable")[:MAPS].tolist())
        for row, channel in enumerate(channels, 1):
            label = f"{layers[0].name}, {channel}"
            axes.text(-0.1, row + 0.5, label, ha="right", va="center", fontsize=8)
            limit = float(np.nanmax(np.abs(maps[:, channel])))
            for column, image in enumerate(maps[:, channel]):
                figures.draw_tile(axes, column, row, image, limit)
