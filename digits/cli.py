"""The command line `digits`: daily work with experiments, reviews and models.

A command's heavy imports are inside it: `digits --help` answers at once.
"""

import os
import sys
from enum import StrEnum
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


class FailIf(StrEnum):
    WORSE = "worse"


@app.command()
def diff(
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
    from digits import files, review, review_plot, review_table, revisions

    found = review.review(revisions.find(base), revisions.find(head))
    if md == Path("-"):
        typer.echo(review_table.markdown(found, {}), nl=False)
    else:
        typer.echo(review_table.text(found))
    if md and md != Path("-"):
        pictures = review_plot.draw(found, Path("data/processed/test.npz"), md)
        files.write_text(md, review_table.markdown(found, pictures))
    if fail_if and found.is_worse:
        raise typer.Exit(3)


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and exit code 1."""
    try:
        app()
    except (UserError, OSError) as error:
        sys.exit("\n".join(f"digits: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
