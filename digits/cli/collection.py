"""What was collected while serving: `digits collected`."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import app

DEFAULT = Path("data/collected")
FolderArgument = Annotated[
    Path | None, typer.Argument(help=f"As given to `digits serve --collect`; default {DEFAULT}.")
]
SHOWN = 20  # sessions that are listed


def parse_date(text: str) -> float:
    """Seconds since 1970 of the begin of a day, UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise typer.BadParameter(f"{text!r}: must be a date such as 2026-01-31") from None


@app.command("collected")
def show_collected(
    context: typer.Context,
    folder: FolderArgument = None,
    forget: Annotated[
        str | None, typer.Option(metavar="SESSION", help="Remove all of a session.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Remove what is older, such as 2026-01-31.")
    ] = None,
    export: Annotated[
        str | None, typer.Option(metavar="NAME", help="Make a data set of what was reviewed.")
    ] = None,
    most_per_session: Annotated[
        int, typer.Option(min=1, help="Digits of a session that --export takes, by class in turn.")
    ] = 100,
) -> None:
    """Show what was collected: counts by class, by state, by session.

    --forget and --before remove digits for good. --export writes those that people confirmed or
    corrected as a data set: IDX files and an entry of datasets.yaml, for `data.extra` of
    params.yaml. A session's digits are all in training, all in validation, or all in the test.
    """
    where = context.obj / folder if folder else DEFAULT
    if sum(option is not None for option in (forget, before, export)) > 1:
        raise UserError("--forget, --before and --export: one at a time")
    limit = parse_date(before) if before is not None else None

    from digits.collection import records

    with records.opened(where) as connection:
        if forget is not None or limit is not None:
            removed = records.forget(connection, forget, limit)
            typer.echo(f"forgotten: {removed:,} digits")
            return
        found = records.select(connection)
        if export is None:
            typer.echo(_table(found))
            return
        classes = records.classes_of(connection)
    _export(export, found, classes, most_per_session)


def _table(found: list) -> str:
    from tabulate import tabulate

    from digits.collection import records

    states = ["open", "confirmed", "corrected", "no digit", "disputed"]
    parts = [f"{len(found):,} digits"]
    for name, rows in records.count(found).items():
        order = sorted(rows, key=lambda key: _natural(key))
        if name == "session":  # the largest first
            order = sorted(rows, key=lambda key: -sum(rows[key].values()))
        lines = [
            [key, sum(rows[key].values()), *(rows[key].get(state, 0) for state in states)]
            for key in order[:SHOWN]
        ]
        parts.append(tabulate(lines, [name, "digits", *states], disable_numparse=True))
        if len(order) > SHOWN:
            parts.append(f"... and {len(order) - SHOWN:,} more")
    return "\n\n".join(parts)


def _natural(name: str) -> tuple[float, str]:
    """Numbers by their value, then texts."""
    return (int(name), "") if re.fullmatch(r"\d{1,9}", name) else (float("inf"), name)


def _export(name: str, found: list, classes: list[str], most: int) -> None:
    from digits import params
    from digits.collection import exporting

    data_set = params.load().data.name
    exported = exporting.export(name, found, classes, data_set, most)
    for line in exported.notes:
        typer.echo(line)
    typer.echo(f"wrote {exported.folder} and the entry {name} in datasets.yaml")
    typer.echo(f"next: dvc exp run -S 'data.extra=[{name}]'")
