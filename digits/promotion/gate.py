"""The gate: the rules that a model has to meet to become the champion."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from digits.base import tables
from digits.base.errors import UserError
from digits.base.text import one_line
from digits.comparison import paired
from digits.evaluation import metrics
from digits.params import Promote
from digits.promotion.candidate import Candidate
from digits.tracking import store


@dataclass(frozen=True)
class Finding:
    """What the gate finds by one of its rules, and whether the rule holds."""

    rule: str
    holds: bool
    text: str


def gate(
    candidate: Candidate, run: Run, champion: ModelVersion | None, rules: Promote
) -> list[Finding]:
    """Hold a model against every rule.

    Args:
        candidate: the model.
        run: of its training.
        champion: the present one, if there is one.
        rules: the section `promote` of params.yaml; a finding has the name of its key.
    """
    evaluation = candidate.report(f"evaluate/{candidate.model}")
    corrupted = evaluation["corrupted_accuracy"]
    parity = candidate.report(f"train/{candidate.model}")["onnx_difference"]
    validation = candidate.report("validate")
    expectations, unmet = validation["expectations"], validation["expectations_broken"]
    faults = _faults(candidate, run)
    return [
        *_accuracy(candidate, champion, rules),
        _at_most("max_ece", evaluation["ece"], rules.max_ece),
        _at_least("min_corrupted_accuracy", corrupted, rules.min_corrupted_accuracy),
        *_collected(evaluation, rules),
        _at_most("max_onnx_difference", parity, rules.max_onnx_difference),
        Finding(
            "validation",
            unmet == 0 < expectations,
            f"{expectations - unmet} of {expectations} expectations of the data hold",
        ),
        Finding("lineage", not faults, "; ".join(faults) or "complete"),
    ]


def _collected(evaluation: Mapping[str, float], rules: Promote) -> Iterator[Finding]:
    """The rule for a model that was measured on collected images, too."""
    if (accuracy := evaluation.get("collected_accuracy")) is not None:
        yield _at_least("min_collected_accuracy", accuracy, rules.min_collected_accuracy)


def _at_least(rule: str, value: float, bound: float) -> Finding:
    return Finding(rule, value >= bound, f"{value:g}, must be at least {bound:g}")


def _at_most(rule: str, value: float, bound: float) -> Finding:
    return Finding(rule, value <= bound, f"{value:g}, must be at most {bound:g}")


def _accuracy(
    candidate: Candidate, champion: ModelVersion | None, rules: Promote
) -> Iterator[Finding]:
    """The two rules that need each image's prediction."""
    level = rules.confidence_level
    path = f"reports/evaluate/{candidate.model}/predictions.csv"
    source = f"{candidate.revision.name}: {path}"
    ours = tables.parse_predictions(candidate.revision.text(path).encode(), source)
    is_right = ours["predicted"] == ours["label"]
    low, _ = metrics.wilson_interval(int(is_right.sum()), len(ours), level)
    yield _at_least("min_accuracy_low", round(low, 6), rules.min_accuracy_low)
    if champion is None:
        yield Finding("max_accuracy_loss", True, "no champion yet")
        return
    name = f"{champion.name} version {champion.version}"
    theirs = _predictions_of(champion)
    paired.require_same_images({f"{name}, the champion,": theirs, str(candidate): ours})
    fixed, broken = map(len, paired.find_flips(theirs, ours))
    loss = -paired.lowest_difference(fixed, broken, len(ours), level)
    yield Finding(
        "max_accuracy_loss",
        loss <= rules.max_accuracy_loss,
        f"up to {loss:.6f} against {name} ({fixed} images fixed, {broken} broken), "
        f"must be at most {rules.max_accuracy_loss:g}",
    )


def _predictions_of(champion: ModelVersion) -> pd.DataFrame:
    """The champion's predictions, from its run: its commit may not be in this clone."""
    path = "evaluate/predictions.csv"
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = mlflow.MlflowClient().download_artifacts(str(champion.run_id), path, folder)
        except (MlflowException, OSError) as error:
            raise UserError(
                f"the run of the champion, {champion.name} version {champion.version}, has no "
                f"{path} to compare with: {one_line(error)}; {store.LOST_FILES}"
            ) from None
        return tables.read_predictions(Path(file))


def _faults(candidate: Candidate, run: Run) -> list[str]:
    """What keeps one from going back from the model to its code, parameters and data."""
    faults = []
    if stale := _stale(candidate):
        faults.append(f"out of date at the commit: {', '.join(stale)}")
    logged = defaultdict(set)
    for each in run.inputs.dataset_inputs if run.inputs else []:
        logged[json.loads(each.dataset.source)["uri"]].add(each.dataset.digest)
    for path, md5s in logged.items():
        if candidate.data.get(path) not in md5s:
            faults.append(f"the run read another {path}")
    return faults


def _stale(candidate: Candidate) -> list[str]:
    """The stages that `dvc repro` would run at the commit.

    DVC judges by the content of what is in git: code, parameters, reports. Of what is in
    its cache it has the hashes alone: those read must be those written.
    """
    try:
        with Repo(rev=candidate.revision.commit) as repo:
            stages = repo.index.stages
            kept = {out.fs_path: out for s in stages for out in s.outs if out.use_cache}

            def is_changed(edge: Output) -> bool:
                if edge.fs_path in kept:
                    return edge.hash_info != kept[edge.fs_path].hash_info
                path = Path(edge.fs_path)
                is_kept = any(
                    path.is_relative_to(out) or Path(out).is_relative_to(path) for out in kept
                )
                return not is_kept and bool(edge.status())

            stale = [
                stage.name
                for stage in stages
                if stage.changed_stage() or any(map(is_changed, [*stage.deps, *stage.outs]))
            ]
    except DvcException as error:
        raise UserError(f"{candidate.revision.name}: DVC cannot read it: {error}") from None
    expected = {f"train@{candidate.model}", f"evaluate@{candidate.model}", "validate", "card"}
    return stale + sorted(expected - {stage.name for stage in stages})
