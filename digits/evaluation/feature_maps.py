"""The pictures of what a model looks for and what its layers make of an image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from digits.inference.layers import Layer
from digits.rendering import figures

MOST_FILTERS = 64
CHANNELS = 3  # channels of each layer that are shown


def draw_filters(weights: np.ndarray, model: str, path: Path) -> None:
    """Draw the first layer's weights: red where it wants ink, blue where it wants paper.

    Args:
        weights: `float32 (filters, height, width)`; of many, the largest are shown.
    """
    largest = np.argsort(-np.linalg.norm(weights, axis=(1, 2)), kind="stable")[:MOST_FILTERS]
    chosen = np.sort(largest)
    captions = [f"{number}" for number in chosen]
    which = f"{len(chosen)} largest of the " if len(chosen) < len(weights) else ""
    title = f"{model}: the {which}{len(weights)} filters of the first layer"
    title += "; red wants ink, blue wants paper"
    figures.draw_gallery(weights[chosen], captions, title, path)


def draw_maps(
    images: np.ndarray, names: Sequence[str], layers: Sequence[Layer], model: str, path: Path
) -> None:
    """Draw what each layer makes of some images: a column for each image, layers downwards.

    Of each layer those channels are shown that vary most, over images and pixels; of a
    pooling, the channels of the layer before it, on the same scale, so that one sees
    what it keeps.

    Args:
        images: `uint8 (N, height, width)`.
        names: of the images.
        layers: from `inference.Model.layers` on these images.
    """
    rows: list[tuple[str, np.ndarray, float]] = []
    channels: list[int] = []
    for layer in layers:
        if not layer.pools or not channels:
            spread = np.nanstd(layer.maps, axis=(0, 2, 3))
            channels = sorted(np.argsort(-spread, kind="stable")[:CHANNELS].tolist())
            limits = [float(np.nanmax(np.abs(layer.maps[:, c]))) for c in channels]
        height, width = layer.maps.shape[2:]
        for channel, limit in zip(channels, limits, strict=True):
            maps = layer.maps[:, channel]
            if layer.maps.shape[1] > 1:
                label = f"{layer.name}, filter {channel}\n{height} x {width}"
            else:
                label = f"{layer.name}\n{np.isfinite(maps[0]).sum()} units"
            rows.append((label, maps, limit))
    tile = 0.75
    title = f"{model}: what each layer makes of an image; red above zero, blue below"
    figure, axes = figures.make_grid(
        title, len(images), len(rows) + 1, tile, tile, left=1.9, above=0.25
    )
    for column, (name, image) in enumerate(zip(names, images, strict=True)):
        axes.text(column + 0.5, -0.1, name, ha="center", va="bottom")
        figures.draw_tile(axes, column, 0, image)
    axes.text(-0.1, 0.5, "image", ha="right", va="center", fontsize=8)
    for row, (label, maps, limit) in enumerate(rows, 1):
        axes.text(-0.1, row + 0.5, label, ha="right", va="center", fontsize=8)
        for column, image in enumerate(maps):
            figures.draw_tile(axes, column, row, image, limit)
    figures.save(figure, path)
