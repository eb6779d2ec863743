"""The answers that moved between two revisions of a model: images, and kinds of errors."""

import pandas as pd

from digits.review.review import ModelReview


def flips(model: ModelReview) -> dict[str, pd.DataFrame]:
    """The images "broken" and "fixed": `index`, `label`, and the answers `old` and `new`."""
    if model.old is None or model.new is None or model.comparison is None:
        return {}
    both = model.old[["index", "label"]].assign(
        old=model.old["predicted"], new=model.new["predicted"]
    )
    indices = {"broken": model.comparison.broken, "fixed": model.comparison.fixed}
    return {kind: both[both["index"].isin(index)] for kind, index in indices.items()}


def confusions(model: ModelReview) -> pd.DataFrame:
    """The errors more or less frequent now: `label`, `predicted`, and the counts `old` and `new`.

    The largest change comes first.
    """
    if model.old is None or model.new is None:
        return pd.DataFrame(columns=["label", "predicted", "old", "new"])
    counts = {}
    for side, table in (("old", model.old), ("new", model.new)):
        errors = table[table["label"] != table["predicted"]]
        counts[side] = errors.groupby(["label", "predicted"]).size()
    cells = pd.DataFrame(counts).fillna(0).astype(int)
    moved = (cells["new"] - cells["old"]).abs().sort_values(ascending=False, kind="stable")
    return cells.loc[moved[moved > 0].index].reset_index()
