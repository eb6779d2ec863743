"""Pictures read several at a time, and given in order as they are read."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from digits.base.errors import UserError, explain
from digits.recognition import decoding
from digits.recognition.answers import Answer

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"}
STDIN = "-"
AHEAD = 2  # pictures for each worker that may be read before they are asked for
PATIENCE = 0.1  # seconds until a wait for a picture looks whether it is to end

ReadOne = Callable[[np.ndarray, int | None], list[Answer]]  # of pixels, and the page, see `read`
Reading = tuple[str, list[Answer] | str]  # a picture's name, its answers or what is wrong with it


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


@dataclass(frozen=True)
class Page:
    """A picture, or one of several pages of a file.

    Attributes:
        name: to be shown.
        source: the file or its content.
        number: from 1; None where the file has no other page.
    """

    name: str
    source: Path | bytes
    number: int | None


def read(
    read_one: ReadOne,
    pictures: Sequence[str],
    folder: Path = Path(),
    workers: int = 1,
    stop: Event | None = None,
) -> Iterator[Reading]:
    """Read pictures, several at a time, and give each as soon as it and those before are read.

    Args:
        read_one: from a picture's pixels, see `decoding.decode`, and its page in the file, from
            1, None where there is one only, to its answers.
        pictures: names, see `list_pictures`. Standard input is read at once.
        folder: what they are relative to.
        workers: pictures at a time, a thread each.
        stop: once it is set, what was read is given, and what is at work is not waited for.

    Returns:
        Of each picture its name, and its answers; or why it cannot be read. Of a TIFF file with
        several pages, each page.

    Raises:
        UserError: standard input is to be read, and closed.
    """
    if STDIN in pictures and sys.stdin is None:
        raise UserError(f"{STDIN}: standard input is closed: give it a picture, or name a file")
    stdin = sys.stdin.buffer.read() if STDIN in pictures else b""
    sources = ((name, stdin if name == STDIN else _source(folder / name)) for name in pictures)
    pages = (page for name, source in sources for page in _pages(name, source))
    return _read(read_one, pages, workers, stop or Event())


def _read(read_one: ReadOne, pages: Iterator[Page], workers: int, stop: Event) -> Iterator[Reading]:
    waiting: deque[tuple[str, Future[list[Answer] | str]]] = deque()
    executor = ThreadPoolExecutor(workers, "pictures")
    try:
        for page in pages:
            waiting.append((page.name, executor.submit(_answers, read_one, page)))
            while len(waiting) > AHEAD * workers and not stop.is_set():
                yield from _take_first(waiting)  # memory does not grow with their number
            if stop.is_set():
                break
        while waiting and not stop.is_set():
            yield from _take_first(waiting)
        yield from ((name, future.result()) for name, future in waiting if future.done())
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _take_first(waiting: deque[tuple[str, Future[list[Answer] | str]]]) -> Iterator[Reading]:
    """Wait a moment for the first picture, and give it if it is read."""
    name, future = waiting[0]
    if wait([future], PATIENCE).done:
        waiting.popleft()
        yield name, future.result()


def _source(path: Path) -> Path | bytes:
    """A file's path, or what comes out of a pipe, which can be read but once."""
    return path.read_bytes() if path.is_fifo() and os.access(path, os.R_OK) else path


def _pages(name: str, source: Path | bytes) -> Iterator[Page]:
    pages = decoding.count_pages(source)
    if pages == 1:
        yield Page(name, source, None)
        return
    for number in range(1, pages + 1):
        yield Page(f"{name}, page {number}", source, number)


def _answers(read_one: ReadOne, page: Page) -> list[Answer] | str:
    try:
        pixels = decoding.decode(page.source, page=(page.number or 1) - 1)
    except UserError as error:
        return str(error)
    except OSError as error:
        return str(error.strerror)
    try:
        return read_one(pixels, page.number)
    except (UserError, OSError) as error:  # of the system, it names what could not be written
        return explain(error)
