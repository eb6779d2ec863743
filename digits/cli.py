"""The command line `digits`: daily work with experiments, reviews and models.

A command's heavy imports are inside it: `digits --help` answers at once.
"""

import json
import os
import sys
from dataclasses import asdict
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
def experiments(
    markdown: Annotated[bool, typer.Option("--md", help="Print Markdown.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, unshortened.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, unshortened.")] = False,
) -> None:
    """Show the DVC experiments with their MLflow runs, and what is amiss with either.

    First come HEAD's models; then those that the workspace and each experiment made other
    than their baseline; then runs whose experiment was removed, failed or still runs.
    The two are joined by the model's MD5, wherever it was trained.
    """
    import pandas as pd
    from tabulate import tabulate

    from digits import experiments, revisions, tracking

    shown = [revisions.find("HEAD"), revisions.find(revisions.WORKSPACE)]
    shown += revisions.experiments().values()
    rows = experiments.join(shown, tracking.search(tracking.MODELS))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif as_csv:
        typer.echo(pd.json_normalize(list(map(asdict, rows))).to_csv(index=False), nl=False)
    else:
        form = "pipe" if markdown else "simple"
        typer.echo(tabulate(experiments.table(rows), "keys", form, disable_numparse=True))


@app.command()
def sync(
    revision: Annotated[
        str, typer.Option("--rev", help="A commit, branch, tag or DVC experiment.")
    ] = "workspace",
    all_experiments: Annotated[
        bool, typer.Option("--all-experiments", help="Every DVC experiment, and the workspace.")
    ] = False,
) -> None:
    """Register in MLflow what DVC has and MLflow does not know.

    DVC may have taken results from its run cache, a remote or an applied experiment, or
    MLflow's store may have been deleted: then nothing was there to log them. Each stage of
    dvc.lock without a run gets one, from the files, tagged `restored`. What is known by its
    content is left alone: a second call adds nothing.
    """
    from digits import revisions, sync, tracking

    chosen = [revisions.find(revision)]
    if all_experiments:
        chosen += revisions.experiments().values()
    known, registered, failures = tracking.known(), 0, []
    for each in chosen:
        try:
            for stage in sync.sync(each, known):
                typer.echo(f"registered {stage} of {each.name}")
                registered += 1
        except UserError as error:  # the others may have what this one lacks
            failures.append(str(error))
    typer.echo(f"{registered} registered" if registered else "nothing to register")
    if failures:
        raise UserError("\n".join(failures))


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and exit code 1."""
    try:
        app()
    except (UserError, OSError) as error:
        sys.exit("\n".join(f"digits: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
