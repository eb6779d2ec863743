"""All pictures of a model's assessment."""

from pathlib import Path

import numpy as np

from digits.data.splits import Split
from digits.evaluation import corruptions, feature_maps, pictures
from digits.evaluation.assessment import Assessment
from digits.inference.model import Model

CORRUPTED_SAMPLES = 5  # test images to show each corruption on


def illustrate(
    assessment: Assessment, network: Model, split: Split, seed: int, folder: Path, reports: Path
) -> None:
    """Draw what was found, and what the network's layers see.

    Args:
        assessment: of the network on the split.
        network: the model.
        split: the test split.
        seed: of the corruptions.
        folder: for the pictures that are kept in DVC's cache.
        reports: for the pictures that are kept in git.
    """
    name, classes, predictions = network.name, network.classes, assessment.predictions
    pictures.draw_confusion(predictions, classes, name, folder / "confusion.png")
    pictures.draw_reliability(assessment.reliability, name, folder / "reliability.png")
    pictures.draw_risk_coverage(
        assessment.risk_coverage, assessment.selective, name, folder / "risk_coverage.png"
    )
    pictures.draw_errors(split.images, predictions, classes, name, folder / "errors.png")
    feature_maps.draw_filters(network.filters(), name, folder / "filters.png")

    present, firsts = np.unique(split.labels, return_index=True)
    samples, captions = split.images[firsts], [classes[number] for number in present]
    feature_maps.draw_maps(
        samples, captions, network.layers(samples), name, reports / "feature_maps.png"
    )
    corrupted = [
        corruptions.corrupt(samples[:CORRUPTED_SAMPLES], corruption, seed)
        for corruption in corruptions.CORRUPTIONS
    ]
    pictures.draw_corruptions(
        np.stack(corrupted), assessment.corruptions, name, reports / "corruptions.png"
    )
