"""Pictures read one after another, and what was found as a table, JSON or CSV."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tabulate import tabulate

from digits.base.errors import UserError
from digits.recognition.answers import TOP, Answer, corners
from digits.recognition.recognizer import Recognizer

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"}
STDIN = "-"

Found = Mapping[str, Sequence[Answer]]  # by picture


def read(
    recognizer: Recognizer,
    names: Sequence[str],
    folder: Path = Path(),
    explanation: Path | None = None,
) -> tuple[Found, list[str]]:
    """Read pictures.

    Args:
        names: of pictures, of folders of pictures, or `-`, standard input.
        folder: what they are relative to.
        explanation: a PNG to draw of how the picture was read; of a single one.

    Returns:
        The answers by picture, and a line for each that cannot be read.

    Raises:
        UserError: there are several pictures to explain.
    """
    found, failures = {}, []
    pictures = list(_pictures(names, folder))
    if explanation and len(pictures) > 1:
        raise UserError(f"--explain: one picture at a time, not {len(pictures)}")
    for name in pictures:
        try:
            picture = sys.stdin.buffer.read() if name == STDIN else (folder / name).read_bytes()
            found[name] = (
                recognizer.explain(picture, explanation)
                if explanation
                else recognizer.read(picture)
            )
        except UserError as error:
            failures.append(f"{name}: {error}")
        except OSError as error:
            failures.append(f"{name}: {error.strerror}")
    return found, failures


def _pictures(names: Sequence[str], folder: Path) -> Iterator[str]:
    for name in names:
        if name != STDIN and (folder / name).is_dir():
            inside = sorted((folder / name).rglob("*"))
            pictures = [path for path in inside if path.suffix.lower() in SUFFIXES]
            if not pictures:
                raise UserError(f"{name}: has no picture in it ({', '.join(sorted(SUFFIXES))})")
            for path in pictures:
                yield str(Path(name, path.relative_to(folder / name)))
        else:
            yield name


def to_table(found: Found) -> str:
    """To read on a terminal."""
    rows = [
        {
            "picture": name,
            "row": answer.row,
            "box": " ".join(map(str, _box(answer))),
            "digit": answer.digit,
            "confidence": f"{answer.confidence:.4f}",
            f"top {TOP}": "  ".join(f"{each} {value:.4f}" for each, value in answer.top),
        }
        for name, answers in found.items()
        for answer in answers
    ]
    lines = [tabulate(rows, "keys", disable_numparse=True)] if rows else []
    lines += [f"{name}: no digit found" for name, answers in found.items() if not answers]
    return "\n".join(lines)


def _box(answer: Answer) -> list[int]:
    assert answer.box is not None  # it was found in a picture
    return corners(answer.box)


def to_json(found: Found, recognizer: Recognizer) -> str:
    """The model, and each picture with its digits as the server's /predict gives them."""
    pictures = [
        {"picture": name, "digits": [answer.as_json() for answer in answers]}
        for name, answers in found.items()
    ]
    return json.dumps({"model": recognizer.as_json(), "pictures": pictures}, indent=2)


def to_csv(found: Found) -> str:
    """A row for each digit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    top = [f"{what}_{rank}" for rank in range(1, TOP + 1) for what in ("class", "probability")]
    box = ("left", "top", "width", "height")
    writer.writerow(["picture", "row", *box, "digit", "confidence", "refused", *top])
    for name, answers in found.items():
        for answer in answers:
            ranked = [value for pair in answer.top for value in pair]
            said = (answer.digit, answer.confidence, answer.refused)
            writer.writerow([name, answer.row, *_box(answer), *said, *ranked])
    return text.getvalue()
