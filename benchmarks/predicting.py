"""`digits predict` on folders of ever more pictures: its time, and whether its memory grows.

The pictures are about a thousand rendered pages, in all the ways of `looks`; what is more are links
to these, which are read like others.
"""

import json
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import cv2
import pandas as pd

from benchmarks import measuring, rendered

COUNTS = (100, 1000, 20_000)
RENDERED = 1000
SEED = 2


def main() -> None:
    parser = measuring.parser("predicting", __doc__ or "")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="pictures at a time")
    workers = parser.parse_args().workers
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "rendered"
        # Elsewhere: the memory of this process would be taken for that of those it starts.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as renderer:
            renderer.submit(render, folder).result()
        pages = sorted(folder.iterdir())
        rows = [_measure(Path(name) / str(count), pages, count, workers) for count in COUNTS]
    note = f"Of the whole process, {workers} pictures at a time. Every picture was answered."
    measuring.write("predicting", pd.DataFrame(rows), note)


def render(folder: Path) -> None:
    """Write the pages as PNG files, one of each way in turn."""
    folder.mkdir()
    test = measuring.split("test")
    each = -(-RENDERED // len(rendered.WAYS))
    for way, look in enumerate(rendered.WAYS.values()):
        pages = rendered.pictures(test.images, test.labels, look, each, SEED)
        for number, page in enumerate(pages):
            place = number * len(rendered.WAYS) + way
            cv2.imwrite(str(folder / f"{place:05d}.png"), page.pixels[..., ::-1])


def _measure(folder: Path, pages: list[Path], count: int, workers: int) -> dict[str, float]:
    """Read a folder of so many pictures by the command.

    Raises:
        SystemExit: it failed, or a picture was not answered.
    """
    folder.mkdir()
    for number, page in enumerate(islice(cycle(pages), count)):
        os.link(page, folder / f"{number:05d}.png")
    command = [sys.executable, "-m", "digits.cli", "predict", str(folder), "--json"]
    cost, printed = measuring.measure([*command, "--workers", str(workers)])
    pictures = json.loads(printed)["pictures"]
    if len(pictures) != count:
        sys.exit(f"of {count} pictures {len(pictures)} were answered")
    return {
        "pictures": count,
        "digits": sum(len(picture["digits"]) for picture in pictures),
        "wall s": cost.wall_seconds,
        "CPU ms a picture": 1000 * cost.cpu_seconds / count,
        "peak MB": cost.peak_megabytes,
    }


if __name__ == "__main__":
    main()
