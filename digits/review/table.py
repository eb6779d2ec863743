"""A review as text for the terminal, and as Markdown for the pull request."""

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import typer
from tabulate import tabulate

from digits.review.movements import confusions, flips
from digits.review.review import Change, Review, changes
from digits.tracking.revisions import Revision

MARKER = "<!-- digits diff -->"  # CI finds its own comment by this line, to update it
HEADLINES = ("accuracy", "log_loss", "ece", "corrupted_accuracy", "collected_accuracy")
COSTS = ("parameters", "multiply_adds", "size_bytes")
COLOURS = {"better": typer.colors.GREEN, "worse": typer.colors.RED}
LONG_TABLE = 12  # rows above which Markdown folds a table and text cuts it
MOST_ROWS = 100  # most rows of a table: a comment on GitHub holds 65,536 characters

Pictures = Mapping[tuple[str, str], str]  # links by model and kind, as from `plot.draw`


@dataclass(frozen=True)
class Table:
    """A table of the review.

    Attributes:
        labels: how many of the columns, from the left, hold no numbers.
        note: what the numbers mean; may be empty.
        picture: link to a PNG file of the same images; may be empty.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 1
    note: str = ""
    picture: str = ""

    def render(self, rows: Sequence[Sequence[str]], style: str) -> str:
        """Render some of the rows in one of tabulate's styles, each number as it is written."""
        numbers = len(self.header) - self.labels
        alignment = ["left"] * self.labels + ["right"] * numbers
        return tabulate(rows, self.header, style, disable_numparse=True, colalign=alignment)


def render_text(review: Review) -> str:
    """Render the review for the terminal: the verdicts in colour, long tables cut."""

    def coloured(verdict: str) -> str:
        return typer.style(verdict, fg=COLOURS.get(verdict), bold=True)

    parts = ["\n".join(_verdicts(review, coloured)), _method(review)]
    for table in _tables(review, {}):
        lines = [table.title, table.render(table.rows[:LONG_TABLE], "simple")]
        if (left := len(table.rows) - LONG_TABLE) > 0:
            lines.append(f"... and {left:,} more, listed by --md")
        parts.append("\n".join([*lines, table.note] if table.note else lines))
    return "\n\n".join(parts)


def render_markdown(review: Review, pictures: Pictures) -> str:
    """Render the review as Markdown: a line on each model first, long tables folded."""
    verdicts = _verdicts(review, lambda verdict: f"**{verdict}**")
    parts = [MARKER + "\n" + "\n".join(f"- {line}" for line in verdicts), _method(review)]
    for table in _tables(review, pictures):
        rows = [[_escaped(cell) for cell in row] for row in table.rows[:MOST_ROWS]]
        body = [f"![{table.title}]({table.picture})"] if table.picture else []
        body.append(table.render(rows, "pipe"))
        if left := len(table.rows) - len(rows):
            body.append(f"... and {left:,} more.")
        if table.note:
            body.append(table.note)
        if len(table.rows) > LONG_TABLE or table.picture:
            body = [
                f"<details><summary>{table.title} ({len(table.rows)})</summary>",
                *body,
                "</details>",
            ]
        else:
            body = [f"**{table.title}**", *body]
        parts += body
    return "\n\n".join(parts) + "\n"


def _escaped(cell: str) -> str:
    """Escape the content of a table's cell in Markdown."""
    return html.escape(cell, quote=False).replace("|", "&#124;")


def _verdicts(review: Review, emphasised: Callable[[str], str]) -> Iterator[str]:
    """One line for each model."""
    if not review.models:
        yield "no model was evaluated on either side"
    for name, model in review.models.items():
        accuracies = [
            f"{100 * (table['label'] == table['predicted']).mean():.2f}"
            for table in (model.old, model.new)
            if table is not None and model.verdict != "unchanged"
        ]
        line = f"{name}: {emphasised(model.verdict)}"
        if accuracies:
            line += f", accuracy {' → '.join(accuracies)} %"
        if c := model.comparison:
            line += (
                f" ({100 * c.difference:+.2f} points, {100 * c.low:+.2f} to {100 * c.high:+.2f}; "
                f"{len(c.fixed)} fixed, {len(c.broken)} broken; p = {c.p_value:.2g})"
            )
        yield line


def _method(review: Review) -> str:
    """Tell what was compared and by which test."""
    line = f"From {_named(review.base)} to {_named(review.head)}."
    if compared := sum(model.comparison is not None for model in review.models.values()):
        corrected = f", corrected for {compared} models (Holm)," if compared > 1 else ""
        line += (
            f" Better or worse is said where McNemar's exact p{corrected} is below "
            f"{1 - review.confidence_level:.2g}; the interval is that of a paired bootstrap, "
            f"at {review.confidence_level:.2g}."
        )
    return line


def _named(revision: Revision) -> str:
    """Name a revision as the user did, with the first digits of its commit."""
    short = (revision.commit or "")[:7]
    if revision.commit and revision.commit.startswith(revision.name):
        return short
    return f"{revision.name} ({short})" if short else f"the {revision.name}"


def _tables(review: Review, pictures: Pictures) -> Iterator[Table]:
    """The tables that have rows, in the order of a reviewer's questions."""
    candidates = [
        Table(
            "Parameters",
            ["parameter", "old", "new"],
            [[change.key, change.old or "", change.new or ""] for change in review.parameters],
            labels=3,
        ),
        _metrics(review, "Metrics", lambda key: key in HEADLINES),
        _costs(review),
        _spreads(review),
        *_flips(review, pictures),
        *_confusions(review),
        _metrics(review, "Other metrics", lambda key: key not in HEADLINES + COSTS),
        Table(
            "Data, as validated",
            ["metric", "old", "new", "difference"],
            [[change.key, *_numbers(change)] for change in review.data],
        ),
    ]
    return (table for table in candidates if table.rows)


def _metrics(review: Review, title: str, chosen: Callable[[str], bool]) -> Table:
    rows = [
        [name, change.key, *_numbers(change)]
        for name, model in review.models.items()
        for change in changes(model.old_metrics, model.new_metrics)
        if chosen(change.key)
    ]
    return Table(title, ["model", "metric", "old", "new", "difference"], rows, labels=2)


def _costs(review: Review) -> Table:
    """The costs of the models whose predictions changed, old and new."""
    rows = []
    for name, model in review.models.items():
        for key in COSTS if model.verdict != "unchanged" else ():
            old, new = model.old_metrics.get(key), model.new_metrics.get(key)
            ratio = f"{new / old:.3g}" if old and new else ""
            rows.append([name, key, _number(old), _number(new), ratio])
    return Table("Cost", ["model", "cost", "old", "new", "new / old"], rows, labels=2)


def _spreads(review: Review) -> Table:
    """Hold each difference against that between two seeds of one recipe."""
    rows = []
    for name, model in review.models.items():
        if (c := model.comparison) and (spread := review.spreads.get(name)):
            difference, chance = 100 * c.difference, spread.chance(review.confidence_level)
            rows.append(
                [
                    name,
                    f"{spread.n}",
                    f"{spread.mean:.3f}",
                    f"{spread.sd:.3f}",
                    f"{chance:.3f}",
                    f"{difference:+.3f}",
                    "yes" if abs(difference) > chance else "no",
                ]
            )
    header = [
        "model",
        "seeds",
        "accuracy, mean %",
        "sd",
        "two seeds differ by",
        "this by",
        "beyond",
    ]
    note = (
        f"Two trainings of the recipe of commit {review.spreads_commit} that differ in the seed "
        f"alone are less far apart than this with probability {review.confidence_level:.2g}."
    )
    return Table("Spread over seeds, points", header, rows, note=note)


def _flips(review: Review, pictures: Pictures) -> Iterator[Table]:
    for name, model in review.models.items():
        for kind, flipped in flips(model).items():
            rows = [
                [str(index), *(review.class_name(number) for number in numbers)]
                for index, *numbers in flipped.itertuples(index=False)
            ]
            yield Table(
                f"{name}: images {kind}",
                ["image", "label", "old answer", "new answer"],
                rows,
                labels=4,
                picture=pictures.get((name, kind), ""),
            )


def _confusions(review: Review) -> Iterator[Table]:
    for name, model in review.models.items():
        rows = [
            [
                f"{review.class_name(label)} → {review.class_name(predicted)}",
                f"{old}",
                f"{new}",
                f"{new - old:+}",
            ]
            for label, predicted, old, new in confusions(model).itertuples(index=False)
        ]
        header = ["label → answer", "old", "new", "difference"]
        yield Table(f"{name}: confusions more or less frequent", header, rows)


def _numbers(change: Change) -> list[str]:
    """Old, new, difference."""
    has_both = change.old is not None and change.new is not None
    difference = _number(change.new - change.old, "+") if has_both else ""
    return [_number(change.old), _number(change.new), difference]


def _number(value: float | None, sign: str = "") -> str:
    if value is None:
        return ""
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign}.6g}"
