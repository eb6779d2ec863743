"""The images that a change fixed or broke, as pictures."""

from pathlib import Path
from urllib.parse import quote

import numpy as np

from digits.data import splits
from digits.rendering import figures
from digits.review.movements import flips
from digits.review.review import Review

MOST_IMAGES = 100  # most images in a picture: nobody looks at more


def draw(review: Review, test: Path, beside: Path) -> dict[tuple[str, str], str]:
    """Draw the images fixed and broken, a PNG for each model and kind, beside a Markdown file.

    Files, because GitHub shows no picture that is inside the Markdown, as a data URI is.

    Args:
        test: the test split, if it is at hand and the one that the models were evaluated on.
        beside: such as review.md, for review-cnn-fixed.png.

    Returns:
        Links to the pictures by model and kind, "fixed" or "broken".
    """
    pictures: dict[tuple[str, str], str] = {}
    if not test.exists():
        return pictures
    split = splits.load(test)
    for name, model in review.models.items():
        if model.new is None or not np.array_equal(model.new["label"], split.labels):
            continue
        for kind, flipped in flips(model).items():
            if flipped.empty:
                continue
            shown = flipped.head(MOST_IMAGES)
            captions = [
                f"{index}\n{review.class_name(label)}:"
                f" {review.class_name(old)} → {review.class_name(new)}"
                for index, label, old, new in shown.itertuples(index=False)
            ]
            title = f"{name}: images {kind} ({len(flipped)}"
            if len(flipped) > MOST_IMAGES:
                title += f", the first {MOST_IMAGES}"
            title += "); label: old → new answer"
            picture = beside.with_name(f"{beside.stem}-{name}-{kind}.png")
            figures.draw_gallery(split.images[shown["index"]], captions, title, picture)
            pictures[name, kind] = quote(picture.name)
    return pictures
