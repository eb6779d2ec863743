"""The review of a change: `digits diff`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from digits.cli.app import app


class FailIf(StrEnum):
    WORSE = "worse"


@app.command("diff")
def review_change(
    context: typer.Context,
    base: Annotated[str, typer.Argument(help="what the change is compared with")] = "main",
    head: Annotated[str, typer.Argument(help="the change")] = "workspace",
    md: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the review as Markdown, too; -: print only that."),
    ] = None,
    fail_if: Annotated[
        FailIf | None, typer.Option(help="End with exit code 3 if a model is worse beyond noise.")
    ] = None,
) -> None:
    """Review a change by its metrics: is a model better, worse, or is it noise?

    BASE and HEAD are branches, tags, commits, DVC experiments, or `workspace`. Their reports
    are read from git: no data, no model, no remote is needed.

    The verdict is that of McNemar's exact test on the predictions for the same test images,
    corrected for the number of models. Beside it: what became of the parameters, the metrics
    and the cost, the images fixed and broken (as pictures beside FILE where
    data/processed/test.npz is at hand), and whether another seed would make such a difference.
    """
    from digits.base import files
    from digits.review import plot, review, table
    from digits.tracking import revisions

    found = review.review(revisions.find(base), revisions.find(head))
    if md == Path("-"):
        typer.echo(table.render_markdown(found, {}), nl=False)
    else:
        typer.echo(table.render_text(found))
    if md and md != Path("-"):
        path = context.obj / md
        pictures = plot.draw(found, Path("data/processed/test.npz"), path)
        files.write_text(path, table.render_markdown(found, pictures))
    if fail_if and found.is_worse:
        raise typer.Exit(3)
