"""From a commit's model to the champion: `digits promote`."""

from typing import Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import app, user_path


@app.command("promote")
def promote_model(
    model: Annotated[
        str | None,
        typer.Argument(help="Such as cnn; may be left out where the commit has one alone."),
    ] = None,
    rev: Annotated[
        str, typer.Argument(help="The commit: what git understands, or a DVC experiment's name.")
    ] = "HEAD",
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Register it as the challenger alone: no gate.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make the champion before this one champion again.")
    ] = False,
) -> None:
    """Make a commit's model the champion of MLflow's registry, if it deserves it.

    The model is registered under the name of its data set and gets the alias `champion`:
    `models:/mnist@champion` loads it. The champion before it becomes `previous`.

    But first it has to pass the gate, the section `promote` of params.yaml: accuracy, not
    worse than the present champion on the same images, calibration, robustness, ONNX
    parity, valid data, and a lineage that leads back to the commit's code, parameters and
    data. If a rule is broken it says which, by how much, and changes nothing.
    """
    if rollback and (model or challenger):
        raise UserError("--rollback takes nothing beside it: it knows the version to go back to")
    from digits import params
    from digits.promotion import candidate as promotion_candidate
    from digits.promotion import registry
    from digits.tracking import revisions

    if rollback:
        typer.echo(registry.roll_back(params.load().data.name))
        return
    candidate = promotion_candidate.find(model, revisions.find(rev))
    if challenger:
        typer.echo(registry.challenge(candidate))
        return
    for line in registry.promote(candidate, params.load().promote):
        typer.echo(line)


@app.command("release")
def release_model(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="By default the champion of the data set.")
    ] = None,
) -> None:
    """Put a model into the package: what `digits predict` and `serve` use without a pipeline.

    It comes with its card, its hashes and the commit it came from, in digits/released/cnn;
    commit that. At most 600 kB.
    """
    from digits import params
    from digits.promotion import release

    chosen = user_path(context, model) if model else f"models:/{params.load().data.name}@champion"
    typer.echo(release.release(chosen))
