"""What the pictures share: colours, grids of small images, and saving."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digits.base.files import replacing

# M. Okabe's and K. Ito's palette, which colour-blind people can tell apart:
# https://jfly.uni-koeln.de/color
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
GREY = "#666666"


def save(figure: Figure, path: Path) -> None:
    """Write a picture as PNG; equal pictures give equal bytes."""
    with replacing(path) as partial:
        # matplotlib would write its version to the file.
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})


def draw_gallery(images: np.ndarray, captions: Sequence[str], title: str, path: Path) -> None:
    """Draw images in rows, a caption below each.

    Args:
        images: `(N, height, width)`, see `draw_tile`; each signed one has its own scale.
    """
    lines = [caption.splitlines() for caption in captions]
    longest = max((len(line) for caption in lines for line in caption), default=0)
    width = max(0.75, 0.085 * longest)
    height = 0.75 + 0.16 * max(map(len, lines), default=0)
    columns = max(1, int(9.5 / width))
    rows = max(1, -(-len(images) // columns))
    figure, axes = make_grid(title, columns, rows, width, height)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, columns)
        draw_tile(axes, column, row, image, np.abs(image).max(), (0.7 / width, 0.7 / height))
        axes.text(column + 0.5, row + 0.72 / height, caption, ha="center", va="top", fontsize=8)
    save(figure, path)


def make_grid(
    title: str,
    columns: int,
    rows: int,
    width: float,
    height: float,
    left: float = 0.0,
    above: float = 0.0,
) -> tuple[Figure, Axes]:
    """Make a figure of columns x rows cells, each width x height inches and one unit of the axes.

    Below the title and at the left there is room for labels, `above` and `left` inches.
    One pair of axes for all, because hundreds would take minutes to draw.
    """
    margin, top = 0.15, 0.5 + above
    inner = columns * width, rows * height
    size = left + inner[0] + 2 * margin, top + inner[1] + margin
    figure = Figure(figsize=size)
    figure.text(0.5, 1 - 0.25 / size[1], title, ha="center", va="center", fontsize=12)
    position = (left + margin) / size[0], margin / size[1], inner[0] / size[0], inner[1] / size[1]
    axes = figure.add_axes(position, xlim=(0, columns), ylim=(rows, 0), autoscale_on=False)
    axes.set_axis_off()
    return figure, axes


def draw_tile(
    axes: Axes,
    column: int,
    row: int,
    image: np.ndarray,
    limit: float = 1.0,
    size: tuple[float, float] = (0.93, 0.93),
) -> None:
    """Draw an image into a cell of a grid, at its top and in the middle of its width.

    Args:
        image: `uint8 (height, width)` is drawn as ink on paper; `float32`, red above zero
            and blue below, NaN left out.
        limit: the absolute value of a signed image that is full red or blue.
        size: share of the cell's width and height.
    """
    is_ink = image.dtype == np.uint8
    left = column + (1 - size[0]) / 2
    axes.imshow(
        image,
        cmap="gray_r" if is_ink else "RdBu_r",
        vmin=0 if is_ink else -(limit or 1.0),
        vmax=255 if is_ink else limit or 1.0,  # a dead layer is zero everywhere
        extent=(left, left + size[0], row + size[1], row),
        aspect="auto",
        interpolation="nearest",
    )


def remove_frame(*several: Axes) -> None:
    """Remove the two lines of the frame that carry no numbers."""
    for axes in several:
        axes.spines[["top", "right"]].set_visible(False)


def are_short(names: Sequence[str]) -> bool:
    """Tell whether names are short enough to stand side by side."""
    return max(map(len, names)) < 4
