"""`digits collected` and what it exports, as a user runs it."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digits.base.errors import UserError
from digits.collection import exporting, records
from digits.collection.collector import Collector
from digits.data import catalogue
from digits.data.catalogue import FILES
from digits.intake import idx
from tests import small_model
from tests.digits.collection.conftest import CLASSES, label, reading
from tests.small_project import ROOT

Collect = Callable[..., Collector]
Command = Callable[..., subprocess.CompletedProcess[str]]
SESSIONS = 40


@pytest.fixture
def folder(tmp_path: Path, collect: Collect) -> Path:
    """A project in which 40 sessions of ten digits were collected and confirmed, but for four."""
    collector = collect()
    for session in range(SESSIONS):
        numbers = list(range(10 * session, 10 * session + 10))
        for n, identity in zip(
            numbers, collector.collect(reading(numbers, f"session-{session}")), strict=True
        ):
            said = {0: None, 1: "none", 2: label(n + 1), 3: label(n)}.get(n, label(n))
            future = collector.judge(identity, said, "anna")
    future.result(30)
    collector.close()
    for name in ("params.yaml", "datasets.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / exporting.RAW).mkdir(parents=True)
    pixels, labels = small_model.images()
    known = (pixels[1000:1100], labels[1000:1100], pixels[7:9], labels[7:9])
    for name, array in zip(FILES, known, strict=True):
        idx.write(tmp_path / exporting.RAW / name, array.astype(np.uint8))
    return tmp_path


def run(python: Command, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "digits.cli", "collected", "kept", *arguments, cwd=folder)


def test_the_counts(folder: Path, python: Command) -> None:
    done = run(python, folder)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first == "400 digits"
    header = "class digits open confirmed corrected no digit disputed"
    assert rest[1].split() == header.split()
    (none,) = (line.split() for line in rest if line.startswith("none"))
    assert none == ["none", "1", "0", "0", "0", "1", "0"]
    assert "... and 20 more" in rest


def test_forgetting(folder: Path, python: Command) -> None:
    assert run(python, folder, "--forget", "session-3").stdout == "forgotten: 10 digits\n"
    assert run(python, folder, "--before", "2020-01-31").stdout == "forgotten: 0 digits\n"
    assert run(python, folder, "--before", "2220-01-31").stdout == "forgotten: 390 digits\n"
    for wrong in (["--before", "tomorrow"], ["--forget", "a", "--before", "2020-01-31"]):
        assert run(python, folder, *wrong).returncode != 0


def test_nothing_was_collected(folder: Path, python: Command) -> None:
    done = python("-m", "digits.cli", "collected", cwd=folder)
    assert done.returncode == 1
    assert done.stderr == (
        "digits: data/collected: nothing was collected there; `digits serve --collect` does it\n"
    )


@pytest.mark.slow
def test_the_export_is_a_data_set(
    folder: Path, python: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(python, folder, "--export", "styles", "--most-per-session", "8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "next: dvc exp run -S 'data.extra=[styles]'"
    monkeypatch.chdir(folder)
    entry = catalogue.find("styles")
    assert catalogue.find_extra(["styles"], catalogue.find("mnist")) == {"styles": entry}
    train = idx.read_split(Path("data/imported/styles"), "train")
    test = idx.read_split(Path("data/imported/styles"), "test")
    numbers = {bytes(image): n for n, image in enumerate(small_model.images()[0])}
    cut = len(train.labels) - entry.rows.validation
    parts = {
        "train": train.images[:cut],
        "validation": train.images[cut:],
        "test": test.images,
    }
    sessions: dict[str, set[int]] = {}
    for part, images in parts.items():
        of_part = [numbers[bytes(image)] // 10 for image in images]
        sessions[part] = set(of_part)
        assert {exporting.part_of(f"session-{n}") for n in of_part} == {part}
        assert max(np.bincount(of_part)) == 8
    assert not sessions["train"] & sessions["test"]
    everything = {numbers[bytes(image)] for images in parts.values() for image in images}
    assert not everything & {0, 1, 7, 8}  # not reviewed, no digit, of the main test
    by_number = {numbers[bytes(i)]: str(c) for i, c in zip(train.images, train.labels, strict=True)}
    by_number |= {numbers[bytes(i)]: str(c) for i, c in zip(test.images, test.labels, strict=True)}
    if 2 in by_number:
        assert by_number.pop(2) == label(3)
    assert all(label(n) == said for n, said in by_number.items())
    again = run(python, folder, "--export", "styles")
    assert again.returncode == 1
    assert again.stderr.startswith("digits: styles: is in datasets.yaml already")


def test_too_little_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with records.opened(folder / "kept") as connection:
        found = [r for r in records.select(connection) if r.session == "session-5"]
    with pytest.raises(UserError, match=r"^there is no reviewed digit for \w+ yet"):
        exporting.export("few", found, CLASSES, "mnist", 100)
    assert "few:" not in Path("datasets.yaml").read_text()


def test_what_is_left_out_of_an_export_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with records.opened(folder / "kept") as connection:
        found = records.select(connection)
    some = [replace(record, verdicts={"anna": "a"}) for record in found[10:13]]
    notes = exporting.export("some", found[:10] + some + found[13:], CLASSES, "mnist", 8).notes
    assert "left out: 1 no digit" in notes
    assert "left out: 3 of another class than 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in notes


def test_without_the_main_data_set_nothing_is_exported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (exporting.RAW / FILES[2]).unlink()
    with pytest.raises(UserError, match="so that its images could not be left out"):
        exporting.export("some", [], CLASSES, "mnist", 100)
