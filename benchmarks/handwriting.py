"""How much of a page is read right: pages rendered from the test images, and real ones.

A folder of real pictures has a table, labels.csv, with the columns `file`, `label`, rows of
digits parted by `|`, and `kind`. Pictures as wholes count: one digit wrong, all is wrong.
"""

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import measuring, rendered
from digits import datasets, metrics, params
from digits.digitizing import digitize
from digits.inference import Model

MODEL = Path("models/cnn/model.onnx")
PICTURES = 100  # of each way to render
SEED = 0


def main() -> None:
    parser = measuring.parser("handwriting", __doc__ or "")
    parser.add_argument("folder", nargs="?", type=Path, help="real pictures; not by default")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of each way to render")
    args = parser.parse_args()
    model = Model(MODEL)
    test = datasets.load(measuring.PROCESSED / "test.npz")
    rows = []
    for name, look in rendered.WAYS.items():
        pages = rendered.pictures(test.images, test.labels, look, args.pictures, SEED)
        rows.append(_row(f"rendered: {name}", ((page.pixels, page.label) for page in pages), model))
    if args.folder:
        table = pd.read_csv(args.folder / "labels.csv", dtype=str)
        for kind, files in table.groupby("kind", sort=False):
            named = zip(files["file"], files["label"], strict=True)
            pictures = (((args.folder / file).read_bytes(), label) for file, label in named)
            rows.append(_row(f"real: {kind}", pictures, model))
    measuring.write("handwriting", pd.DataFrame(rows), "Low and high: Wilson's 95 % interval.")


def read(picture: bytes | np.ndarray, model: Model) -> str:
    """The digits of a picture, a `|` between rows."""
    digits = digitize(picture, model.predict)
    if not digits:
        return ""
    numbers = model.predict(np.stack([digit.image for digit in digits])).argmax(axis=1)
    lines: list[str] = [""] * (digits[-1].row + 1)
    for digit, number in zip(digits, numbers, strict=True):
        lines[digit.row] += model.classes[number]
    return "|".join(lines)


def _row(
    name: str, pictures: Iterable[tuple[bytes | np.ndarray, str]], model: Model
) -> dict[str, float | str]:
    right, counted, milliseconds = [], [], []
    for picture, label in pictures:
        start = time.perf_counter()
        text = read(picture, model)
        milliseconds.append(1000 * (time.perf_counter() - start))
        right.append(text == label)
        counted.append([len(line) for line in text.split("|")] == list(map(len, label.split("|"))))
    low, high = metrics.wilson(sum(right), len(right), params.load().evaluate.confidence_level)
    return {
        "pictures": name,
        "n": len(right),
        "read %": 100 * float(np.mean(right)),
        "low %": 100 * low,
        "high %": 100 * high,
        "digits found %": 100 * float(np.mean(counted)),
        "ms, median": float(np.median(milliseconds)),
    }


if __name__ == "__main__":
    main()
