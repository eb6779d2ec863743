"""What was collected while serving: `digits collected` and `digits drift`."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digits.base.errors import UserError
from digits.cli.app import ModelOption, app, user_path

if TYPE_CHECKING:  # numpy and OpenCV, for which `--help` need not wait
    from digits.collection.records import Record
    from digits.collection.watch import Watch

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

    from digits.collection import forgetting, records

    with records.opened(where) as connection:
        if forget is not None or limit is not None:
            removed = forgetting.forget(connection, forget, limit)
            typer.echo(f"forgotten: {removed:,} digits")
            return
        found = records.select(connection)
        if export is None:
            typer.echo(_table(found))
            return
        classes = records.classes_of(connection)
    _export(export, found, classes, most_per_session)


def _table(found: "list[Record]") -> str:
    from tabulate import tabulate

    from digits.collection import records
    from digits.importing import checks

    states = ["open", "confirmed", "corrected", "no digit", "disputed"]
    parts = [f"{len(found):,} digits"]
    for name, rows in records.count(found).items():
        order = sorted(rows, key=checks.natural)
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


def _export(name: str, found: "list[Record]", classes: list[str], most: int) -> None:
    from digits import params
    from digits.collection import exporting

    data_set = params.load().data.name
    exported = exporting.export(name, found, classes, data_set, most)
    for line in exported.notes:
        typer.echo(line)
    typer.echo(f"wrote {exported.folder} and the entry {name} in datasets.yaml")
    typer.echo(f"next: dvc exp run -S 'data.extra=[{name}]'")


class FailIf(StrEnum):
    DRIFT = "drift"


@app.command("drift")
def watch_drift(
    context: typer.Context,
    folder: FolderArgument = None,
    since: Annotated[str, typer.Option(help="How far to look back: days or hours.")] = "7d",
    model: ModelOption = None,
    fail_if: Annotated[
        FailIf | None, typer.Option(help="End with exit code 3 if there is drift.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare what was served with the data that the models were trained on.

    Each feature has a two-sample test, corrected for their number, and an effect size; the
    reference are the images of data/processed/validation.npz as --model reads them. A page is
    written into the folder of what was collected, with the digits that are most unusual, and a
    run into MLflow's experiment digits-serving, a step for each day. `digits serve --collect`
    tells Prometheus of the newest result.
    """
    where = context.obj / folder if folder else DEFAULT
    chosen = user_path(context, model)

    from digits.collection import records, watch

    begin = watch.since(since)
    with records.opened(where) as connection:
        found = records.select(connection, begin)
    result = _watch(found, chosen)

    from digits.collection import report

    watch.write(result, where)
    page = report.write(result, where)
    report.log(result, where)
    typer.echo(json.dumps(result.as_json(), indent=2) if as_json else _findings(result, page))
    if fail_if and result.drifted:
        raise typer.Exit(3)


def _watch(found: "list[Record]", model: str) -> "Watch":
    """Make the reference with the models that answered, as far as they are here."""
    from digits.collection import watch
    from digits.data import splits
    from digits.recognition.recognizer import Recognizer

    reference = Path("data/processed/validation.npz")
    if not reference.exists():
        raise UserError(f"{reference}: to compare with; `dvc pull` or `dvc repro` brings it")
    main = Recognizer(model)
    answered = {name for record in found for name in record.answers}
    others = [
        Recognizer(path)
        for path in sorted(Path("models").glob("*"))
        if path.name in answered - {main.network.name} and (path / "model.onnx").exists()
    ]
    features = watch.describe(
        splits.load(reference).images,
        [each.classify for each in (main, *others)],
        main.threshold,
    )
    return watch.watch(found, main.network.classes, features, main.origin.md5)


def _findings(result: "Watch", page: Path) -> str:
    from tabulate import tabulate

    rows = [
        [
            each.feature,
            f"{each.reference:.4g}",
            f"{each.served:.4g}",
            f"{each.psi:.3f}",
            f"{each.p:.2g}",
            f"{each.corrected_p:.2g}",
            "drift" if each.drifted else "",
        ]
        for each in result.findings
    ]
    header = ["feature", "in training", "served", "PSI", "p", "corrected", ""]
    verdict = f"drift: {', '.join(result.drifted)}" if result.drifted else "no drift"
    lines = [f"{result.served:,} digits served against {result.reference:,}: {verdict}"]
    if result.others:
        lines.append(f"{result.others:,} of them were answered by another version than --model")
    table = tabulate(rows, header, disable_numparse=True)
    return "\n".join([*lines, "", table, "", f"look at {page}"])
