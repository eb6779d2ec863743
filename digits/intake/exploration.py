"""Pictures to explore a data set with: samples, balance, means, pixels, a projection.

Each function returns a figure of its own, without matplotlib's global state.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from sklearn.decomposition import PCA

from digits.data.splits import Split
from digits.params import Validate
from digits.rendering import figures

TILES_A_LINE = 10
BLOCK = 1000  # images whose deviations, as floats, are in memory at a time
NUMBERED_PIXELS = 1600  # most pixels of an image that is drawn with their values
LEGEND_LINES = 25
INK = "gray_r"  # the colour map from 0, white paper, to 255, black ink


def draw(
    folder: Path, train: Split, balance: pd.DataFrame, classes: list[str], settings: Validate
) -> None:
    """Draw all pictures as PNG files, the same bytes for the same data.

    Args:
        folder: where to; it exists.
        train: its images are shown, those with labels beyond the classes left out.
        balance: from `image_statistics.describe_classes`.
        classes: their names, by label.
        settings: how much to show, and the seed of its choice.
    """
    drawn = {
        "samples": draw_samples(train, classes, settings.samples_per_class, settings.seed),
        "classes": draw_class_balance(
            balance, classes, settings.min_class_share, settings.max_class_share
        ),
        "mean_variance": draw_mean_and_variance(train, classes),
        "pixels": draw_pixels(train.images[0]),
        "projection": draw_projection(train, classes, settings.projected_images, settings.seed),
    }
    for name, figure in drawn.items():
        figures.save(figure, folder / f"{name}.png")


def draw_samples(split: Split, classes: list[str], per_class: int, seed: int) -> Figure:
    """Draw a row of random images for each class; a class with fewer leaves gaps."""
    generator = np.random.default_rng(seed)
    tiles = np.zeros((len(classes), per_class, *split.images.shape[1:]), np.uint8)
    for label in range(len(classes)):
        chosen = generator.permutation(np.flatnonzero(split.labels == label))[:per_class]
        tiles[label, : len(chosen)] = split.images[chosen]
    picture = _mosaic(tiles)
    figure = Figure(figsize=(0.5 * per_class + 1, 0.5 * len(classes) + 0.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture, INK, vmin=0, vmax=255)
    tile_height = len(picture) / len(classes)
    axes.set_yticks((np.arange(len(classes)) + 0.5) * tile_height - 0.5, classes)
    axes.set_xticks([])
    _without_frame(axes)
    return figure


def draw_class_balance(
    balance: pd.DataFrame, classes: list[str], smallest: float, largest: float
) -> Figure:
    """Draw the share of each class in each split, and its bounds."""
    figure = Figure(figsize=(7, 0.32 * len(classes) + 1.2), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(classes))
    for split, colour, side in (("train", "#0072B2", -0.2), ("test", "#E69F00", 0.2)):
        shares = 100 * balance.loc[balance["split"] == split, "share"]
        axes.barh(positions + side, shares, 0.38, label=split, color=colour)
    for bound in (smallest, largest):
        axes.axvline(100 * bound, color="#b03030", linestyle="--", linewidth=1)
    axes.set_yticks(positions, classes)
    axes.invert_yaxis()
    axes.set_xlabel("share of the split, % (dashed: the bounds)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure


def draw_mean_and_variance(split: Split, classes: list[str]) -> Figure:
    """Draw the mean of each class, pixel by pixel, and the variance around it."""
    height, width = split.images.shape[1:]
    columns = min(len(classes), TILES_A_LINE)
    lines = -(-len(classes) // columns)
    means = np.zeros((lines * columns, height, width))
    variances = np.zeros_like(means)
    for label in np.intersect1d(split.labels, np.arange(len(classes))):
        means[label], variances[label] = _moments(split, np.flatnonzero(split.labels == label))
    figure = Figure(figsize=(0.9 * columns + 0.9, 2.4 * lines + 0.3), layout="constrained")
    for axes, tiles, title, top in zip(
        figure.subplots(2, 1),
        (means, variances),
        ("mean", "variance"),
        (255, max(variances.max(), 1)),
        strict=True,
    ):
        # Above each tile a quarter of its height is left for the name.
        named = np.pad(tiles, ((0, 0), (height // 4, 0), (0, 0)))
        picture = _mosaic(named.reshape(lines, columns, *named.shape[1:]))
        image = axes.imshow(picture, INK, vmin=0, vmax=top)
        tile_height, tile_width = len(picture) / lines, picture.shape[1] / columns
        for label, name in enumerate(classes):
            line, column = divmod(label, columns)
            axes.text(
                (column + 0.5) * tile_width,
                line * tile_height,
                name,
                ha="center",
                va="top",
                fontsize=7,
            )
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
        _without_frame(axes)
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
    return figure


def _moments(split: Split, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of some images, pixel by pixel, `float (height, width)` each.

    In blocks, whose sums go on where the last ended: numpy adds images in this order, too,
    so that the bits are those of all at once.
    """
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    total = sum(split.images[block].sum(axis=0, dtype=np.int64) for block in blocks)
    mean = total / len(rows)
    squares = np.zeros(split.images.shape[1:])
    for block in blocks:
        deviations = (split.images[block] - mean) ** 2
        squares = np.concatenate([squares[None], deviations]).sum(axis=0)
    return mean, squares / len(rows)


def draw_pixels(image: np.ndarray) -> Figure:
    """Draw one image as a grid of numbers, and beside it, row under row, as one vector."""
    height, width = image.shape
    figure = Figure(figsize=(10, 7.4), layout="constrained")
    grid, vector = figure.subplots(1, 2, width_ratios=[7, 2.5])
    grid.imshow(image, INK, vmin=0, vmax=255, aspect="auto")
    if image.size <= NUMBERED_PIXELS:
        for (row, column), value in np.ndenumerate(image):
            colour = "white" if value > 127 else "black" if value else "#b0b0b0"
            grid.text(column, row, value, ha="center", va="center", fontsize=6, color=colour)
    grid.set_title(f"{height} x {width} grid", loc="left", fontsize=10)
    grid.set_xlabel("column")
    grid.set_ylabel("row")
    vector.stairs(image.ravel(), orientation="horizontal", fill=True, color="#303030")
    vector.set_ylim(image.size, 0)
    vector.set_xlim(0, 255)
    vector.set_yticks(np.arange(0, image.size + 1, width * max(1, height // 7)))
    vector.set_title(f"vector of {image.size}", loc="left", fontsize=10)
    vector.set_xlabel("value")
    vector.set_ylabel("position = row x width + column")
    return figure


def draw_projection(split: Split, classes: list[str], count: int, seed: int) -> Figure:
    """Draw images as points, projected on the two directions in which they vary most."""
    known = np.flatnonzero(split.labels < len(classes))
    chosen = np.random.default_rng(seed).permutation(known)[:count]
    labels = split.labels[chosen]
    points, shares = project(split.images.reshape(len(split.images), -1)[chosen], seed)
    figure = Figure(figsize=(8, 6))
    axes = figure.subplots()
    palette = mpl.colormaps["tab10" if len(classes) <= 10 else "turbo"].resampled(len(classes))
    for label, name in enumerate(classes):
        x, y = points[labels == label].T
        axes.scatter(x, y, s=9, alpha=0.6, linewidths=0, color=palette(label), label=name)
    for label in np.unique(labels):
        x, y = points[labels == label].mean(axis=0)
        axes.text(
            x,
            y,
            classes[label],
            ha="center",
            va="center",
            weight="bold",
            color=palette(label),
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    axes.set_xlabel(f"first component: {shares[0]:.1%} of the variance")
    axes.set_ylabel(f"second component: {shares[1]:.1%} of the variance")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1, 1),
        markerscale=2,
        ncols=-(-len(classes) // LEGEND_LINES),
        frameon=False,
    )
    return figure


def project(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Project on the first two principal components.

    Args:
        vectors: `uint8 (N, pixels)`, N >= 0.
        seed: of the randomised solver, which is fast however many pixels there are.

    Returns:
        Points `float (N, 2)`, and the share of the variance that each axis carries, `(2,)`.
        An axis that the data has not, of one image or of equal ones, is 0.
    """
    scaled = vectors / 255
    points, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    if len(vectors) and (variance := scaled.var(axis=0).sum()) > 0:
        components = min(2, *vectors.shape)
        pca = PCA(components, svd_solver="randomized", random_state=seed)
        points[:, :components] = pca.fit_transform(scaled)
        shares = points.var(axis=0) / variance
    # Rounding hides the last bits, which depend on the machine.
    return points.round(5), shares


def _mosaic(tiles: np.ndarray) -> np.ndarray:
    """Lay tiles (lines, columns, height, width) side by side, two pixels between."""
    lines, columns, height, width = np.add(tiles.shape, (0, 0, 2, 2))
    padded = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return padded.transpose(0, 2, 1, 3).reshape(lines * height, columns * width)


def _without_frame(axes: mpl.axes.Axes) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
