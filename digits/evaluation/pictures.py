"""The pictures of a model's predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from digits.rendering import figures

MOST_ERRORS = 200  # most images in the gallery: nobody looks at more


def draw_confusion(
    predictions: pd.DataFrame, classes: Sequence[str], model: str, path: Path
) -> None:
    """Draw the confusion matrix, true classes in rows; colour is for the errors alone.

    Args:
        predictions: as in predictions.csv.
        classes: names.
    """
    matrix = np.zeros((len(classes), len(classes)), int)
    np.add.at(matrix, (predictions["label"], predictions["predicted"]), 1)
    side = 1.6 + 0.55 * len(classes)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    errors = matrix - np.diag(matrix.diagonal())
    coloured = np.where(errors, errors, np.nan)
    axes.imshow(coloured, cmap="Oranges", vmin=0, vmax=max(1, errors.max()))
    for row, column in np.argwhere(matrix):
        is_dark = errors[row, column] > 0.6 * errors.max()
        colour = figures.GREY if row == column else "white" if is_dark else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(classes)), classes, rotation=0 if figures.are_short(classes) else 90)
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    title = f"{model}: {_errors(errors.sum(), matrix.sum())}"
    axes.set(xlabel="predicted", ylabel="true", title=title)
    figures.save(figure, path)


def draw_reliability(bins: pd.DataFrame, model: str, path: Path) -> None:
    """Draw accuracy over confidence, and how many images there are of each confidence."""
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], "--", color=figures.GREY, linewidth=1)
    above.text(0.03, 0.93, "right more often than it says", color=figures.GREY)
    above.text(0.99, 0.04, "less often", color=figures.GREY, ha="right")
    above.plot(bins["confidence"], bins["accuracy"], "o-", color=figures.COLOURS[0])
    above.set(xlim=(0, 1.02), ylim=(0, 1.02), ylabel="share that is right")
    above.set_title(f"{model}: is it right as often as it is sure?")
    below.vlines(bins["confidence"], 0.5, bins["count"], color=figures.COLOURS[0], linewidth=4)
    below.set(yscale="log", ylim=(0.5, None), xlabel="confidence, mean of the bin")
    below.set_ylabel("images")
    figures.remove_frame(above, below)
    figures.save(figure, path)


def draw_risk_coverage(
    curve: pd.DataFrame, chosen: Mapping[str, float], model: str, path: Path
) -> None:
    """Draw the error rate among the images of which the model is surest.

    Args:
        curve: from `metrics.trace_risk_coverage`.
        chosen: from `metrics.score_selection`, what the model's own threshold does.
    """
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(100 * curve["coverage"], 100 * curve["risk"], color=figures.COLOURS[0])
    point = 100 * chosen["coverage"], 100 * chosen["risk"]
    axes.plot(*point, "o", color=figures.COLOURS[1], clip_on=False)
    label = f"its threshold: {point[0]:.1f} % answered, {point[1]:.2f} % wrong"
    axes.annotate(label, point, (-12, 0), textcoords="offset points", ha="right", va="center")
    axes.set(xlim=(0, 100), ylim=(0, None))
    axes.set_title(f"{model}: errors left if it answers only where it is sure")
    axes.set(xlabel="images answered, the surest first, %", ylabel="wrong among them, %")
    figures.remove_frame(axes)
    figures.save(figure, path)


def draw_errors(
    images: np.ndarray, predictions: pd.DataFrame, classes: Sequence[str], model: str, path: Path
) -> None:
    """Draw all images that the model gets wrong, the one it is surest of first.

    Args:
        images: `uint8 (N, height, width)`.
        predictions: of all images, as in predictions.csv.
        classes: names.
    """
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    ranked = wrong.sort_values("confidence", ascending=False, kind="stable")
    shown = ranked.head(MOST_ERRORS)
    arrow = " → " if figures.are_short(classes) else "\n→ "
    captions = [
        f"{classes[label]}{arrow}{classes[predicted]}\n{confidence:.3f}"
        for _, label, predicted, confidence in shown.itertuples(index=False)
    ]
    title = f"{model}: {_errors(len(ranked), len(predictions))}"
    if len(ranked) > len(shown):
        title += f", the {len(shown)} surest"
    title += "; true → predicted, confidence"
    figures.draw_gallery(images[shown.index], captions, title, path)


def draw_corruptions(samples: np.ndarray, table: pd.DataFrame, model: str, path: Path) -> None:
    """Draw what each corruption does to some images, with the accuracy on such images.

    Args:
        samples: `uint8 (corruptions, N, height, width)`.
        table: from `robustness.measure_robustness`.
    """
    columns, rows = samples.shape[:2]
    title = f"{model}: {table['accuracy'].mean():.1%} of corrupted test images right"
    figure, axes = figures.make_grid(title, columns, rows, 0.75, 0.75, above=0.5)
    for column, (name, accuracy) in enumerate(table.itertuples(index=False)):
        label = f"{name.replace('_', chr(10))}\n{accuracy:.1%}"
        axes.text(column + 0.5, -0.1, label, ha="center", va="bottom", fontsize=8)
        for row, image in enumerate(samples[column]):
            figures.draw_tile(axes, column, row, image)
    figures.save(figure, path)


def _errors(wrong: int, images: int) -> str:
    return f"{wrong:,} {'error' if wrong == 1 else 'errors'} in {images:,} test images"
