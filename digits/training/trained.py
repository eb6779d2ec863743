"""What a training ends with: one calibrated model, and the files that hold it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from digits.base import files, selection, tables
from digits.data.splits import Split
from digits.params import Recipe
from digits.training import calibration, export, networks

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
PARITY_IMAGES = 1000  # validation images on which ONNX Runtime has to agree with Keras


@dataclass(frozen=True)
class Trained:
    """A trained and calibrated model.

    Attributes:
        model: answers with the mean over its members and views.
        member: one of the networks that it is made of.
        temperature: by which the logits were divided.
        threshold: what it is less sure of, by `selection.sureness`, is no answer.
        multiply_adds: multiplications with a weight for one image, of all members and views.
    """

    model: keras.Model
    member: keras.Model
    temperature: float
    threshold: float
    multiply_adds: int

    @property
    def costs(self) -> dict[str, int]:
        """How many weights and multiplications it has."""
        return {"parameters": self.model.count_params(), "multiply_adds": self.multiply_adds}

    @property
    def confidence(self) -> dict[str, float]:
        """How its answers were made trustworthy."""
        return {"temperature": self.temperature, "threshold": self.threshold}


def calibrate(
    members: Sequence[keras.Model], recipe: Recipe, validation: Split, coverage: float
) -> Trained:
    """Make one model of trained networks; temper it and choose its threshold on validation images.

    Args:
        members: the networks, which are tempered in place.
        recipe: they were trained with.
        validation: what temperature and threshold are chosen on.
        coverage: share of it that is to be answered.
    """
    model = networks.averaged(members, recipe.views)
    answers = networks.separate_answers(model).predict(validation.images, batch_size=500, verbose=0)
    temperature = calibration.temperature(answers, validation.labels)
    networks.temper(members, temperature)
    probabilities = model.predict(validation.images, batch_size=500, verbose=0)
    return Trained(
        model,
        members[0],
        temperature,
        calibration.threshold(selection.sureness(probabilities), coverage),
        networks.multiply_adds(members[0]) * recipe.members * recipe.views,
    )


def write(
    trained: Trained,
    validation: Split,
    curves: Sequence[Mapping[str, float]],
    description: Mapping[str, Any],
    folder: Path,
    reports: Path,
) -> None:
    """Write a model, and what there is to tell of its training.

    Args:
        trained: the model.
        validation: images to hold the ONNX file against.
        curves: a row for each epoch.
        description: what else model.onnx says of itself: `classes`, `recipe`, `data`.
        folder: for model.keras and model.onnx, replaced as a whole.
        reports: for metrics.json, curves.csv and layers.csv.
    """
    with files.replacing(folder) as partial:
        export.write_keras(trained.model, partial / "model.keras")
        samples = validation.images[:PARITY_IMAGES]
        facts = {**trained.costs, **trained.confidence, **description}
        parity = export.write_onnx(trained.model, partial / "model.onnx", samples, facts)
    final = {key: curves[-1][key] for key in CURVES}
    metrics = {
        **final,
        **trained.confidence,
        **trained.costs,
        "onnx_difference": float(f"{parity:.1e}"),
    }
    files.write_json(reports / "metrics.json", metrics)
    tables.write(pd.DataFrame(curves), reports / "curves.csv")
    tables.write(pd.DataFrame(networks.describe(trained.member)), reports / "layers.csv")
