"""The drift as a page to look at, without a network, and as a run in MLflow."""

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from digits.base import files
from digits.collection import drift
from digits.collection.records import DRIFT
from digits.collection.watch import Watch
from digits.rendering import figures, pages
from digits.tracking import provenance, runs, store

TEMPLATE = Path(__file__).with_name("drift.html")
PAGE = "drift.html"
EXPERIMENT = "digits-serving"


def write(found: Watch, folder: Path) -> Path:
    """Write the page: the table, the curves by day, the most unusual digits.

    Returns:
        Its path.
    """
    with tempfile.TemporaryDirectory() as scratch:
        curves, unusual = Path(scratch) / "days.png", Path(scratch) / "unusual.png"
        draw_days(found, curves)
        captions = [f"{record.digit}, {100 * record.confidence:.0f} %" for record in found.unusual]
        images = np.array([record.image for record in found.unusual])
        figures.draw_gallery(images, captions, "The most unusual digits", unusual)
        text = pages.render(
            TEMPLATE,
            found=found,
            level=drift.LEVEL,
            least=drift.LEAST_EFFECT,
            curves=pages.embed(curves),
            unusual=pages.embed(unusual),
        )
    files.write_text(folder / PAGE, text)
    return folder / PAGE


def draw_days(found: Watch, path: Path) -> None:
    """Draw the effect of each day, of the features that moved most, as PNG."""
    days = [day for day in found.days if day.psi]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    names = [finding.feature for finding in found.findings[: len(figures.COLOURS)]]
    for name, colour, mark in zip(names, figures.COLOURS, "os^D", strict=False):
        values = [day.psi.get(name, np.nan) for day in days]
        axes.plot([day.date for day in days], values, color=colour, marker=mark, label=name)
    axes.axhline(drift.LEAST_EFFECT, color=figures.GREY, linestyle="--", label="least effect")
    axes.set(ylabel="PSI against the training data", ylim=(0, None), title="Drift by day, UTC")
    axes.xaxis.set_major_locator(MaxNLocator(8))
    axes.legend(fontsize=8)
    figures.save(figure, path)


def log(found: Watch, folder: Path) -> None:
    """Log a run: each day's numbers at the step of that day, and the page.

    Raises:
        UserError: the store cannot be used.
    """
    experiment_id = store.connect(EXPERIMENT)
    with store.explained():
        run = runs.open_run(experiment_id, "drift", provenance.tags("drift"))
        status = "FAILED"
        try:
            for day in found.days:
                psi = {f"psi_{name}": value for name, value in day.psi.items()}
                run.log_metrics({"digits": day.digits, **day.means, **psi}, day.number)
            run.log_metrics({"drifted_features": len(found.drifted)})
            run.log_files(folder / PAGE, folder / DRIFT)
            status = "FINISHED"
        finally:
            run.end(status)
