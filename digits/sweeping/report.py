"""A sweep to look at: three pictures and one page, which needs no network."""

import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from digits.base import files
from digits.rendering import figures, pages
from digits.sweeping import study
from digits.sweeping.space import Space

PAGE = "index.html"


def totals(found: optuna.Study) -> dict[str, float]:
    """What a sweep has come to: trials by how they ended, CPU seconds of all of them."""
    trials = found.get_trials(deepcopy=False)
    states = [trial.state for trial in trials]
    return {
        "complete": states.count(TrialState.COMPLETE),
        "pruned": states.count(TrialState.PRUNED),
        "failed": states.count(TrialState.FAIL),
        "training_cpu_seconds": sum(trial.user_attrs.get(study.SECONDS, 0) for trial in trials),
        "best": study.best(found).value or 0.0,
    }


def write(found: optuna.Study, space: Space, left_out: list[str], folder: Path) -> Path:
    """Draw what was found, and write the page.

    Args:
        found: the study, with a trial that was completed.
        space: what was searched.
        left_out: what its trials left out of the recipe.
        folder: for the pictures and the page.

    Returns:
        The page.
    """
    mpl.use("Agg")
    pictures = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its pictures experimental
        draw = optuna.visualization.matplotlib
        drawn: dict[str, Any] = {"history": draw.plot_optimization_history}
        if len(found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) > 1:
            drawn |= {
                "importances": draw.plot_param_importances,
                "coordinates": draw.plot_parallel_coordinate,
            }
        for name, plot in drawn.items():
            figure = _figure(plot(found, target_name=space.metric))
            figures.save(figure, folder / f"{name}.png")
            pictures[name] = pages.embed(folder / f"{name}.png")
    best = study.best(found)
    page = pages.render(
        Path(__file__).with_name("sweep.html"),
        name=found.study_name,
        space=space,
        best=best,
        values=values_of(space, best),
        left_out=left_out,
        totals=totals(found),
        trials=[_row(space, trial) for trial in found.get_trials(deepcopy=False)],
        pictures=pictures,
    )
    files.write_text(folder / PAGE, page)
    return folder / PAGE


def values_of(space: Space, trial: FrozenTrial) -> dict[str, Any]:
    """The parameters of a trial as they stand in params.yaml, by path."""
    fixed = optuna.trial.FixedTrial(trial.params)
    return {knob.path: knob.suggest(fixed) for knob in space.knobs if knob.path in trial.params}


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    figure.set_size_inches(9, 4.5)
    figure.tight_layout()
    return figure


def _row(space: Space, trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": "" if trial.value is None else f"{trial.value:.5f}",
        "epochs": len(trial.intermediate_values),
        "values": list(values_of(space, trial).values()),
        "problem": trial.user_attrs.get("problem", ""),
        "run": trial.user_attrs.get(study.RUN, ""),
    }
