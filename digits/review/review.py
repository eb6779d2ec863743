"""A change by its results: the reports of two revisions, with a verdict on each model.

Everything is read from git or the workspace: no data, no model and no remote is needed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from scipy.stats import t

from digits import params
from digits.base import schema, tables, yaml12
from digits.base.errors import UserError
from digits.base.reports import parse_metrics
from digits.base.text import one_line
from digits.comparison import paired
from digits.comparison.correction import holm
from digits.comparison.paired import Comparison
from digits.tracking import lock
from digits.tracking.revisions import Revision

EVALUATIONS = "reports/evaluate"
SEEDS = "reports/benchmarks/seeds.json"
VALIDATION = "reports/validate/metrics.json"


@dataclass(frozen=True)
class Change:
    """What a key's value was and is; None where there is none."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True)
class ModelReview:
    """How a model changed.

    Attributes:
        verdict: better, worse, within noise; unchanged, where every prediction is the same
            to the last digit; added; removed.
        old, new: predictions, as in predictions.csv; None where that side has none.
        old_metrics, new_metrics: numbers by dotted key.
        comparison: of new with old, its p-value after Holm; None: nothing to compare.
    """

    verdict: str
    old: pd.DataFrame | None
    new: pd.DataFrame | None
    old_metrics: Mapping[str, float]
    new_metrics: Mapping[str, float]
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Spread:
    """The spread of the accuracies of one recipe over several seeds, in %."""

    n: int
    mean: float
    sd: float

    def chance(self, confidence_level: float) -> float:
        """The largest accuracy difference, in points, to expect between two seeds at this level.

        Student's interval for the difference of two draws from one normal distribution,
        whose standard deviation these seeds estimate.
        """
        return float(t.ppf((1 + confidence_level) / 2, self.n - 1) * 2**0.5 * self.sd)


@dataclass(frozen=True)
class Review:
    """What differs between two revisions.

    Attributes:
        parameters: as JSON; those of datasets.yaml after its name, "datasets.yaml:".
        data: the changes in what `validate` measured.
        models: by name.
        spreads: over the seeds, by model, where HEAD has them.
        spreads_commit: the commit whose recipe was trained with several seeds.
        classes: their names.
    """

    base: Revision
    head: Revision
    confidence_level: float
    parameters: Sequence[Change]
    data: Sequence[Change]
    models: Mapping[str, ModelReview]
    spreads: Mapping[str, Spread]
    spreads_commit: str
    classes: Sequence[str]

    @property
    def is_worse(self) -> bool:
        """Whether a model is worse beyond noise."""
        return any(model.verdict == "worse" for model in self.models.values())

    def class_name(self, number: int) -> str:
        """The name of a class, or its number where HEAD's datasets.yaml does not name it."""
        return str(self.classes[number] if number < len(self.classes) else number)


def review(base: Revision, head: Revision) -> Review:
    """Compare two revisions of the project.

    Raises:
        UserError: a report is not what its stage writes, or of a model that was trained anew
            since, or a model was evaluated on other images than before.
    """
    _require_evaluated(base)
    _require_evaluated(head)
    old, new = _settings(base), _settings(head)
    # A change under review cannot loosen its own test: what BASE says comes first.
    compare = {
        key: value
        for key in params.Compare.model_fields
        if (value := old.get(f"compare.{key}", new.get(f"compare.{key}"))) is not None
    }
    test = schema.check(params.Compare, compare, f"{base.name}: params.yaml: compare")
    spreads_commit, spreads = _parse(head, SEEDS, _read_spreads) or ("", {})
    names = new.get(f"datasets.yaml:{new.get('data.name')}.classes")
    return Review(
        base=base,
        head=head,
        confidence_level=test.confidence_level,
        parameters=changes(_as_json(old), _as_json(new)),
        data=changes(_metrics(base, VALIDATION), _metrics(head, VALIDATION)),
        models=_models(base, head, test, (old.get("data.name"), new.get("data.name"))),
        spreads=spreads,
        spreads_commit=spreads_commit,
        classes=names if isinstance(names, list) else [],
    )


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The keys whose values differ, in their order."""
    pairs = [Change(key, old.get(key), new.get(key)) for key in {**new, **old}]
    return [pair for pair in pairs if pair.old != pair.new]


def _models(
    base: Revision, head: Revision, test: params.Compare, data_sets: tuple[Any, Any]
) -> dict[str, ModelReview]:
    found = {}
    for name in sorted({*base.folders(EVALUATIONS), *head.folders(EVALUATIONS)}):
        old, new = (_predictions(side, name) for side in (base, head))
        if old is None and new is None:
            continue
        metrics = f"{EVALUATIONS}/{name}/metrics.json"
        model = ModelReview(
            verdict="added" if old is None else "removed" if new is None else "unchanged",
            old=old,
            new=new,
            old_metrics=_metrics(base, metrics),
            new_metrics=_metrics(head, metrics),
        )
        if old is not None and new is not None and not old.equals(new):
            sides = {f"{name} at {base.name} (base)": old, f"{name} at {head.name} (head)": new}
            _require_same_data_set(base, head, data_sets)
            paired.require_same_images(sides)
            model = replace(model, comparison=paired.compare(old, new, test))
        found[name] = model
    # Only what can be found better or worse by chance counts: no model that is unchanged.
    compared = {name: m.comparison for name, m in found.items() if m.comparison is not None}
    corrected = holm([c.p_value for c in compared.values()])
    for (name, c), p_value in zip(compared.items(), corrected, strict=True):
        final = replace(c, p_value=p_value)
        verdict = final.verdict(test.confidence_level)
        found[name] = replace(found[name], comparison=final, verdict=verdict)
    return found


def _require_evaluated(revision: Revision) -> None:
    stages = lock.read(
        (revision.read(lock.FILE) or b"").decode(errors="replace"), "(train|evaluate)@.*"
    )
    if found := sorted(lock.unevaluated(stages)):
        raise UserError(
            f"{revision.name}: {' and '.join(found)}: trained since last evaluated, so that the "
            "reports tell of an earlier model: `dvc repro` evaluates what was trained"
        )


def _require_same_data_set(base: Revision, head: Revision, data_sets: tuple[Any, Any]) -> None:
    old, new = data_sets
    if old != new:
        raise UserError(
            f"{base.name} has results of {old}, {head.name} of {new}, and models are "
            "compared on one data set; reports/compare/table.md and `digits experiments` show "
            f"those of {head.name}"
        )


def _settings(revision: Revision) -> dict[str, Any]:
    """The values of params.yaml by dotted key, and of datasets.yaml after its name."""
    catalogue = _values(revision, "datasets.yaml", yaml12.parse)
    return _values(revision, "params.yaml", yaml12.parse) | {
        f"datasets.yaml:{key}": value for key, value in catalogue.items()
    }


def _metrics(revision: Revision, path: str) -> dict[str, float]:
    content, source = revision.read(path), f"{revision.name}: {path}"
    return {} if content is None else yaml12.flatten(parse_metrics(content, source))


def _predictions(revision: Revision, model: str) -> pd.DataFrame | None:
    path = f"{EVALUATIONS}/{model}/predictions.csv"
    content = revision.read(path)
    source = f"{revision.name}: {path}"
    return None if content is None else tables.parse_predictions(content, source)


def _read_spreads(content: bytes) -> tuple[str, dict[str, Spread]]:
    """The commit whose recipe was trained with several seeds, and the spreads by model."""
    seeds = json.loads(content)
    rows = [row for row in seeds["rows"] if row["metric"] == "accuracy" and row["n"] > 1]
    spreads = {r["model"]: Spread(int(r["n"]), float(r["mean"]), float(r["sd"])) for r in rows}
    return str(seeds["commit"]), spreads


def _values(revision: Revision, path: str, load: Callable[[bytes], Any]) -> dict[str, Any]:
    """The values of a file by dotted key; none where there is no such file."""
    return yaml12.flatten(_parse(revision, path, lambda content: dict(load(content) or {})) or {})


def _parse(revision: Revision, path: str, parse: Callable[[bytes], Any]) -> Any:
    """The parsed content of a file; None where there is no such file."""
    content, source = revision.read(path), f"{revision.name}: {path}"
    try:
        return None if content is None else parse(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{source}: not what it must be: {one_line(error)}") from None


def _as_json(values: Mapping[str, Any]) -> dict[str, str]:
    """Each value as JSON, which tells 1 from "1" and from true."""
    return {
        key: json.dumps(value, ensure_ascii=False, default=str) for key, value in values.items()
    }
