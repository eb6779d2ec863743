"""How much of a page is read right: pages rendered from the test images, and real ones.

A folder of real pictures has a table, labels.csv, with the columns `file`, `label`, rows of
digits parted by `|`, and `kind`. Pictures as wholes count: one digit wrong, all is wrong.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import measuring, rendered
from digits import Recognizer, params
from digits.evaluation import metrics
from digits.recognition.answers import Answer

PICTURES = 100  # of each way to render
SEED = 0

Labelled = Iterable[tuple[bytes | np.ndarray, str]]


def main() -> None:
    parser = measuring.parser("handwriting", __doc__ or "")
    parser.add_argument("folder", nargs="?", type=Path, help="real pictures; not by default")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of each way to render")
    args = parser.parse_args()
    recognizer = Recognizer()
    test = measuring.split("test")
    rows = []
    for name, look in rendered.WAYS.items():
        pages = rendered.pictures(test.images, test.labels, look, args.pictures, SEED)
        rows.append(_row(f"rendered: {name}", ((p.pixels, p.label) for p in pages), recognizer))
    for name, pages_without in rendered.no_digits(args.pictures, SEED).items():
        rows.append(_row(f"no digit: {name}", ((page, "") for page in pages_without), recognizer))
    if args.folder:
        table = pd.read_csv(args.folder / "labels.csv", dtype=str)
        for kind, files in table.groupby("kind", sort=False):
            named = zip(files["file"], files["label"], strict=True)
            pictures = (((args.folder / file).read_bytes(), label) for file, label in named)
            rows.append(_row(f"real: {kind}", pictures, recognizer))
    measuring.write(
        "handwriting",
        pd.DataFrame(rows),
        "`read`: every digit found, and its likeliest class right, refused or not; low and high "
        "are Wilson's interval. `refused`: of the digits found. `wrong`: of all digits found in "
        "pictures of the right count, answered and not right; where there is no digit, answered.",
    )


def _row(name: str, pictures: Labelled, recognizer: Recognizer) -> dict[str, float | str]:
    read, refused, wrong, milliseconds = [], [], [], []
    for picture, label in pictures:
        start = time.perf_counter()
        answers = recognizer.read(picture)
        milliseconds.append(1000 * (time.perf_counter() - start))
        text = likeliest_text(answers)
        read.append(text == label)
        refused += [answer.refused for answer in answers]
        expected = label.replace("|", "") or "?" * len(answers)
        if len(expected) == len(answers):
            wrong += [
                not answer.refused and answer.digit != digit
                for answer, digit in zip(answers, expected, strict=True)
            ]
    low, high = metrics.wilson_interval(
        sum(read), len(read), params.load().evaluate.confidence_level
    )
    return {
        "pictures": name,
        "n": len(read),
        "read %": 100 * float(np.mean(read)),
        "low %": 100 * low,
        "high %": 100 * high,
        "refused %": 100 * float(np.mean(refused)),
        "wrong %": 100 * float(np.mean(wrong)),
        "ms, median": float(np.median(milliseconds)),
    }


def likeliest_text(answers: Sequence[Answer]) -> str:
    """Read the digits of a picture, with a `|` between rows."""
    rows: dict[int | None, str] = {}
    for answer in answers:
        rows[answer.row] = rows.get(answer.row, "") + answer.top[0][0]
    return "|".join(rows.values())


if __name__ == "__main__":
    main()
