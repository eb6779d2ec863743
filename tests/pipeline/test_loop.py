"""The loop, whole: served, drifted, corrected, exported, trained, promoted, followed."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from benchmarks.writers import Writer
from digits.collection import records
from tests.small_project import Command, edited, wait_for

pytestmark = pytest.mark.slow

TEXT = "14791479014723568"
WRITERS, LATER = 60, 20
RAW = {"Content-Type": "application/octet-stream"}


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """`digits serve` of the champion, collecting: its address."""
    command = [sys.executable, "-m", "digits.cli", "serve", "--model"]
    command += ["models:/handwriting@champion", "--port", "0", "--follow", "0.5"]
    command += ["--collect", "data/collected"]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def read(client: httpx.Client, writer: Writer, text: str = TEXT) -> list[dict]:
    answer = client.post(
        "/strokes", params={"session": writer.session}, content=writer.page(text), headers=RAW
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["digits"]


def answer(digit: dict) -> str:
    """What the main model says, also where it refuses."""
    probabilities = next(iter(digit["answers"].values()))["probabilities"]
    return str(int(np.argmax(probabilities)))


def accuracy(client: httpx.Client, first: int) -> float:
    """On pages of writers that nothing was learnt from."""
    right = []
    for number in range(first, first + LATER):
        found = read(client, Writer(number))
        right += [answer(d) == t for d, t in zip(found, TEXT, strict=True)]
    return float(np.mean(right))


def correct(client: httpx.Client) -> int:
    """Writers write, and say what each digit is that was read wrongly, and of some that are right.

    Returns:
        How many digits were wrong.
    """
    wrong = 0
    for number in range(WRITERS):
        for digit, truth in zip(read(client, Writer(number)), TEXT, strict=True):
            wrong += answer(digit) != truth
            given = client.post("/feedback", json={"id": digit["id"], "class": truth})
            assert given.status_code == 200, given.text
    return wrong


def ask_on(url: str, ending: threading.Event, statuses: list[int]) -> None:
    """Ask again and again, until told to end."""
    with httpx.Client(base_url=url, timeout=60) as client:
        page = Writer(999).page("123")
        while not ending.is_set():
            parameters = {"collect": False}
            answer = client.post("/strokes", params=parameters, content=page, headers=RAW)
            statuses.append(answer.status_code)
            time.sleep(0.05)


def evaluation(folder: Path) -> dict[str, float]:
    return json.loads((folder / "reports/evaluate/cnn/metrics.json").read_text())


def test_what_people_correct_comes_back(
    new_project,
    run: Command,
    environment: dict[str, str],
) -> None:
    folder = new_project()
    with edited(folder / "params.yaml") as params:
        params["train"]["cnn"]["epochs"] = 6
        params["train"]["cnn"]["augmentation"]["styles"] = 0.0
        params["preprocess"]["extra_weight"] = 3
        params["promote"] |= {"min_accuracy_low": 0.5, "max_ece": 0.5, "max_accuracy_loss": 0.2}
        params["promote"] |= {"min_corrupted_accuracy": 0.1, "max_onnx_difference": 1e-3}
        params["promote"] |= {"min_collected_accuracy": 0.5}
    run(folder, "dvc", "repro")
    before = evaluation(folder)
    assert "collected_accuracy" not in before
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--message", "The first model")
    run(folder, "digits", "promote", "cnn")

    with serving(folder, environment) as url, httpx.Client(base_url=url, timeout=60) as client:
        first = client.get("/version").json()["version"]
        accuracy_before = accuracy(client, 1000)
        wrong = correct(client)
        assert wrong > 20, "the style is none that the model lacks"

        model = ("--model", "models:/handwriting@champion")
        drift = run(folder, "digits", "drift", *model, "--fail-if", "drift", code=3)
        assert "drift: " in drift.stdout
        with records.opened(folder / "data/collected") as connection:
            found = records.select(connection)
        assert sum(bool(record.verdicts) for record in found) >= 300

        exported = run(folder, "digits", "collected", "--export", "styles")
        assert "next: dvc exp run -S 'data.extra=[styles]'" in exported.stdout
        with edited(folder / "params.yaml") as params:
            params["data"]["extra"] = ["styles"]
        run(folder, "dvc", "repro")
        after = evaluation(folder)
        assert after["collected_images"] > 50
        assert after["accuracy"] > before["accuracy"] - 0.05
        assert "## Where it serves" in (folder / "reports/model_card.md").read_text()
        run(folder, "git", "add", ".")
        run(folder, "git", "commit", "--message", "What was corrected")
        assert "collected_accuracy" in run(folder, "digits", "diff", "HEAD~1", "HEAD").stdout

        statuses: list[int] = []
        ending = threading.Event()
        asking = threading.Thread(target=ask_on, args=(url, ending, statuses))
        asking.start()
        try:
            promoted = run(folder, "digits", "promote", "cnn")
            assert "min_collected_accuracy" in promoted.stdout
            wait_for(lambda: client.get("/version").json()["version"] != first)
            wait_for(lambda: len(statuses) > 20)
        finally:
            ending.set()
            asking.join()
        assert set(statuses) == {200}  # none was dropped while the model changed
        accuracy_after = accuracy(client, 2000)
    print(f"{wrong} of {len(TEXT) * WRITERS} wrong; {accuracy_before:.3f} -> {accuracy_after:.3f}")
    print(f"{before['accuracy']} -> {after['accuracy']}; {after['collected_accuracy']}")
    assert accuracy_after > accuracy_before + 0.02
