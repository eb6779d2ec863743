"""Is data sound that is no catalogue entry yet? `digits validate`."""

from pathlib import Path
from typing import Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import app

SCRATCH = Path("build/validate")


@app.command("validate")
def validate_data(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A folder with four IDX files, named as MNIST's.")],
    engine: Annotated[
        str, typer.Option(help="local: this machine; spark://HOST:7077: a Spark cluster.")
    ] = "local",
    workers: Annotated[int, typer.Option(min=1, help="Cores of the cluster at most.")] = 1,
) -> None:
    """Hold data that is no entry of datasets.yaml yet against the pipeline's expectations.

    What only an entry can say (the names of the classes, how many images, how dark they
    are) is taken from the files. A line for each expectation that is not met, and exit code 1.
    """
    from digits import params
    from digits.importing import checking

    folder, settings = context.obj / path, params.load().validate_
    results = checking.check(folder, settings, engine, workers, SCRATCH)
    broken = [result.explain() for result in results if not result.success]
    if broken:
        raise UserError("\n".join([*broken, f"{path}: {len(broken)} of {len(results)} broken"]))
    typer.echo(f"{path}: all {len(results)} expectations hold")
