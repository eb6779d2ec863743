"""Pictures read one after another, and what was found as a table, JSON or CSV."""

import csv
import io
import json
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from digits.base.errors import UserError
from digits.recognition import decoding
from digits.recognition.answers import TOP, Answer, corners
from digits.recognition.recognizer import Recognizer

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"}
STDIN = "-"
AHEAD = 2  # pictures for each worker that may be read before they are asked for

ReadOne = Callable[[bytes | np.ndarray], list[Answer]]
Reading = tuple[str, list[Answer] | str]  # a picture's name, its answers or what is wrong with it
Found = Mapping[str, Sequence[Answer]]  # by picture


@dataclass(frozen=True)
class Listing:
    """Pictures to be read.

    Attributes:
        pictures: their names.
        left_out: files of the folders that are no picture of a format that is read.
    """

    pictures: list[str]
    left_out: list[str]


def list_pictures(names: Sequence[str], folder: Path = Path()) -> Listing:
    """List pictures.

    Args:
        names: of pictures, of folders of pictures, or `-`, standard input.
        folder: what they are relative to.

    Raises:
        UserError: a folder has no picture in it.
    """
    listing = Listing([], [])
    for name in names:
        if name == STDIN or not (folder / name).is_dir():
            listing.pictures.append(name)
            continue
        files = sorted(path for path in (folder / name).rglob("*") if path.is_file())
        if not any(path.suffix.lower() in SUFFIXES for path in files):
            raise UserError(f"{name}: has no picture in it ({', '.join(sorted(SUFFIXES))})")
        for path in files:
            is_picture = path.suffix.lower() in SUFFIXES
            shown = str(Path(name, path.relative_to(folder / name)))
            (listing.pictures if is_picture else listing.left_out).append(shown)
    return listing


def read(
    read_one: ReadOne, pictures: Sequence[str], folder: Path = Path(), workers: int = 1
) -> Generator[Reading, None, None]:
    """Read pictures, several at a time, and give each as soon as it and those before are read.

    Args:
        read_one: from a picture, its file's bytes or its pixels, to its answers, such as
            `Recognizer.read`.
        pictures: names, see `list_pictures`.
        folder: what they are relative to.
        workers: pictures at a time, a thread each.

    Yields:
        A picture's name, and its answers; or why it cannot be read. Of a TIFF file with
        several pages, each page.
    """
    waiting: deque[Future[list[Reading]]] = deque()
    executor = ThreadPoolExecutor(workers, "pictures")
    try:
        for name in pictures:
            waiting.append(executor.submit(_read_pages, read_one, name, folder))
            if len(waiting) > AHEAD * workers:  # memory does not grow with their number
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)


def _read_pages(read_one: ReadOne, name: str, folder: Path) -> list[Reading]:
    try:
        content = sys.stdin.buffer.read() if name == STDIN else (folder / name).read_bytes()
    except OSError as error:
        return [(name, str(error.strerror))]
    if (pages := decoding.count_pages(content)) == 1:
        return [(name, _answers(read_one, content))]
    return [
        (f"{name}, page {page + 1}", _answers(read_one, content, page)) for page in range(pages)
    ]


def _answers(read_one: ReadOne, content: bytes, page: int | None = None) -> list[Answer] | str:
    try:
        return read_one(content if page is None else decoding.decode(content, page=page))
    except UserError as error:
        return str(error)
    except OSError as error:
        return str(error.strerror)


def to_table(found: Found) -> str:
    """Format answers for a terminal."""
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
    """Format as JSON: the model, and each picture's digits as the server's /predict has them."""
    pictures = [
        {"picture": name, "digits": [answer.as_json() for answer in answers]}
        for name, answers in found.items()
    ]
    return json.dumps({"model": recognizer.as_json(), "pictures": pictures}, indent=2)


def csv_header() -> str:
    """Return the header of `to_csv`."""
    top = [f"{what}_{rank}" for rank in range(1, TOP + 1) for what in ("class", "probability")]
    box = ("left", "top", "width", "height")
    return _csv([["picture", "row", *box, "digit", "confidence", "refused", *top]])


def to_csv(name: str, answers: Sequence[Answer]) -> str:
    """Format a picture's digits as CSV, a row for each."""
    return _csv(
        [
            *(name, answer.row, *_box(answer)),
            *(answer.digit, answer.confidence, answer.refused),
            *(value for pair in answer.top for value in pair),
        ]
        for answer in answers
    )


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
