"""The command line `digits`: daily work with experiments, reviews and models.

A command's heavy imports are inside it: `digits --help` answers at once.
"""

import gc
import json
import os
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from digits.base.errors import UserError

app = typer.Typer(
    name="digits",
    help="Experiments, reviews and promotion, where DVC and MLflow meet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def at_root(context: typer.Context) -> None:
    """Experiments, reviews and promotion, where DVC and MLflow meet."""
    context.obj = Path.cwd()  # what a command's paths are relative to
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

    from digits.experiments import overview
    from digits.tracking import revisions, runs, store

    gc.freeze()  # else half of the time goes into looking for garbage in what was imported
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
    typer.echo(f"{registered} registered" if registered else "nothing to register")
    if failures:
        raise UserError("\n".join(failures))


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
    from digits.base import files
    from digits.review import plot, review, table
    from digits.tracking import revisions

    found = review.review(revisions.find(base), revisions.find(head))
    if md == Path("-"):
        typer.echo(table.markdown(found, {}), nl=False)
    else:
        typer.echo(table.text(found))
    if md and md != Path("-"):
        pictures = plot.draw(found, Path("data/processed/test.npz"), md)
        files.write_text(md, table.markdown(found, pictures))
    if fail_if and found.is_worse:
        raise typer.Exit(3)


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


Model = Annotated[
    str,
    typer.Option(
        help="A folder or model.onnx, models:/mnist@champion, models:/mnist/3 or runs:/ID."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Refuse a digit of a lower confidence; by default the model's own."
    ),
]


@app.command()
def predict(
    context: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Pictures, folders of them, or -.")
    ],
    model: Model = "models/cnn",
    threshold: Threshold = None,
    explain: Annotated[
        Path | None,
        typer.Option(help="Draw how the picture was read, from its ink to the first layer: a PNG."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Read the handwritten digits in pictures: photos, scans, drawings, one digit or many.

    Of each digit, in the order of reading: its row and its box in the picture (left, top,
    width, height), its class, how sure the model is, and the three likeliest classes. A
    digit that the model is not sure enough of is refused: `?`.

    A picture that cannot be read is named at the end, with exit code 1; the others are
    answered all the same.
    """
    from digits.recognition import reading
    from digits.recognition.recognizer import Recognizer

    recognizer = Recognizer(_user_path(context, model), threshold)
    explanation = context.obj / explain if explain else None
    found, failures = reading.read(recognizer, paths, context.obj, explanation)
    if as_json:
        typer.echo(reading.to_json(found, recognizer))
    elif as_csv:
        typer.echo(reading.to_csv(found), nl=False)
    else:
        typer.echo(reading.to_table(found))
    if failures:
        raise UserError("\n".join(failures))


@app.command()
def serve(
    context: typer.Context,
    model: Model = "models/cnn",
    host: Annotated[str, typer.Option(help="0.0.0.0: all the world.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    threshold: Threshold = None,
    threads: Annotated[int, typer.Option(min=1, help="Of the model, for one batch.")] = 2,
    max_bytes: Annotated[int, typer.Option(min=1, help="Of a request's body.")] = 16_000_000,
    max_pixels: Annotated[int, typer.Option(min=1, help="Of a picture, unpacked.")] = 25_000_000,
    max_digits: Annotated[int, typer.Option(min=1, help="Of a picture.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=0.001, help="For a request.")] = 10,
    max_waiting: Annotated[int, typer.Option(min=1, help="Requests at work or waiting.")] = 64,
    follow: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at an alias.")
    ] = 5,
) -> None:
    """Serve a model, and a page to draw digits on: http://127.0.0.1:8000.

    POST /predict takes pictures, /invocations what MLflow's own server takes; /docs has
    the rest. What exceeds a limit is answered with a 4xx and the reason.

    An alias, such as models:/mnist@champion, is followed: when `digits promote` moves it, the
    new version answers, and no request is dropped.
    """
    from digits.serving import running
    from digits.serving.guard import Limits

    limits = Limits(max_bytes, max_pixels, max_digits, max_seconds, max_waiting)
    running.run(_user_path(context, model), host, port, threshold, threads, limits, follow)


def _user_path(context: typer.Context, model: str) -> str:
    """A model's path as the user sees it, from where the command was started."""
    path = context.obj / model
    return str(path) if path.exists() else model


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and exit code 1."""
    try:
        app()
    except (UserError, OSError) as error:
        sys.exit("\n".join(f"digits: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
