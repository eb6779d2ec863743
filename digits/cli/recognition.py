"""Digits in pictures: `digits predict`."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import (
    CheckedOption,
    ModelOption,
    ThresholdOption,
    app,
    user_path,
    warn_if_unchecked,
)

if TYPE_CHECKING:
    from digits.recognition.answers import Answer
    from digits.recognition.reading import Reading


@app.command("predict")
def predict_pictures(
    context: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Pictures, folders of them, or -.")
    ],
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    require_checked: CheckedOption = False,
    explain: Annotated[
        Path | None,
        typer.Option(help="Draw how the picture was read, from its ink to the first layer: a PNG."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Pictures at a time; by default one for each core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Read the handwritten digits in pictures: photos, scans, drawings, one digit or many.

    Of each digit, in the order of reading: its row and its box in the picture (left, top,
    width, height), its class, how sure the model is, and the three likeliest classes. A
    digit that the model is not sure enough of is refused: `?`.

    A picture that cannot be read is named at the end, with exit code 1; the others are
    answered all the same. Ctrl-C ends it, and what was read until then is printed. With --csv
    each picture is printed as soon as it is read.
    """
    from digits.recognition import reading
    from digits.recognition.recognizer import Recognizer

    recognizer = Recognizer(user_path(context, model), threshold, require_checked=require_checked)
    warn_if_unchecked(recognizer.origin)
    listing = reading.list_pictures(paths, context.obj)
    pictures = listing.pictures
    if explain and len(pictures) > 1:
        raise UserError(f"--explain: one picture at a time, not {len(pictures)}")
    if as_csv:
        typer.echo(reading.csv_header(), nl=False)
    read_one = recognizer.read
    if explain:
        explanation = context.obj / explain
        read_one = lambda picture: recognizer.explain(picture, explanation)  # noqa: E731
    results = reading.read(read_one, pictures, context.obj, workers or os.cpu_count() or 1)
    found, problems = _gather(results, len(pictures), as_csv)
    if as_json:
        typer.echo(reading.to_json(found, recognizer))
    elif not as_csv:
        typer.echo(reading.to_table(found))
    for name in listing.left_out:
        typer.echo(f"digits: {name}: left out, not a format that is read", err=True)
    if problems:
        raise UserError("\n".join(problems))


def _gather(
    results: "Generator[Reading, None, None]", total: int, as_csv: bool
) -> "tuple[dict[str, list[Answer]], list[str]]":
    """Gather the answers, with a bar on a terminal, until the end or Ctrl-C.

    Returns:
        The answers by picture, unless they were printed as CSV at once; and a line for each
        picture that cannot be read, and for Ctrl-C.
    """
    from tqdm import tqdm

    from digits.recognition import reading

    found: dict[str, list[Answer]] = {}
    problems = []
    with tqdm(results, total=total, unit="picture", leave=False, disable=None) as progress:
        try:
            for name, answers in progress:
                if isinstance(answers, str):
                    problems.append(f"{name}: {answers}")
                elif as_csv:
                    typer.echo(reading.to_csv(name, answers), nl=False)
                else:
                    found[name] = answers
        except KeyboardInterrupt:
            results.close()
            problems.append("stopped: the pictures that were read are printed")
    return found, problems
