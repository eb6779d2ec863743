"""Whether results were reproduced: `digits verify`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digits.base.errors import UserError
from digits.cli.app import app

if TYPE_CHECKING:
    from digits.review.verification import Verification
    from digits.tracking.revisions import Revision

COMMIT = "git add . && git commit"
COMMIT_RESULTS = "git add dvc.lock reports && git commit"  # where nothing else changed


@app.command("verify")
def verify_results(
    base: Annotated[str, typer.Argument(help="The commit whose results they should be.")] = "HEAD",
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Write the CPU type of this workspace's models to reports/cpu.json."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Are the results here those of a commit: to the byte, within noise, or different?

    Data must be the same bytes. A model on another type of CPU never is: then its predictions
    are compared with the committed ones, and the interval of the difference of the accuracies
    must lie inside `verify.margin` of params.yaml.

    Ends with exit code 3 if something is different or missing.
    """
    from digits.review import verification
    from digits.tracking import revisions

    workspace = revisions.find(revisions.WORKSPACE)
    if record:
        verification.record(workspace, _trained_on(workspace))
        typer.echo(f"wrote {verification.CPUS}")
        return
    if base == "HEAD" and workspace.baseline is None:
        typer.echo(f"no commit yet, so nothing to compare with: `{COMMIT}`")
        return
    revision = revisions.find(base)
    if revision.read("dvc.lock") is None:
        typer.echo(f"{base} has no results to compare with: `{COMMIT}`")
        return
    found = verification.verify(revision, workspace)
    typer.echo(_as_json(found) if as_json else _as_text(found))
    if found.is_broken:
        raise typer.Exit(3)


@app.command("mend")
def mend_workspace() -> None:
    """Remove what a killed DVC or a full disk left behind.

    What DVC stumbles over every other command but `predict` and `serve` removes, too; this one
    also what only takes room in DVC's cache.
    """
    from digits.tracking import mending

    if done := mending.clear_cache():
        typer.echo(done, err=True)


def _trained_on(workspace: "Revision") -> dict[str, str]:
    """Find the CPU type that each model was trained on, in the run that trained it."""
    from digits.tracking import lock, provenance, runs, store

    stages = lock.read(workspace.text(lock.FILE), "train@.*")
    cpus: dict[str, str] = {}
    for name, stage in stages.items():
        model = name.removeprefix("train@")
        md5 = stage.outs[f"models/{model}"]
        found = runs.search(store.MODELS, condition=f"tags.`{runs.MODEL_MD5}` = '{md5}'")
        live = [run for run in found if runs.RESTORED not in run.data.tags]
        known = [run.data.tags[provenance.CPU] for run in live if provenance.CPU in run.data.tags]
        if not known:
            raise UserError(
                f"MLflow knows no run that trained models/{model}: only where it was trained can "
                "its CPU type be recorded"
            )
        cpus[model] = known[0]
    return cpus


def _as_text(found: "Verification") -> str:
    from digits.review.verification import Verdict
    from digits.tracking import cpu

    commit = f"{found.base.name} ({str(found.base.commit)[:7]})"
    lines = [f"{found.verdict} compared with {commit}"]
    lines += [
        f"  {each.name}: {each.verdict}" + (f"; {each.detail}" if each.detail else "")
        for each in (*found.data, *found.models)
    ]
    made_on = [
        f"{each.name} on {found.cpus.get(each.name, 'one that is not recorded')}"
        for each in found.models
        if each.verdict != Verdict.NEW
    ]
    lines.append(f"CPU type of the committed models: {'; '.join(made_on) or 'none'}")
    lines.append(f"CPU type of this machine: {cpu.cpu_type()}")
    return "\n".join([*lines, *_advice(found)])


def _advice(found: "Verification") -> list[str]:
    """Say what to do next, one sentence a line."""
    from digits.review.verification import Verdict

    match found.verdict:
        case Verdict.TO_THE_BYTE:
            return []
        case Verdict.MISSING:
            return ["next: `make repro` makes what is missing"]
        case Verdict.DIFFERENT:
            return [
                "next: look for what changed: `git status`, `make setup` for the packages; "
                f"`digits diff {found.base.name}` shows the metrics"
            ]
        case Verdict.CHANGED | Verdict.NEW:
            review = f"`digits diff {found.base.name}` reviews the change"
            return [f"next: {review}, `{COMMIT}` keeps it"]
    yours = f"commit yours: `digits verify --record && {COMMIT_RESULTS}`"
    return [f"next, keep the committed results: {_restoring(found)}", f"or {yours}"]


def _restoring(found: "Verification") -> str:
    """Say how the committed results come back, as far as they can be had here."""
    from digits.tracking import availability, lock

    stages = lock.read(found.base.text(lock.FILE))
    outs = {
        path: md5
        for stage in stages.values()
        for path, md5 in stage.outs.items()
        if path.startswith(("data/", "models/"))
    }
    # By its commit: git checks no DVC experiment out by name, nor a branch that origin alone has.
    back = f"git checkout {str(found.base.commit)[:7]} -- dvc.lock reports"
    if not (lost := availability.missing(outs)):
        return f"`{back} && dvc checkout`"
    if availability.has_remote():
        return f"`{back} && dvc pull`"
    return (
        f"`{back}`, but {', '.join(lost)} of that commit is in no cache or remote "
        "that this clone knows: `dvc remote add` one that has it, then `dvc pull`"
    )


def _as_json(found: "Verification") -> str:
    from digits.tracking import cpu

    values: dict[str, Any] = {
        "verdict": found.verdict,
        "commit": found.base.commit,
        "margin": found.margin,
        "confidence_level": found.confidence_level,
        "data": [asdict(each) for each in found.data],
        "models": [asdict(each) for each in found.models],
        "cpu": {"committed": dict(found.cpus), "here": cpu.cpu_type()},
        "next": _advice(found),
    }
    return json.dumps(values, indent=2)
