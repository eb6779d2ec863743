"""Experiments and their runs: `digits experiments`, `digits sync`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import app


@app.command("experiments")
def show_experiments(
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

    from digits.experiments import overview
    from digits.tracking import revisions, runs, store

    shown = [revisions.find("HEAD"), revisions.find(revisions.WORKSPACE)]
    shown += revisions.experiments().values()
    rows = overview.join(shown, runs.search(store.MODELS))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif as_csv:
        typer.echo(pd.json_normalize(list(map(asdict, rows))).to_csv(index=False), nl=False)
    else:
        form = "pipe" if markdown else "simple"
        typer.echo(tabulate(overview.table(rows), "keys", form, disable_numparse=True))


@app.command("sync")
def sync_store(
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
    from digits.experiments import sync
    from digits.tracking import revisions, runs

    chosen = [revisions.find(revision)]
    if all_experiments:
        chosen += revisions.experiments().values()
    known, registered, failures = runs.known(), 0, []
    for each in chosen:
        try:
            for stage in sync.sync(each, known):
                typer.echo(f"registered {stage} of {each.name}")
                registered += 1
        except UserError as error:  # the others may have what this one lacks
            failures.append(str(error))
    if registered or not failures:
        typer.echo(f"{registered} registered" if registered else "nothing to register")
    if failures:
        raise UserError("\n".join(failures))
