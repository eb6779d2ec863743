from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from digits.comparison.paired import Comparison
from digits.review import table as review_table
from digits.review.review import Change, ModelReview, Review, Spread
from digits.tracking.revisions import Revision

LABELS = [4, 4, 7, 9]
METRICS = {"accuracy": 0.75, "log_loss": 0.2, "brier": 0.1, "multiply_adds": 4197376}


def predicted(*classes: int) -> pd.DataFrame:
    return pd.DataFrame({"index": range(len(LABELS)), "label": LABELS, "predicted": classes})


def changed(verdict: str = "within noise", **numbers: Any) -> ModelReview:
    result = Comparison(0.25, -0.1, 0.5, 0.5, 0.25, np.array([1, 2]), np.array([3]))
    return ModelReview(
        verdict,
        predicted(4, 9, 1, 9),
        predicted(4, 4, 7, 4),
        METRICS,
        METRICS | {"accuracy": 1.0, "brier": 0.05, "multiply_adds": 16790000},
        replace(result, **numbers),
    )


ALONE = {
    "added": ModelReview("added", None, predicted(4, 4, 7, 9), {}, METRICS),
    "removed": ModelReview("removed", predicted(4, 4, 7, 1), None, METRICS, {}),
    "unchanged": ModelReview("unchanged", *[predicted(4, 4, 7, 9)] * 2, METRICS, METRICS),
}


def review(models: Mapping[str, ModelReview], **others: Any) -> Review:
    empty = Review(
        base=Revision("main", "0123456" + "0" * 33, Path()),
        head=Revision("workspace", None, Path()),
        confidence_level=0.95,
        parameters=[],
        data=[],
        models=models,
        spreads={},
        spreads_commit="abcdef0",
        classes=[],
    )
    return replace(empty, **others)


EVERYTHING = review(
    {"cnn": changed("better"), "mlp": changed("worse"), **ALONE},
    parameters=[Change(f"train.{i}", None, str(i)) for i in range(40)],
    data=[Change("train_images", 60000, 20)],
    spreads={"cnn": Spread(5, 99.6, 0.02)},
)


def html(found: Review) -> str:
    """The Markdown as GitHub renders it, less its sanitiser."""
    return MarkdownIt("gfm-like", {"linkify": False}).render(
        review_table.render_markdown(found, {})
    )


def test_the_first_lines_say_it_all() -> None:
    lines = review_table.render_markdown(EVERYTHING, {}).splitlines()
    difference = "(+25.00 points, -10.00 to +50.00; 2 fixed, 1 broken; p = 0.5)"
    assert lines[:6] == [
        "<!-- digits diff -->",
        f"- cnn: **better**, accuracy 50.00 → 75.00 % {difference}",
        f"- mlp: **worse**, accuracy 50.00 → 75.00 % {difference}",
        "- added: **added**, accuracy 100.00 %",
        "- removed: **removed**, accuracy 75.00 %",
        "- unchanged: **unchanged**",
    ]
    assert lines[7].startswith("From main (0123456) to the workspace. Better or worse is said")
    assert "corrected for 2 models (Holm), is below 0.05" in lines[7]


def test_one_test_is_not_corrected() -> None:
    assert "McNemar's exact p is below 0.1;" in review_table.render_text(
        review({"cnn": changed(), **ALONE}, confidence_level=0.9)
    )
    assert "McNemar" not in review_table.render_text(review(ALONE))
    assert "no model was evaluated" in review_table.render_text(review({}))


@pytest.mark.parametrize(
    ("name", "commit", "shown"),
    [
        ("main", "0123456" + "0" * 33, "From main (0123456) to"),
        ("0123456" + "0" * 33, "0123456" + "0" * 33, "From 0123456 to"),
        ("01234", "0123456" + "0" * 33, "From 0123456 to"),
        ("workspace", None, "From the workspace to"),
    ],
)
def test_a_revision_is_named_with_its_commit(name: str, commit: str | None, shown: str) -> None:
    assert shown in review_table.render_text(review({}, base=Revision(name, commit, Path())))


def test_the_tables() -> None:
    text = review_table.render_text(EVERYTHING)
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert {
        "cnn accuracy 0.75 1 +0.25",
        "added accuracy 0.75",
        "cnn multiply_adds 4,197,376 16,790,000 4",
        "3 9 9 4",
        "4 → 9 1 0 -1",
        "cnn brier 0.1 0.05 -0.05",
        "train_images 60,000 20 -59,980",
        "train.0 0",
    } <= rows
    assert "... and 28 more, listed by --md" in rows
    assert not any(row.startswith(("cnn log_loss", "unchanged multiply_adds")) for row in rows)


@pytest.mark.parametrize(("sd", "beyond"), [(0.1, "yes"), (20, "no")])
def test_the_spread_over_seeds(sd: float, beyond: str) -> None:
    text = review_table.render_text(
        review({"cnn": changed()}, spreads={"cnn": Spread(5, 99.6, sd)})
    )
    table = text[text.index("Spread over seeds") :]
    (row,) = [line.split() for line in table.splitlines() if line.startswith("cnn  ")][:1]
    # Student's 97.5 % quantile at 4 degrees of freedom is 2.776.
    assert row == [
        "cnn",
        "5",
        "99.600",
        f"{sd:.3f}",
        f"{2.7764451 * 2**0.5 * sd:.3f}",
        "+25.000",
        beyond,
    ]
    assert "recipe of commit abcdef0" in table


def test_classes_have_their_names() -> None:
    models = {"cnn": changed()}
    assert "boot → T-shirt" in review_table.render_text(
        review(models, classes=["T-shirt"] * 9 + ["boot"])
    )
    assert "9 → 4" in review_table.render_text(review(models, classes=["T-shirt"]))


def test_long_tables_and_pictures_are_folded() -> None:
    text = review_table.render_markdown(EVERYTHING, {("cnn", "broken"): "review-cnn-broken.png"})
    folded = "<details><summary>{}</summary>\n\n"
    assert folded.format("Parameters (40)") in text
    assert (
        folded.format("cnn: images broken (1)")
        + "![cnn: images broken](review-cnn-broken.png)\n\n| image "
    ) in text
    assert "**mlp: images broken**" in text
    assert text.count("<details>") == text.count("</details>") == 2


def test_a_comment_on_github_holds_it() -> None:
    """Even where every third of 10,000 answers changed, and the names are long."""
    labels = np.arange(10_000) % 10
    old = pd.DataFrame({"index": range(10_000), "label": labels, "predicted": labels})
    new = old.assign(predicted=np.where(np.arange(10_000) % 3, labels, (labels + 1) % 10))
    flipped = np.flatnonzero(np.arange(10_000) % 3 == 0)
    result = Comparison(0.0, 0.0, 0.0, 1.0, 0.6, flipped, flipped)
    model = ModelReview("worse", old, new, METRICS, METRICS, result)
    models = dict.fromkeys(["cnn", "mlp", "resnet"], model)
    text = review_table.render_markdown(review(models, classes=["ankle boot"] * 10), {})
    assert len(text.encode()) < 65_536
    assert "... and 3,234 more." in text


characters = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])


@given(st.text(characters | st.sampled_from("|\\`<&*"), min_size=1, max_size=20))
def test_a_value_stays_in_its_cell(value: str) -> None:
    rendered = html(review({}, parameters=[Change("key", value, "1")]))
    assert rendered.count("<tr>") == 2
    assert rendered.count("<td") == 3
    assert rendered.count("<script") == 0
