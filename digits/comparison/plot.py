"""The comparison of the models as one picture."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from digits.comparison.paired import Comparison
from digits.rendering import figures


def draw(
    scores: Mapping[str, Mapping[str, Any]],
    comparisons: Mapping[str, Comparison],
    by_class: pd.DataFrame,
    path: Path,
) -> None:
    """Draw error rates, errors by class, and who is right where the other is wrong.

    The arguments are those of `table.markdown`.
    """
    models = list(scores)
    colours = dict(zip(models, cycle(figures.COLOURS), strict=False))
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    rates, classes, pairs = figure.subplots(1, 3, width_ratios=[1, 1.7, 1.2])

    for row, (model, score) in enumerate(scores.items()):
        rate = 100 * score["error_rate"]
        low, high = 100 * (1 - score["accuracy_high"]), 100 * (1 - score["accuracy_low"])
        rates.plot([low, high], [row, row], color=colours[model], linewidth=3)
        rates.plot(rate, row, "o", color=colours[model], markersize=9)
        rates.annotate(f"{rate:.2f}", (rate, row), (0, 9), textcoords="offset points", ha="center")
    rates.set_yticks(range(len(models)), models)
    rates.set(ylim=(len(models) - 0.4, -0.6), xlim=(0, None))
    rates.set(title="Wrong, with Wilson's interval", xlabel="% of the test images")

    width = 0.8 / len(models)
    places = np.arange(len(by_class))
    for number, model in enumerate(models):
        shift = (number - (len(models) - 1) / 2) * width
        classes.bar(places + shift, by_class[model], width, color=colours[model], label=model)
    names = by_class["class"].tolist()
    classes.set_xticks(places, names, rotation=0 if figures.are_short(names) else 90)
    classes.set(title="Errors by true class", ylabel="images")
    classes.legend(frameon=False)

    baseline = models[0]
    for row, (model, c) in enumerate(comparisons.items()):
        for count, side, owner in ((len(c.broken), -1, baseline), (len(c.fixed), 1, model)):
            pairs.barh(row, side * count, 0.5, color=colours[owner])
            place = (side * count, row), (4 * side, 0)
            align = "left" if side > 0 else "right"
            text = f"{count}\nonly {owner}"
            pairs.annotate(text, *place, textcoords="offset points", ha=align, va="center")
    pairs.axvline(0, color=figures.GREY, linewidth=1)
    pairs.set(title="Images that only one gets right", ylim=(len(comparisons) - 0.4, -0.6))
    pairs.margins(x=0.35)
    pairs.set_axis_off()
    pairs.title.set_visible(True)
    figures.remove_frame(rates, classes)
    figures.save(figure, path)
