"""The comparison of the models as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from digits.comparison.paired import Comparison

LISTED = 20  # most images named of those on which two models differ


def markdown(
    scores: Mapping[str, Mapping[str, Any]],
    comparisons: Mapping[str, Comparison],
    classes: pd.DataFrame,
    confidence_level: float,
) -> str:
    """Render the comparison as Markdown.

    Args:
        scores: of each model, the baseline first, as in its metrics.json.
        comparisons: of each challenger with the baseline.
        classes: from `paired.count_errors_by_class`.
        confidence_level: of the bootstrap intervals, and of the verdicts.
    """
    baseline = next(iter(scores))
    parts = ["# The models on the same test images", _scores_table(scores)]
    if comparisons:
        parts += [
            f"## Against {baseline}",
            _verdicts_table(baseline, comparisons, confidence_level),
            f"Better or worse is said where McNemar's exact p is below {1 - confidence_level:.2g}. "
            f"The interval is that of a paired bootstrap, at {confidence_level:.2g}.",
        ]
    parts += ["## Errors by class", _rows(list(classes), classes.to_numpy().tolist())]
    for model, comparison in comparisons.items():
        parts += [
            f"## Images on which {model} and {baseline} differ",
            f"- only {model} right, {len(comparison.fixed)}: {_listed(comparison.fixed)}\n"
            f"- only {baseline} right, {len(comparison.broken)}: {_listed(comparison.broken)}",
        ]
    return "\n\n".join(parts) + "\n"


def _scores_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    header = ["model", "accuracy", "its Wilson interval", "error rate", "log loss", "ECE"]
    rows = [
        [
            model,
            f"{s['accuracy']:.2%}",
            f"{s['accuracy_low']:.2%} to {s['accuracy_high']:.2%}",
            f"{s['error_rate']:.2%}",
            f"{s['log_loss']:.4f}",
            f"{s['ece']:.4f}",
            f"{s['parameters']:,}",
            f"{s['multiply_adds']:,}",
        ]
        for model, s in scores.items()
    ]
    return _rows([*header, "parameters", "multiply-adds"], rows)


def _verdicts_table(
    baseline: str, comparisons: Mapping[str, Comparison], confidence_level: float
) -> str:
    header = ["model", "verdict", "accuracy difference", "its interval", "McNemar's p"]
    rows = [
        [
            model,
            f"**{c.verdict(confidence_level)}**",
            f"{100 * c.difference:+.2f} points",
            f"{100 * c.low:+.2f} to {100 * c.high:+.2f}",
            f"{c.p_value:.2g}",
            len(c.fixed),
            len(c.broken),
            f"{c.agreement:.2%}",
        ]
        for model, c in comparisons.items()
    ]
    return _rows([*header, "only it right", f"only {baseline} right", "agreement"], rows)


def _rows(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _listed(index: np.ndarray) -> str:
    """The first few of the images."""
    shown = ", ".join(map(str, index[:LISTED])) or "none"
    return f"{shown}, ..." if len(index) > LISTED else shown
