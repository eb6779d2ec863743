"""Visits to a server that collects, as a page of it makes them: write, correct, ask on."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import load
from benchmarks.writers import Writer

TEXT = "14791479014723568"
COLLECTED = "data/collected"
RAW = {"Content-Type": "application/octet-stream"}


@contextmanager
def serving(folder: Path, model: str, environment: Mapping[str, str]) -> Iterator[str]:
    """`digits serve` of a model by its alias, collecting into `COLLECTED`: its address."""
    command = [sys.executable, "-m", "digits.cli", "serve", "--model", model]
    command += ["--follow", "0.5", "--collect", COLLECTED]
    with load.serving(command, cwd=folder, env=environment) as (port, _):
        yield f"http://127.0.0.1:{port}"


def write_everyday(client: httpx.Client, images: np.ndarray) -> None:
    """Send digits that are like the training's, `uint8 (days, N, 28, 28)`, a session a day."""
    for day, of_day in enumerate(images):
        parameters = {"session": f"everyday-{day}"}
        for image in of_day:
            answered = client.post(
                "/predict", params=parameters, content=image.tobytes(), headers=RAW
            )
            assert answered.status_code == 200, answered.text


def read(client: httpx.Client, writer: Writer) -> list[dict[str, Any]]:
    """Send a page of a writer; the digits that were read."""
    parameters = {"session": writer.session}
    page = writer.page(TEXT)
    answered = client.post("/strokes", params=parameters, content=page, headers=RAW)
    assert answered.status_code == 200, answered.text
    digits: list[dict[str, Any]] = answered.json()["digits"]
    return digits


def answer(digit: dict[str, Any]) -> str:
    """What the main model says, also where it refuses."""
    probabilities = next(iter(digit["answers"].values()))["probabilities"]
    return str(int(np.argmax(probabilities)))


def accuracy(client: httpx.Client, numbers: range) -> float:
    """On pages of writers that nothing is learnt from."""
    right = []
    for number in numbers:
        found = read(client, Writer(number))
        right += [answer(d) == t for d, t in zip(found, TEXT, strict=True)]
    return float(np.mean(right))


def correct(client: httpx.Client, numbers: range) -> int:
    """Writers write, and say of each digit what it is.

    Returns:
        How many digits were read wrongly.
    """
    wrong = 0
    for number in numbers:
        for digit, truth in zip(read(client, Writer(number)), TEXT, strict=True):
            wrong += answer(digit) != truth
            given = client.post("/feedback", json={"id": digit["id"], "class": truth})
            assert given.status_code == 200, given.text
    return wrong


@contextmanager
def asking(url: str) -> Iterator[list[int]]:
    """Ask again and again meanwhile; the statuses of the answers."""
    statuses: list[int] = []
    ending = threading.Event()

    def ask() -> None:
        page = Writer(999).page("123")
        with httpx.Client(base_url=url, timeout=60) as client:
            while not ending.is_set():
                answered = client.post(
                    "/strokes", params={"collect": False}, content=page, headers=RAW
                )
                statuses.append(answered.status_code)
                time.sleep(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        ending.set()
        thread.join()


def wait_for(condition: Callable[[], bool], seconds: float = 600) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it did not.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not happen within {seconds} s")
        time.sleep(0.1)
