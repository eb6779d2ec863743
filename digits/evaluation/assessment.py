"""All that is measured of a model on the test split: numbers and tables, no picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from digits.base import files, selection, tables
from digits.base.errors import UserError
from digits.data.splits import Split
from digits.evaluation import metrics
from digits.evaluation.robustness import measure_robustness
from digits.inference.model import Model
from digits.params import Evaluate


@dataclass(frozen=True)
class Assessment:
    """What a model was found to be worth.

    Attributes:
        scores: numbers by name, robustness and members of an ensemble among them.
        selective: what the model does at its own threshold, from `metrics.score_selection`.
        costs: its weights, multiplications and bytes.
        predictions: as in predictions.csv.
        classes: from `metrics.score_classes`.
        reliability: from `metrics.bin_by_confidence`.
        risk_coverage: from `metrics.trace_risk_coverage`.
        corruptions: from `measure_robustness`.
        corrupted_images: of how many images.
    """

    scores: Mapping[str, float]
    selective: Mapping[str, float]
    costs: Mapping[str, float]
    predictions: pd.DataFrame
    classes: pd.DataFrame
    reliability: pd.DataFrame
    risk_coverage: pd.DataFrame
    corruptions: pd.DataFrame
    corrupted_images: int

    def write(self, folder: Path) -> None:
        """Write metrics.json and the tables as CSV."""
        files.write_json(folder / "metrics.json", {**self.scores, **self.selective, **self.costs})
        for name in ("predictions", "classes", "reliability", "risk_coverage", "corruptions"):
            tables.write(getattr(self, name), folder / f"{name}.csv")

    def __str__(self) -> str:
        """The one line that the stage prints."""
        scores = self.scores
        return (
            f"{scores['accuracy']:.2%} of {len(self.predictions):,} test images right "
            f"({scores['accuracy_low']:.2%} to {scores['accuracy_high']:.2%}), "
            f"log loss {scores['log_loss']:.4f}, calibration error {scores['ece']:.4f}; "
            f"{scores['corrupted_accuracy']:.1%} of {self.corrupted_images:,} corrupted in "
            f"{len(self.corruptions)} ways{self._collected}"
        )

    @property
    def _collected(self) -> str:
        if "collected_accuracy" not in self.scores:
            return ""
        return (
            f"; {self.scores['collected_accuracy']:.1%} of {self.scores['collected_images']:,.0f} "
            "collected test images"
        )


def assess(
    network: Model, split: Split, settings: Evaluate, collected: Split | None = None
) -> Assessment:
    """Measure a model on the test split, and on what was collected for a test, if anything was.

    Raises:
        UserError: the split has images or labels that the model does not know.
    """
    images, labels, classes = split.images, split.labels, network.classes
    if labels.max() >= len(classes):
        raise UserError(
            f"the test split has a label {labels.max()}, {network.name} knows "
            f"{len(classes)} classes"
        )
    probabilities = network.predict(images)
    predictions = tables.tabulate_predictions(probabilities, labels)
    sureness = selection.sureness(probabilities)
    size = min(settings.corrupted_images, len(labels))
    chosen = np.random.default_rng(settings.seed).choice(len(labels), size, replace=False)
    robustness = measure_robustness(network.predict, images[chosen], labels[chosen], settings.seed)
    scores = metrics.score(
        probabilities,
        labels,
        len(classes),
        settings.calibration_bins,
        settings.confidence_level,
    )
    scores |= metrics.score_corruptions(robustness) | _of_members(network, split)
    if collected:
        table = tables.tabulate_predictions(network.predict(collected.images), collected.labels)
        scores |= metrics.score_collected(table, classes, settings.confidence_level)
    return Assessment(
        scores=scores,
        selective=metrics.score_selection(predictions, sureness, network.threshold),
        costs={
            "parameters": network.parameters,
            "multiply_adds": network.multiply_adds,
            "size_bytes": network.size_bytes,
        },
        predictions=predictions,
        classes=metrics.score_classes(predictions, classes),
        reliability=metrics.bin_by_confidence(predictions, settings.calibration_bins),
        risk_coverage=metrics.trace_risk_coverage(predictions, sureness),
        corruptions=robustness,
        corrupted_images=size,
    )


def _of_members(network: Model, split: Split) -> dict[str, float]:
    """The accuracy of each member of an ensemble; none of a single network."""
    if network.recipe["members"] == 1:
        return {}
    return {
        f"member_{number}_accuracy": round(float((answer.argmax(1) == split.labels).mean()), 6)
        for number, answer in enumerate(network.answers(split.images), 1)
    }
