"""How well pictures of many writers are read, and what each rule of the digitiser is worth.

Pages rendered from the test images are read and, with --folder, real pictures by kind and
writer. The folder has a table, labels.csv, with the columns `file`, `label` (rows of digits
parted by `|`; empty where there is no digit), `kind` and `writer`; it may have arrays,
*.npz, with `images`, `labels` and `writer`, of one digit each. A picture is read if every
digit is found and its likeliest class is right, refused or not.

With --ablate every rule is switched off in turn: how many pictures it mends and breaks, and
of how many writers more are read with it than without.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import measuring, rendered
from benchmarks.handwriting import likeliest_text
from digits import Recognizer

PICTURES = 25  # of each way to render
SEED = 1  # other pages than those of `benchmarks.handwriting`

# What switches a rule off: a constant of a module, and the value at which nothing is done.
RULES: dict[str, tuple[str, float]] = {
    "look at a screenshot's page alone": ("page.AROUND", 2),
    "paint over a sheet's surroundings": ("ink.AROUND", 2),
    "judge ink by the ink nearby": ("ink.FAINTEST", 1),
    "smooth the noise of dim light": ("ink.QUIET", np.inf),
    "keep pale ink beside strong ink": ("ink.PALE", 1),
    "remove frames of forms": ("ruling.RECTANGULAR", 2),
    "remove ruled lines": ("ruling.MOST_LINES", 0),
    "leave out strips at the edge": ("parts.STRIP", np.inf),
    "leave out specks": ("parts.SPECK", 0),
    "leave out dashes": ("parts.DASH", np.inf),
    "leave out digits cut off by the edge": ("parts.CUT_OFF", 0),
    "join pieces across a gap": ("parts.GAP", 0),
    "join a bar above": ("parts.BAR", np.inf),
    "join the dot of an i": ("parts.STEM", 0),
    "join pieces across a hair": ("parts.HAIR", 0),
    "join parts where the model is sure": ("joining.REACH", 0),
    "cut digits that touch": ("touching.NARROW", np.inf),
    "leave whole what falls into slim pieces": ("touching.SLIM", 0),
    "thicken thin strokes": ("crops.STROKE", 0),
}


@dataclass(frozen=True)
class Item:
    """A picture, what it shows and who wrote it."""

    kind: str
    writer: str
    picture: bytes | np.ndarray
    label: str


def main() -> None:
    parser = measuring.parser("digitising", __doc__ or "")
    parser.add_argument("--folder", type=Path, help="real pictures; none by default")
    parser.add_argument("--model", default="models/cnn", help="a folder with a model.onnx")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of each way to render")
    parser.add_argument("--ablate", action="store_true", help="switch off each rule in turn")
    args = parser.parse_args()
    recognizer = Recognizer(args.model)
    items = [*_rendered(args.pictures), *(_real(args.folder) if args.folder else [])]
    whole = _read(items, recognizer)
    table = pd.DataFrame(
        {"kind": [i.kind for i in items], "writer": [i.writer for i in items], "read": whole}
    )
    if not args.ablate:
        grouped = table.groupby(["kind", "writer"], sort=False)["read"].agg(["size", "sum"])
        counts = grouped.rename(columns={"size": "n", "sum": "read"}).reset_index()
        measuring.write("digitising", counts, "Pictures read as wholes, by kind and writer.")
        return
    rows = []
    for rule, (constant, value) in RULES.items():
        with _set(constant, value):
            without = _read(items, recognizer)
        rows.append({"rule": rule, **_compare(table, without)})
    measuring.write(
        "ablation",
        pd.DataFrame(rows),
        f"Of {len(items)} pictures {int(whole.sum())} are read. `mended` are read with the rule "
        "alone, `broken` without it alone; `writers` counts writers, or ways to render, of whom "
        "more are read with it less those of whom fewer are.",
        "digitising --ablate",
    )


def _compare(table: pd.DataFrame, without: np.ndarray) -> dict[str, int]:
    """Compare what is read with a rule and without it."""
    change = table["read"].astype(int) - without
    by_writer = change.groupby([table["kind"], table["writer"]]).sum()
    return {
        "mended": int((change > 0).sum()),
        "broken": int((change < 0).sum()),
        "writers": int(np.sign(by_writer).sum()),
    }


def _read(items: list[Item], recognizer: Recognizer) -> np.ndarray:
    """Decide which pictures are read right, `bool (N,)`."""
    texts = [likeliest_text(recognizer.read(item.picture)) for item in items]
    return np.array([text == item.label for text, item in zip(texts, items, strict=True)], bool)


def _rendered(count: int) -> Iterator[Item]:
    test = measuring.split("test")
    for name, look in rendered.WAYS.items():
        for page in rendered.pictures(test.images, test.labels, look, count, SEED):
            yield Item("rendered", name, page.pixels, page.label)


def _real(folder: Path) -> Iterator[Item]:
    labels = pd.read_csv(folder / "labels.csv", dtype=str, keep_default_na=False)
    for row in labels.itertuples(index=False):
        yield Item(row.kind, row.writer, (folder / row.file).read_bytes(), row.label)
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            columns = (arrays["images"], arrays["labels"], arrays["writer"])
        for image, label, writer in zip(*columns, strict=True):
            yield Item(path.stem, str(writer), image, str(label))


@contextmanager
def _set(constant: str, value: float) -> Iterator[None]:
    """Give a constant of a module of `digits.recognition` another value for a while."""
    module_name, name = constant.split(".")
    module = importlib.import_module(f"digits.recognition.{module_name}")
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


if __name__ == "__main__":
    main()
