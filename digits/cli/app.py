"""What all commands share: the application, the project's root, a model's options."""

import os
from pathlib import Path
from typing import Annotated

import typer

import digits
from digits.base.errors import UserError
from digits.base.text import printable
from digits.inference import loading
from digits.tracking import mending

app = typer.Typer(
    name="digits",
    help="Experiments, reviews and promotion, where DVC and MLflow meet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ANYWHERE = {"predict", "serve"}  # commands that need no dvc.yaml

MODELS = "A folder or model.onnx, models:/mnist@champion, models:/mnist/3 or runs:/ID"
ModelOption = Annotated[
    str | None,
    typer.Option(
        help=f"{MODELS}; by default models/cnn if there is one, else the model in the package."
    ),
]
NamedModelOption = Annotated[str, typer.Option(help=f"{MODELS}.")]  # with a default that is shown
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Refuse a digit it is less sure of; by default the model's own limit.",
    ),
]

CheckedOption = Annotated[
    bool,
    typer.Option(
        "--require-checked",
        help="Refuse a model whose hash neither dvc.lock nor MLflow tells, instead of a warning.",
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"digits {digits.__version__}")
        raise typer.Exit


@app.callback()
def at_root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show it and end."),
    ] = False,
) -> None:
    """Experiments, reviews and promotion, where DVC and MLflow meet."""
    context.obj = Path.cwd()  # what a command's paths are relative to
    needs_project = context.invoked_subcommand not in ANYWHERE
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").exists():
            os.chdir(folder)
            # Where a command needs no project, this may be another one's: it stays as it is.
            if needs_project and (done := mending.mend()):
                typer.echo(done, err=True)
            return
    if needs_project:
        raise UserError(f"{Path.cwd()}: no dvc.yaml here or in a folder above")


def warn_if_unchecked(origin: loading.Origin) -> None:
    """Say in one line that nothing told which hash a model should have."""
    if origin.unchecked:
        typer.echo(f"digits: {printable(origin.unchecked)}", err=True)


def user_path(context: typer.Context, model: str | None) -> str:
    """Resolve a model's path from where the command was started."""
    if model is None:
        return loading.default()
    path = context.obj / model
    return str(path) if path.exists() else model
