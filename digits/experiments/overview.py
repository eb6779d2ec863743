"""DVC's experiments and MLflow's runs, joined by content, and what is amiss with either."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mlflow.entities import Run

from digits.base import yaml12
from digits.base.errors import UserError
from digits.base.reports import parse_metrics
from digits.tracking import availability, lock, provenance
from digits.tracking import runs as tracking
from digits.tracking.revisions import WORKSPACE, Revision

METRICS = ("accuracy", "log_loss", "ece", "corrupted_accuracy")
UNFINISHED = {"RUNNING": "running", "FAILED": "failed", "KILLED": "killed"}


@dataclass(frozen=True)
class Row:
    """A model of a revision, or a run whose model no revision has.

    Attributes:
        experiment: its name, or that of another revision.
        revision: its commit; empty for the workspace and where there is none.
        model: such as "cnn"; empty for an experiment that made none other than its baseline's.
        params: what differs from the experiment's baseline, by dotted key.
        metrics: those of `METRICS`, on the test images; none where it was not evaluated.
        run: the id of its run in MLflow; empty where it has none.
        problem: what is amiss; empty where nothing is.
        sweep: the sweep and the trial that it is the full recipe of, such as "rates-cnn 7".
    """

    experiment: str
    revision: str
    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    run: str = ""
    problem: str = ""
    sweep: str = ""


@dataclass(frozen=True)
class Model:
    """What a revision has of a model: DVC's MD5 of it, and how it did.

    Attributes:
        is_evaluated: whether the evaluation is of this model, not of one trained before it.
    """

    md5: str
    metrics: Mapping[str, float]
    is_evaluated: bool


def join(revisions: Iterable[Revision], runs: Iterable[Run]) -> list[Row]:
    """Each revision's models with their runs, then the runs whose models no revision has.

    Of an experiment and of the workspace only what they made other than their baseline.

    Args:
        revisions: the workspace, commits, experiments.
        runs: of the experiment `store.MODELS`, newest first.
    """
    trained: dict[str, list[Run]] = {}
    unfinished = []
    for run in runs:
        if run.info.status == "FINISHED" and tracking.MODEL_MD5 in run.data.tags:
            trained.setdefault(run.data.tags[tracking.MODEL_MD5], []).append(run)
        elif provenance.EXPERIMENT in run.data.tags or run.info.status == "RUNNING":
            unfinished.append(run)
    # Many experiments share a baseline.
    models_of, params_of = cache(_models), cache(read_params)
    rows, present = [], set()
    for revision in revisions:
        models, changes = _models(revision), {}
        present |= {model.md5 for model in models.values()}
        if revision.baseline:
            baseline = Revision(revision.baseline, revision.baseline, revision.root)
            before, now, old = params_of(baseline), read_params(revision), models_of(baseline)
            changes = {key: now.get(key) for key in now | before if now.get(key) != before.get(key)}
            models = {name: model for name, model in models.items() if old.get(name) != model}
        rows += [_row(revision, name, model, changes, trained) for name, model in models.items()]
        if not models and revision.commit:
            problem = "models as in its baseline"
            rows.append(Row(revision.name, revision.commit, "", changes, problem=problem))
    orphans = [
        run
        for md5, found in trained.items()
        for run in found
        if md5 not in present and provenance.EXPERIMENT in run.data.tags
    ]
    return rows + [_orphan(run) for run in unfinished + orphans]


def _row(
    revision: Revision,
    name: str,
    model: Model,
    changes: Mapping[str, Any],
    trained: Mapping[str, list[Run]],
) -> Row:
    found = trained.get(model.md5, [])
    # The same model may have been trained several times, and by several experiments. An
    # evaluation is added to one of its runs: that one tells the most.
    ordered = sorted(
        found,
        key=lambda run: (
            "test_accuracy" not in run.data.metrics,
            run.data.tags.get(provenance.EXPERIMENT) != revision.name,
        ),
    )
    run = next(iter(ordered), None)
    cure = "digits sync" + (f" --rev {revision.name}" if revision.commit else "")
    problem = ""
    if run is None:
        outs = {f"models/{name}": model.md5}
        is_lost = not availability.can_be_had(outs, revision.root)
        problem = f"no run, and {availability.NOWHERE}" if is_lost else f"no run: {cure}"
    elif not model.is_evaluated:
        problem = "trained since it was evaluated: dvc repro"
    elif model.metrics and "test_accuracy" not in run.data.metrics:
        problem = f"its run has no test metrics: {cure}"
    run_id = run.info.run_id if run else ""
    commit = revision.commit or ""
    tags = run.data.tags if run else {}
    sweep = f"{tags.get(tracking.SWEEP, '')} {tags.get(tracking.TRIAL, '')}".strip()
    return Row(revision.name, commit, name, changes, model.metrics, run_id, problem, sweep)


def _orphan(run: Run) -> Row:
    tested = {key.removeprefix("test_"): value for key, value in run.data.metrics.items()}
    return Row(
        run.data.tags.get(provenance.EXPERIMENT, WORKSPACE),
        "",
        run.info.run_name,
        metrics={key: tested[key] for key in METRICS if f"test_{key}" in run.data.metrics},
        run=run.info.run_id,
        problem=UNFINISHED.get(run.info.status, "removed from DVC, or failed after the training"),
    )


def _models(revision: Revision) -> dict[str, Model]:
    models = {}
    stages = lock.read(revision.text(lock.FILE), "(train|evaluate)@.*")
    unevaluated = lock.unevaluated(stages)
    for stage in stages.values():
        kind, _, name = stage.name.partition("@")
        if kind == "evaluate":
            continue
        path, is_evaluated = f"reports/evaluate/{name}/metrics.json", name not in unevaluated
        metrics = parse_metrics(revision.read(path) or "{}", f"{revision.name}: {path}")
        selected = {key: metrics[key] for key in METRICS if key in metrics and is_evaluated}
        models[name] = Model(stage.outs[f"models/{name}"], selected, is_evaluated)
    return models


def read_params(revision: Revision) -> dict[str, Any]:
    """The values of a revision's params.yaml, by dotted key.

    Raises:
        UserError: it is not YAML.
    """
    try:
        return yaml12.flatten(yaml12.parse(revision.text("params.yaml")))
    except ValueError as error:
        raise UserError(f"{revision.name}: params.yaml: {error}") from None


def table(rows: Iterable[Row]) -> list[dict[str, str]]:
    """The rows as text, by the titles of the columns; of sweeps only where there are any."""
    rows = list(rows)
    has_sweeps = any(row.sweep for row in rows)
    return [
        {
            "experiment": row.experiment,
            "revision": row.revision[:7],
            "model": row.model,
            "parameters": ", ".join(f"{key}={value}" for key, value in row.params.items()),
            **{key: f"{row.metrics[key]:.4f}" if key in row.metrics else "" for key in METRICS},
            **({"sweep": row.sweep} if has_sweeps else {}),
            "run": row.run[:8],
            "problem": row.problem,
        }
        for row in rows
    ]
