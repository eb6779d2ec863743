"""Promotion: through a gate, a model of a commit becomes the champion of MLflow's registry.

The registered model has the name of the data set. Three aliases move over its versions:
`challenger`, the one registered last; `champion`, the one to use; `previous`, the champion
before it, for a rollback.
"""

import os
from collections.abc import Iterator, Mapping

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # before MLflow is imported

import mlflow
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from digits.base.errors import UserError
from digits.params import Promote
from digits.promotion.candidate import Candidate, describe
from digits.promotion.gate import gate
from digits.tracking import availability, lock, revisions, runs, store

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
AGAINST = "promotion.against"  # the champion's version, while a version stands against it


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
    if _is_uncommitted(candidate):
        yield f"the workspace's {candidate.model} is another and not committed: this is {candidate}"
    name, champion = candidate.registered_name, _find_version(candidate.registered_name, CHAMPION)
    if champion and champion.tags.get(runs.MODEL_MD5) == candidate.md5:
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
    """Register a model as the challenger, to be tried out; no gate, the champion stays.

    A version that has the model already, such as the champion, stays as it is.
    """
    run = _find_run(candidate)
    version = _find_same(candidate) or _register(candidate, run, {})[0]
    _move(version.name, {CHALLENGER: version})
    return f"{candidate} is the challenger: {version.name} version {version.version}"


def roll_back(name: str) -> str:
    """Make the champion before the present one the champion again: one step, not a second.

    Args:
        name: of the registered model.
    """
    store.connect(store.MODELS)
    champion, previous = _find_version(name, CHAMPION), _find_version(name, PREVIOUS)
    if champion is None or previous is None:
        raise UserError(
            f"{name}: no version has the alias {PREVIOUS}, nothing to roll back to; "
            "`digits promote MODEL REV` promotes the model of any commit"
        )
    _move(name, {CHAMPION: previous})
    mlflow.MlflowClient().delete_registered_model_alias(name, PREVIOUS)
    return f"{name} version {previous.version} is the champion again, not {champion.version}"


def source_of(version: str) -> tuple[str, str]:
    """The commit that a version was registered from, such as "mnist version 3", and its card."""
    name, _, number = version.rpartition(" version ")
    found = mlflow.MlflowClient().get_model_version(name, number)
    return found.tags["git.commit"], found.description or ""


def _find_run(candidate: Candidate) -> Run:
    """The newest run that trained the very model."""
    found = runs.find_model_run(candidate.md5)
    if found is None:
        raise UserError(f"{candidate}: MLflow knows no run of this model: {_explain(candidate)}")
    return mlflow.MlflowClient().get_run(found.run_id)


def _explain(candidate: Candidate) -> str:
    """Why there is no run of a model, and what gives it one: never what cannot."""
    if _is_uncommitted(candidate):
        return (
            f"your results differ from those of {candidate.revision.name}: commit them first "
            "(`git add . && git commit`), or bring the committed ones back "
            "(`digits verify` says how)"
        )
    outs = {f"models/{candidate.model}": candidate.md5}
    if not availability.can_be_had(outs, candidate.revision.root):
        return (
            f"{availability.NOWHERE}; `dvc repro` in a checkout of that commit makes them anew, to "
            "the byte on the same type of CPU alone: on another, commit what it makes"
        )
    return f"`digits sync --rev {candidate.revision.name}` registers it"


def _is_uncommitted(candidate: Candidate) -> bool:
    """Whether the workspace, on the candidate's commit, has another model of its name."""
    workspace = revisions.find(revisions.WORKSPACE, candidate.revision.root)
    made = lock.read(
        (workspace.read(lock.FILE) or b"").decode(errors="replace"), f"train@{candidate.model}"
    )
    is_other = any(
        stage.outs.get(f"models/{candidate.model}") != candidate.md5 for stage in made.values()
    )
    return is_other and workspace.baseline == candidate.revision.commit


def _find_version(name: str, alias: str) -> ModelVersion | None:
    client = mlflow.MlflowClient()
    found = client.search_registered_models(f"name = '{name}'")
    number = found[0].aliases.get(alias) if found else None
    return client.get_model_version(name, number) if number else None


def _register(candidate: Candidate, run: Run, tags: Mapping[str, str]) -> tuple[ModelVersion, bool]:
    """The version of the model, and whether it is new: the same content has one only."""
    client, name = mlflow.MlflowClient(), candidate.registered_name
    description = describe(candidate)
    tags = {
        "git.commit": str(candidate.revision.commit),
        "model": candidate.model,
        runs.MODEL_MD5: candidate.md5,
        **candidate.data,
        **tags,
    }
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    if version := _find_same(candidate):
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


def _find_same(candidate: Candidate) -> ModelVersion | None:
    """The version that has the very model."""
    found = mlflow.MlflowClient().search_model_versions(f"name = '{candidate.registered_name}'")
    return next((v for v in found if v.tags.get(runs.MODEL_MD5) == candidate.md5), None)


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
