"""Digits in pictures: `digits predict`."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digits.base.errors import UserError
from digits.base.text import printable
from digits.cli.app import (
    CheckedOption,
    ModelOption,
    ThresholdOption,
    app,
    user_path,
    warn_if_unchecked,
)
from digits.cli.interruption import Interruption

if TYPE_CHECKING:
    from digits.recognition.printing import Printer
    from digits.recognition.reading import Reading

# Control characters of a file's name, which could change a terminal, and bytes that are not UTF-8.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


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
        typer.Option(
            help="Draw how the picture was read, from its ink to the first layer: a PNG; for each "
            "page of a TIFF one of its own, such as out-2.png."
        ),
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

    Each picture is printed as soon as it and those before are read. One that cannot be read is
    named at the end, with exit code 1; the others are answered all the same. Ctrl-C and SIGTERM
    end it at once, and what was read until then is printed.
    """
    from digits.recognition import printing, reading
    from digits.recognition.recognizer import Recognizer

    recognizer = Recognizer(user_path(context, model), threshold, require_checked=require_checked)
    warn_if_unchecked(recognizer.origin)
    listing = reading.list_pictures(paths, context.obj)
    pictures = listing.pictures
    if explain and len(pictures) > 1:
        raise UserError(f"--explain: one picture at a time, not {len(pictures)}")
    workers = workers or os.cpu_count() or 1
    read_one: reading.ReadOne = lambda pixels, _: recognizer.read(pixels)  # noqa: E731
    if explain:
        path, workers = context.obj / explain, 1  # matplotlib draws in one thread at a time
        read_one = lambda pixels, page: recognizer.explain(pixels, _of_page(path, page))  # noqa: E731
    printer: printing.Printer = printing.Table(pictures)
    if as_json or as_csv:
        printer = printing.Json(recognizer) if as_json else printing.Csv()
    interruption = Interruption()
    results = reading.read(read_one, pictures, context.obj, workers, interruption.event)
    with interruption:
        problems = _print_all(results, len(pictures), printer)
    for name in listing.left_out:
        typer.echo(f"digits: {_shown(name)}: left out, not a format that is read", err=True)
    if interruption.event.is_set():
        for problem in (*problems, "stopped: the pictures that were read are printed"):
            typer.echo(f"digits: {printable(problem)}", err=True)
        interruption.leave()
    if problems:
        raise UserError("\n".join(problems))


def _of_page(path: Path, page: int | None) -> Path:
    """Name the picture of how a page was read: out-2.png for the second."""
    return path if page is None else path.with_stem(f"{path.stem}-{page}")


def _print_all(results: "Iterator[Reading]", total: int, printer: "Printer") -> list[str]:
    """Print each picture as soon as it is read, with a bar on a terminal.

    Returns:
        A line for each picture that cannot be read.
    """
    from tqdm import tqdm

    problems = []
    typer.echo(printer.begin(), nl=False)
    with tqdm(results, total=total, unit="picture", leave=False, disable=None) as progress:
        for name, answers in progress:
            if isinstance(answers, str):
                problems.append(f"{_shown(name)}: {answers}")
            else:
                with tqdm.external_write_mode():
                    typer.echo(printer.picture(_shown(name), answers), nl=False)
    typer.echo(printer.end(), nl=False)
    return problems


def _shown(name: str) -> str:
    """The name of a file as it can be printed; other than `printable`, rare blanks stay."""
    return UNPRINTABLE.sub("\ufffd", name)
