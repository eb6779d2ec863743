"""The model card: what a model is for, what it was made from, how good it is and where not.

M. Mitchell et al.: Model cards for model reporting. FAT* 2019, arXiv:1810.03993.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from digits.base import tables
from digits.data.catalogue import DataSet
from digits.evaluation import metrics
from digits.params import Params
from digits.rendering import pages

TEMPLATE = Path(__file__).with_name("card.md")
SURE = 0.9  # confidence above which the card counts an error as a confident one


def render(
    model: str, recipe: Mapping[str, Any], data_set: DataSet, params: Params, reports: Path
) -> str:
    """Render the card of a model as Markdown, from what the stages wrote to `reports`.

    Args:
        model: its name.
        recipe: the parameters it was trained with.
        data_set: that it was trained and tested on.
        params: of the pipeline.
        reports: the folder.
    """
    evaluation = reports / "evaluate" / model
    validation = _read_json(reports / "validate/metrics.json")
    # The comparison has an entry for each model but the first.
    comparisons = _read_json(reports / "compare/metrics.json")
    predictions = tables.read_predictions(evaluation / "predictions.csv")
    errors = predictions[predictions["label"] != predictions["predicted"]]
    # A class may be called NA.
    classes = pd.read_csv(
        evaluation / "classes.csv", dtype={"class": str}, keep_default_na=False, na_values=[""]
    )
    classes = classes[classes["images"] > 0].copy()  # a small test split may lack one
    right = (classes["recall"] * classes["images"]).round().astype(int)
    counts = zip(right, classes["images"], strict=True)
    level = params.evaluate.confidence_level
    classes[["low", "high"]] = [metrics.wilson_interval(*count, level) for count in counts]
    corruptions = pd.read_csv(evaluation / "corruptions.csv").sort_values("accuracy", kind="stable")
    return pages.render(
        TEMPLATE,
        model=model,
        baseline=params.models[0],
        recipe=recipe,
        title=data_set.title,
        shape=data_set.image_shape,
        classes=data_set.classes,
        licence=data_set.licence,
        citation=data_set.citation,
        sha256=data_set.sha256,
        split=_read_json(reports / "preprocess/metrics.json"),
        extra=params.data.extra,
        split_seed=params.preprocess.seed,
        level=level,
        corrupted_images=min(params.evaluate.corrupted_images, len(predictions)),
        validation=validation,
        training=_read_json(reports / "train" / model / "metrics.json"),
        scores=_read_json(evaluation / "metrics.json"),
        comparison=comparisons.get(model),
        by_class=classes.to_dict("records"),
        weakest=classes.loc[classes["recall"].idxmin()],
        errors=len(errors),
        sure=SURE,
        sure_errors=int((errors["confidence"] > SURE).sum()),
        corruptions=corruptions.to_dict("records"),
    )


def select(text: str, model: str) -> str | None:
    """Find the card of one model in a file of several; None if it is not among them."""
    cards = re.split(r"^(?=# Model card: )", text, flags=re.MULTILINE)
    return next((c for c in cards if c.startswith(f"# Model card: {model}\n")), None)


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())
