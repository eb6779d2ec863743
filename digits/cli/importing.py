"""A data set of one's own: `digits import`."""

import re
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import app


class Ink(StrEnum):
    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


TestOption = Annotated[
    Path | None, typer.Option(help="The test split; else it is in SOURCE, or held out.")
]
ClassesOption = Annotated[
    str, typer.Option(help="Names for the sorted labels, separated by commas.")
]
SizeOption = Annotated[str | None, typer.Option(help="Of the images, HEIGHTxWIDTH.", metavar="HxW")]
InkOption = Annotated[Ink, typer.Option(help="In the source; auto: by the edges of the pictures.")]
CatalogueOption = Annotated[str, typer.Option(help="For the catalogue.")]


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    if not found or 0 in map(int, found.groups()):
        raise typer.BadParameter("must be HEIGHTxWIDTH in pixels, such as 28x28")
    return int(found[1]), int(found[2])


@app.command("import")
def import_data(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(help="A folder of pictures per class, .csv, .parquet, .npz, or IDX.")
    ],
    name: Annotated[str, typer.Argument(help="Of the data set, in datasets.yaml.")],
    test: TestOption = None,
    label: Annotated[str | None, typer.Option(help="The column of the labels.")] = None,
    classes: ClassesOption = "",
    size: SizeOption = None,
    ink: InkOption = Ink.AUTO,
    test_share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Of the pictures, to hold out.")
    ] = 0.15,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the choice of these.")] = 0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out what cannot be used.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write NAME anew.")] = False,
    title: CatalogueOption = "",
    licence: CatalogueOption = "unknown",
    citation: CatalogueOption = "",
) -> None:
    """Import a data set: read SOURCE, write IDX files and an entry in datasets.yaml.

    The labels are folder names or a column called label. Colour becomes grey, pictures of
    other sizes 28 x 28; pictures of one colour, and all but one of equal pictures, are left
    out. Each of these is said. `dvc exp run -S data.name=NAME` then trains on it.
    """
    wanted = _size(size) if size else None

    from digits import params
    from digits.importing import importing, sources, writing

    writing.refuse_name(name, replace)
    names = [each.strip() for each in classes.split(",")] if classes else []
    wishes = importing.Wishes(
        wanted, ink, test_share, seed, names, skip_bad, replace, title, licence, citation
    )
    train, held = sources.read(context.obj / source, label, wanted)
    if test:
        if held:
            raise UserError(
                f"{source}: has a test split: leave out --test, or give the training part as SOURCE"
            )
        whole, held = sources.read(context.obj / test, label, wanted)
        held = held or whole
    parameters = params.load()
    data_set = importing.prepare(train, held, wishes, parameters.validate_.ink_threshold)
    needed = importing.settings(data_set, parameters)
    folder = writing.write(name, data_set, wishes)
    for line in (importing.describe(name, data_set), *data_set.notes):
        typer.echo(line)
    typer.echo(f"wrote {folder} and the entry {name} in datasets.yaml")
    if models := importing.too_small_for(data_set, parameters):
        typer.echo(
            f"too small for the layers of {', '.join(models)}: import it again with "
            "`--size 28x28 --replace`, or change train's parameters"
        )
    command = ["dvc", "exp", "run", "-S", f"data.name={name}"]
    for key, value in needed.items():
        command += ["-S", f"{key}={value}"]
    typer.echo(f"next: {shlex.join(command)}")
