"""Digits in pictures: `digits predict`."""

from pathlib import Path
from typing import Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import ModelOption, ThresholdOption, app, user_path


@app.command("predict")
def predict_pictures(
    context: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Pictures, folders of them, or -.")
    ],
    model: ModelOption = None,
    threshold: ThresholdOption = None,
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

    recognizer = Recognizer(user_path(context, model), threshold)
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
