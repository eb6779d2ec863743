"""What the runs and reports of the small project hold."""

import csv
from pathlib import Path

from mlflow.entities import Run

from tests import small_project

SECONDS = ("cpu_seconds", "wall_seconds")


def is_timing(metric: str) -> bool:
    """Tell whether a metric is of the machine and the moment."""
    return metric.endswith(SECONDS) or metric.startswith("system/")


def curves(folder: Path, model_run: Run) -> dict[str, list[tuple[int, float]]]:
    """The steps and values of each metric of a run, but for those of the machine and the moment."""
    client = small_project.store(folder)
    return {
        name: [(m.step, m.value) for m in client.get_metric_history(model_run.info.run_id, name)]
        for name in model_run.data.metrics
        if not is_timing(name)
    }


def predictions(folder: Path, model: str) -> list[int]:
    with (folder / "reports/evaluate" / model / "predictions.csv").open(newline="") as file:
        return [int(row["predicted"]) for row in csv.DictReader(file)]
