"""The command line `digits`: daily work with experiments, reviews and models.

A command's heavy imports are inside it: `digits --help` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from digits.errors import UserError

app = typer.Typer(
    name="digits",
    help="Experiments, reviews and promotion, where DVC and MLflow meet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def at_root() -> None:
    """Experiments, reviews and promotion, where DVC and MLflow meet."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").exists():
            os.chdir(folder)
            return
    raise UserError(f"{Path.cwd()}: no dvc.yaml here or in a folder above")


@app.command()
def promote(
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
    from digits import params, promotion, revisions

    if rollback:
        typer.echo(promotion.roll_back(params.load().data.name))
        return
    candidate = promotion.find(model, revisions.find(rev))
    if challenger:
        typer.echo(promotion.challenge(candidate))
        return
    for line in promotion.promote(candidate, params.load().promote):
        typer.echo(line)


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and exit code 1."""
    try:
        app()
    except (UserError, OSError) as error:
        sys.exit("\n".join(f"digits: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
