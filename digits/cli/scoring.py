"""Many images at once: `digits score`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from digits.cli.app import (
    CheckedOption,
    NamedModelOption,
    ThresholdOption,
    app,
    user_path,
    warn_if_unchecked,
)


class Read(StrEnum):
    DIGIT = "digit"
    PICTURE = "picture"


@app.command("score")
def score_images(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Parquet, IDX or pictures: a file, folder or glob."),
    ],
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="A folder for Parquet.")],
    model: NamedModelOption = "models:/mnist@champion",
    read: Annotated[
        Read, typer.Option(help="Is an image one digit, or a picture with any number of them?")
    ] = Read.DIGIT,
    threshold: ThresholdOption = None,
    require_checked: CheckedOption = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also those of all classes.")
    ] = False,
    column: Annotated[
        str | None, typer.Option(help="Of Parquet: the one that holds the pictures.")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="Of Parquet: the one that names a row; else `id`.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local: this machine; spark://HOST:7077: a Spark cluster.")
    ] = "local",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes here, or cores of the cluster.")
    ] = 1,
) -> None:
    """Score millions of images: a row of OUTPUT for each row of INPUT.

    INPUT and OUTPUT are local or of any filesystem that pyarrow knows, such as
    s3://BUCKET/FOLDER; with a cluster, where all its workers can reach them. Parquet has a
    column of picture files, of 784 or 28 x 28 values, or 784 columns.

    Killed at any moment, the same command goes on with what is missing. With another model
    or input it refuses. A row that cannot be read says why in the column `error`.
    """
    from digits.inference import loading
    from digits.scoring import inputs, plan, running
    from digits.scoring.scorer import Settings

    source, output = (_absolute(context.obj, place) for place in (source, output))
    found = inputs.plan(source, column, id_column)
    with loading.find(user_path(context, model), require_checked) as origin:
        warn_if_unchecked(origin)
        settings = Settings(read.value, threshold, probabilities)
        prepared = plan.prepare(found, output, origin, settings)
    counts = running.run(prepared, engine, workers)["counts"]
    typer.echo(
        f"{counts['rows']:,} rows: {counts['answers']:,} answers, {counts['refused']:,} of them "
        f"refused, {sum(counts['errors'].values()):,} rows with an error; look at {output}"
    )


def _absolute(folder: Path, place: str) -> str:
    """Make a local path absolute, so that every worker finds it."""
    return place if "://" in place else os.path.normpath(folder / place)
