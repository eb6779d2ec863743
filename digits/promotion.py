"""Promotion: through a gate, a model of a commit becomes the champion of MLflow's registry.

The registered model has the name of the data set. Three aliases move over its versions:
`challenger`, the one registered last; `champion`, the one to use; `previous`, the champion
before it, for a rollback.
"""

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # before MLflow is imported

import mlflow
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from digits import card, comparison, lock, metrics, tables, tracking
from digits.errors import UserError
from digits.params import Promote
from digits.revisions import Revision

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
AGAINST = "promotion.against"  # the champion's version, while a version stands against it
CARD = "reports/model_card.md"
DESCRIPTION_LIMIT = 5000  # characters, of MLflow's column


@dataclass(frozen=True)
class Candidate:
    """A model as a commit's files tell of it.

    Attributes:
        stages: the commit's dvc.lock.
    """

    model: str
    revision: Revision
    stages: Mapping[str, lock.Stage]

    @property
    def md5(self) -> str:
        """Of the model's folder, as DVC counts it: the key to its run and its version."""
        return self.stages[f"train@{self.model}"].outs[f"models/{self.model}"]

    @property
    def registered_name(self) -> str:
        return self.stages[f"train@{self.model}"].params["params.yaml"]["data.name"]

    @property
    def data(self) -> dict[str, str]:
        """The MD5 of each file or folder of data on the way to the model and its test, by path."""
        return {
            path: md5
            for name, stage in self.stages.items()
            if name.partition("@")[2] in ("", self.model)
            for path, md5 in {**stage.deps, **stage.outs}.items()
            if path.startswith("data/")
        }

    def report(self, path: str) -> dict[str, Any]:
        return json.loads(self.revision.text(f"reports/{path}/metrics.json"))

    def __str__(self) -> str:
        return f"{self.model} of {str(self.revision.commit)[:7]}"


@dataclass(frozen=True)
class Finding:
    """What the gate finds by one of its rules, and whether the rule holds."""

    rule: str
    holds: bool
    text: str


def find(model: str | None, revision: Revision) -> Candidate:
    """The model of a commit; without a name, its only one.

    Raises:
        UserError: there is no such model, or no commit.
    """
    if revision.commit is None:
        raise UserError("the workspace is no commit: commit what `dvc repro` wrote, promote that")
    stages = lock.read(revision.text(lock.FILE))
    models = [name.removeprefix("train@") for name in stages if name.startswith("train@")]
    if model is None and len(models) == 1:
        model = models[0]
    if model not in models:
        asked = f"has no model {model!r}" if model else "has several models"
        raise UserError(f"{revision.name} {asked}: name one of {', '.join(models)}")
    return Candidate(model, revision, stages)


def promote(candidate: Candidate, rules: Promote) -> Iterator[str]:
    """Register a model and make it the champion, if every rule of the gate holds.

    MLflow cannot compare and set an alias in one step, so that two promotions might both
    be held against one champion, and the second unseat the first unasked. But the store
    numbers the versions of a model one after the other: a version says against which
    champion it stands, and of those that say the same the first wins.

    Yields:
        Lines that tell what was found and done.

    Raises:
        UserError: a rule is broken, each in a line; or another promotion was faster.
            Nothing has changed then.
    """
    run, client = _find_run(candidate), mlflow.MlflowClient()
    name, champion = candidate.registered_name, _find_version(candidate.registered_name, CHAMPION)
    if champion and champion.tags.get(tracking.MODEL_MD5) == candidate.md5:
        yield f"{candidate} is the champion already: {name} version {champion.version}"
        return
    findings = gate(candidate, run, champion, rules)
    if broken := [finding for finding in findings if not finding.holds]:
        lines = [f"{candidate} is refused, {name}'s champion stays as it was:"]
        raise UserError("\n".join(lines + [f"{each.rule}: {each.text}" for each in broken]))
    tags = {f"gate.{finding.rule}": finding.text for finding in findings}
    tags[AGAINST] = _number(champion)
    version, is_new = _register(candidate, run, tags)
    if rival := _rival(version, is_new, champion):
        if is_new:
            client.delete_model_version(name, version.version)
        else:
            client.delete_model_version_tag(name, version.version, AGAINST)
        raise UserError(f"{candidate} is not promoted: {rival}")
    _move(name, {CHALLENGER: version, PREVIOUS: champion, CHAMPION: version})
    client.delete_model_version_tag(name, version.version, AGAINST)
    yield from (f"{finding.rule}: {finding.text}" for finding in findings)
    yield f"{candidate} is the champion: {name} version {version.version}"


def challenge(candidate: Candidate) -> str:
    """Register a model as the challenger, to be tried out; no gate, the champion stays."""
    version, _ = _register(candidate, _find_run(candidate), {})
    _move(version.name, {CHALLENGER: version})
    return f"{candidate} is the challenger: {version.name} version {version.version}"


def roll_back(name: str) -> str:
    """Make the champion before the present one the champion again: one step, not a second.

    Args:
        name: of the registered model.
    """
    tracking.connect(tracking.MODELS)
    champion, previous = _find_version(name, CHAMPION), _find_version(name, PREVIOUS)
    if champion is None or previous is None:
        raise UserError(
            f"{name}: no version has the alias {PREVIOUS}, nothing to roll back to; "
            "`digits promote MODEL REV` promotes the model of any commit"
        )
    _move(name, {CHAMPION: previous})
    mlflow.MlflowClient().delete_registered_model_alias(name, PREVIOUS)
    return f"{name} version {previous.version} is the champion again, not {champion.version}"


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
        _at_most("max_onnx_difference", parity, rules.max_onnx_difference),
        Finding(
            "validation",
            unmet == 0 < expectations,
            f"{expectations - unmet} of {expectations} expectations of the data hold",
        ),
        Finding("lineage", not faults, "; ".join(faults) or "complete"),
    ]


def _at_least(rule: str, value: float, bound: float) -> Finding:
    return Finding(rule, value >= bound, f"{value:g}, must be at least {bound:g}")


def _at_most(rule: str, value: float, bound: float) -> Finding:
    return Finding(rule, value <= bound, f"{value:g}, must be at most {bound:g}")


def _accuracy(
    candidate: Candidate, champion: ModelVersion | None, rules: Promote
) -> Iterator[Finding]:
    """The two rules that need each image's prediction."""
    level = rules.confidence_level
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candidate.csv"
        path.write_text(
            candidate.revision.text(f"reports/evaluate/{candidate.model}/predictions.csv")
        )
        ours = tables.read_predictions(path)
        theirs = tables.read_predictions(_download(champion, folder)) if champion else None
    is_right = ours["predicted"] == ours["label"]
    low, _ = metrics.wilson(int(is_right.sum()), len(ours), level)
    yield _at_least("min_accuracy_low", round(low, 6), rules.min_accuracy_low)
    if champion is None or theirs is None:
        yield Finding("max_accuracy_loss", True, "no champion yet")
        return
    name = f"{champion.name} version {champion.version}"
    comparison.require_same_images({f"{name}, the champion,": theirs, str(candidate): ours})
    was_right = theirs["predicted"] == theirs["label"]
    fixed, broken = int((is_right & ~was_right).sum()), int((~is_right & was_right).sum())
    loss = -comparison.lowest_difference(fixed, broken, len(ours), level)
    yield Finding(
        "max_accuracy_loss",
        loss <= rules.max_accuracy_loss,
        f"up to {loss:.6f} against {name} ({fixed} images fixed, {broken} broken), "
        f"must be at most {rules.max_accuracy_loss:g}",
    )


def _download(champion: ModelVersion, folder: str) -> Path:
    """The champion's predictions, from its run: its commit may not be in this clone."""
    try:
        return Path(
            mlflow.MlflowClient().download_artifacts(
                str(champion.run_id), "evaluate/predictions.csv", folder
            )
        )
    except (MlflowException, OSError) as error:
        raise UserError(
            f"the run of the champion, {champion.name} version {champion.version}, has no "
            f"evaluate/predictions.csv to compare with: {' '.join(str(error).split())[:200]}"
        ) from None


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


def _find_run(candidate: Candidate) -> Run:
    """The newest run that trained the very model."""
    found = tracking.find_model_run(candidate.md5)
    if found is None:
        raise UserError(
            f"{candidate}: MLflow knows no run of this model: "
            f"`digits sync --rev {candidate.revision.name}` registers it"
        )
    return mlflow.MlflowClient().get_run(found.run_id)


def _find_version(name: str, alias: str) -> ModelVersion | None:
    client = mlflow.MlflowClient()
    found = client.search_registered_models(f"name = '{name}'")
    number = found[0].aliases.get(alias) if found else None
    return client.get_model_version(name, number) if number else None


def _register(candidate: Candidate, run: Run, tags: Mapping[str, str]) -> tuple[ModelVersion, bool]:
    """The version of the model, and whether it is new: the same content has one only."""
    client, name = mlflow.MlflowClient(), candidate.registered_name
    description = _description(candidate)
    tags = {
        "git.commit": str(candidate.revision.commit),
        "model": candidate.model,
        tracking.MODEL_MD5: candidate.md5,
        **candidate.data,
        **tags,
    }
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.tags.get(tracking.MODEL_MD5) == candidate.md5:
            for key, value in tags.items():
                client.set_model_version_tag(name, version.version, key, value)
            return client.update_model_version(name, version.version, description), False
    (output,) = run.outputs.model_outputs if run.outputs else []
    return client.create_model_version(
        name,
        source=f"models:/{output.model_id}",
        run_id=run.info.run_id,
        tags=tags,
        description=description,
        model_id=output.model_id,
    ), True


def _description(candidate: Candidate) -> str:
    """The model's card, as far as MLflow takes it."""
    text = card.select(candidate.revision.text(CARD), candidate.model)
    if text is None:
        raise UserError(f"{candidate}: {CARD} has no card of it: `dvc repro` and commit")
    if len(text) > DESCRIPTION_LIMIT:
        end = f"\n... the rest is in {CARD} of the commit."
        text = text[: DESCRIPTION_LIMIT - len(end)] + end
    return text


def _rival(version: ModelVersion, is_new: bool, champion: ModelVersion | None) -> str:
    """Who was faster than this version to stand against the champion; empty: nobody."""
    for other in mlflow.MlflowClient().search_model_versions(f"name = '{version.name}'"):
        # One that was registered before gives way to any: its number says nothing.
        is_first = int(other.version) < int(version.version) or not is_new
        is_other = int(other.version) != int(version.version)
        if is_first and is_other and other.tags.get(AGAINST) == _number(champion):
            again = f"digits promote {other.tags['model']} {other.tags['git.commit'][:7]}"
            return (
                f"version {other.version} was faster; try again against it "
                f"(if it does not become the champion: `{again}`)"
            )
    # After the versions: a winner is the champion before it stops standing against the last.
    if _number(_find_version(version.name, CHAMPION)) != _number(champion):
        return "another version has become the champion meanwhile: try again against it"
    return ""


def _number(version: ModelVersion | None) -> str:
    return str(version.version) if version else "none"


def _move(name: str, aliases: Mapping[str, ModelVersion | None]) -> None:
    for alias, version in aliases.items():
        if version is not None:
            mlflow.MlflowClient().set_registered_model_alias(name, alias, str(version.version))
