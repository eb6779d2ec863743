"""A search for better parameters: `digits sweep`."""

import os
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import app

PAGES = Path("build/sweeps")


class Architecture(StrEnum):
    MLP = "mlp"
    CNN = "cnn"
    RESNET = "resnet"


@app.command("sweep")
def sweep_parameters(
    context: typer.Context,
    space: Annotated[
        Path, typer.Argument(metavar="SPACE", help="A YAML file: params.yaml paths with ranges.")
    ],
    model: Annotated[Architecture, typer.Option(help="Whose parameters.")] = Architecture.CNN,
    trials: Annotated[int, typer.Option(min=1, help="How many, pruned ones included.")] = 40,
    jobs: Annotated[int, typer.Option(min=1, help="Trials at a time.")] = 1,
    engine: Annotated[
        str, typer.Option(help="local: this machine; spark://HOST:7077: a Spark cluster.")
    ] = "local",
    storage: Annotated[
        str | None,
        typer.Option(help="Of several machines: postgresql://...; else sweeps.db beside mlflow.db"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the sweep; by default from SPACE and the model.")
    ] = None,
    run_best: Annotated[
        bool, typer.Option("--experiment/--no-experiment", help="Run the best as a DVC experiment?")
    ] = True,
) -> None:
    """Search better parameters by short trainings, judged on the validation images.

    Killed, or ended by Ctrl-C, the same command goes on; with more --trials it adds some.
    The best trial becomes one DVC experiment with the whole recipe.
    """
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise UserError(
            "sweep: needs optuna, of the extra `sweep`: in a checkout `make setup`, or "
            "`pip install '.[pipeline,sweep]'`, installs it"
        ) from None
    from digits.sweeping import space as spaces
    from digits.sweeping import sweep

    found = spaces.read(context.obj / space, model.value)
    settings = sweep.Settings(trials, jobs, engine, storage)
    name = name or f"{space.stem}-{model.value}"
    folder = PAGES / name
    typer.echo(f"a trial leaves out: {', '.join(sweep.left_out(found))}")
    try:
        best = sweep.run(found, name, settings, folder)
    except KeyboardInterrupt:
        raise UserError("the sweep was stopped: the same command goes on") from None
    typer.echo(best.text)
    typer.echo(f"look at {os.path.relpath(folder / 'index.html', context.obj)}")
    typer.echo(f"with the whole recipe: {shlex.join(best.command)}")
    if run_best:
        experiment, run = best.carry_out()
        typer.echo(f"experiment {experiment}, MLflow run {run}: `digits experiments` shows both")
