"""`digits predict`, in a workspace of its own."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import Recognizer
from digits.base.errors import UserError
from digits.recognition import reading
from digits.recognition.answers import Answer
from tests import small_model


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model, and pictures in a folder of it."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "dvc.yaml").write_text("")
    small_model.write(folder / "models/cnn")
    small_model.write(folder / "models/unsure", sharpness=0.1)
    small_model.write_lock(folder)
    (folder / "pictures/more").mkdir(parents=True)
    cv2.imwrite(str(folder / "pictures/b.png"), small_model.handwriting("12|03"))
    cv2.imwrite(str(folder / "pictures/more/a.JPG"), small_model.handwriting("4"))
    cv2.imwrite(str(folder / "pictures/empty.png"), np.full((99, 99), 255, np.uint8))
    (folder / "pictures/notes.txt").write_text("not a picture")
    return folder


def predict(
    folder: Path, *arguments: str, content: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "digits.cli", "predict", *arguments]
    return subprocess.run(command, cwd=folder, input=content, capture_output=True, check=False)


def test_a_folder_is_read_as_a_table(workspace: Path) -> None:
    done = predict(workspace, "pictures")
    assert done.returncode == 0
    left_out = b"digits: pictures/notes.txt: left out, not a format that is read\n"
    assert done.stderr == left_out
    header, _, *rows = done.stdout.decode().splitlines()
    assert rows.pop(4) == "pictures/empty.png: no digit found"
    assert header.split() == ["picture", "row", "box", "digit", "confidence", "top", "3"]
    assert [row.split()[0] for row in rows] == ["pictures/b.png"] * 4 + ["pictures/more/a.JPG"]
    assert [row.split()[6] for row in rows] == list("12034")


def test_paths_and_models_are_relative_to_where_the_user_is(workspace: Path) -> None:
    done = predict(workspace / "pictures", "b.png", "--model", "../models/unsure", "--json")
    answer = json.loads(done.stdout)
    assert answer["pictures"][0]["picture"] == "b.png"
    assert {digit["digit"] for digit in answer["pictures"][0]["digits"]} == {"?"}
    assert predict(workspace / "pictures", "b.png", "--model", "models/cnn").returncode == 0


def test_standard_input_as_json(workspace: Path) -> None:
    done = predict(workspace, "-", "--json", content=(workspace / "pictures/b.png").read_bytes())
    (picture,) = json.loads(done.stdout)["pictures"]
    assert picture["picture"] == "-"
    assert [(digit["row"], digit["digit"]) for digit in picture["digits"]] == [
        (0, "1"), (0, "2"), (1, "0"), (1, "3"),
    ]  # fmt: skip
    for digit in picture["digits"]:
        assert digit["top"][0] == {"class": digit["digit"], "probability": digit["confidence"]}
        assert len(digit["top"]) == 3
        assert min(digit["box"]) > 0
        assert digit["refused"] is False


def test_a_pipe_is_read_once(workspace: Path) -> None:
    done = predict(
        workspace, "/dev/stdin", "--json", content=(workspace / "pictures/b.png").read_bytes()
    )
    assert done.stderr == b""
    (picture,) = json.loads(done.stdout)["pictures"]
    assert [digit["digit"] for digit in picture["digits"]] == list("1203")


def test_a_closed_standard_input_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="standard input is closed"):
        reading.read(lambda *_: [], ["-"])


def test_csv_has_a_row_for_each_digit(workspace: Path) -> None:
    done = predict(workspace, "pictures", "--csv", "--threshold", "1")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["class_1"] for row in rows] == list("12034")
    assert {(row["digit"], row["refused"]) for row in rows} == {("?", "True")}
    assert float(rows[0]["confidence"]) == float(rows[0]["probability_1"]) > 0.5


def test_what_cannot_be_read_is_named_after_the_rest(workspace: Path) -> None:
    done = predict(workspace, "pictures/notes.txt", "none.png", "pictures/b.png")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 6
    first, second = done.stderr.decode().splitlines()
    assert first.startswith("digits: pictures/notes.txt: not a picture that can be read")
    assert second == "digits: none.png: No such file or directory"


def test_a_folder_without_pictures_is_named(workspace: Path) -> None:
    done = predict(workspace, "models")
    assert done.returncode == 1
    assert done.stderr.startswith(b"digits: models: has no picture in it (.bmp, ")


def test_pictures_are_given_in_order_and_as_they_are_read(workspace: Path) -> None:
    recognizer = Recognizer(workspace / "models/cnn")
    names = ["pictures/b.png", "none.png"] * 20

    def read() -> Iterator[reading.Reading]:
        return reading.read(lambda pixels, _: recognizer.read(pixels), names, workspace, workers=4)

    assert next(read())[0] == "pictures/b.png"
    found = list(read())
    assert [name for name, _ in found] == names
    assert found[1][1] == "No such file or directory"


def test_few_pictures_are_held_however_many_there_are(workspace: Path) -> None:
    begun = 0

    def count(*_: object) -> list[Answer]:
        nonlocal begun
        begun += 1
        return []

    results = reading.read(count, ["pictures/empty.png"] * 1000, workspace, workers=2)
    for given, _ in enumerate(results):
        assert begun <= given + 2 * reading.AHEAD + 2


@pytest.mark.parametrize(
    ("number", "form"),
    [(signal.SIGTERM, "--json"), (signal.SIGINT, "--csv"), (signal.SIGTERM, "")],
)
def test_a_signal_ends_it_at_once_and_what_was_read_is_kept(
    number: signal.Signals, form: str, workspace: Path, tmp_path: Path
) -> None:
    light, heavy = small_model.handwriting("4"), small_model.handwriting("1" * 30)
    cv2.imwrite(str(tmp_path / "a.png"), light)
    cv2.imwrite(str(tmp_path / "b.png"), np.tile(heavy, (12, 1)))
    for copy in range(100):  # a minute of work
        (tmp_path / f"b{copy}.png").symlink_to("b.png")
    command = [sys.executable, "-m", "digits.cli", "predict", str(tmp_path), *form.split()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=workspace, stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        assert process.stderr
        printed = process.stdout.read1()
        while b"a.png" not in printed:
            printed += process.stdout.read1()
        assert process.poll() is None
        process.send_signal(number)
        printed += process.stdout.read()
        assert process.wait(20) == 128 + number
        said = process.stderr.read().decode()
        assert said == "digits: stopped: the pictures that were read are printed\n"
    if form == "--json":
        picture = json.loads(printed)["pictures"][0]
        assert [digit["digit"] for digit in picture["digits"]] == ["4"]


def test_each_page_of_a_tiff_is_read(workspace: Path) -> None:
    first, *others = [Image.fromarray(small_model.handwriting(text)) for text in ("12", "4", "0")]
    first.save(workspace / "scan.tif", save_all=True, append_images=others)
    done = predict(workspace, "scan.tif", "--csv")
    rows = list(csv.DictReader(done.stdout.decode().splitlines()))
    pages = ["scan.tif, page 1", "scan.tif, page 1", "scan.tif, page 2", "scan.tif, page 3"]
    assert [row["picture"] for row in rows] == pages
    assert [row["digit"] for row in rows] == list("1240")


def test_each_page_has_its_own_explanation(workspace: Path) -> None:
    first, other = [Image.fromarray(small_model.handwriting(text)) for text in ("12", "4")]
    first.save(workspace / "two.tif", save_all=True, append_images=[other])
    assert predict(workspace, "two.tif", "--explain", "how.png").returncode == 0
    one, two = (Image.open(workspace / name) for name in ("how-1.png", "how-2.png"))
    assert one.tobytes() != two.tobytes()
    assert not (workspace / "how.png").exists()


def test_an_explanation_that_cannot_be_written_is_named(workspace: Path) -> None:
    done = predict(workspace, "pictures/b.png", "--explain", "dvc.yaml/how.png")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("digits: pictures/b.png: ")
    assert f"'{workspace}/dvc.yaml" in line


@pytest.mark.parametrize("form", ["--json", "--csv", ""])
def test_a_name_that_cannot_be_printed_is_shown_without_what_cannot(
    workspace: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    names = [b"a\x1b[2J\n.png", b"b\xff.png", "c\u202fé.png".encode()]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes((workspace / "pictures/b.png").read_bytes())
    (tmp_path / os.fsdecode(b"d\xff\x1b.txt")).touch()
    done = predict(workspace, str(tmp_path), *form.split())
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"digits: {tmp_path}/d\ufffd\ufffd.txt: left out, not a format that is read\n"
    )
    shown = done.stdout.decode()
    if form == "--json":
        shown = "\n".join(each["picture"] for each in json.loads(shown)["pictures"])
    for name in ("a\ufffd[2J\ufffd.png", "b\ufffd.png", "c\u202fé.png"):
        assert f"{tmp_path}/{name}" in shown


def test_a_picture_of_200_megapixels_gets_our_own_words(workspace: Path) -> None:
    head = b"P5 16320 12240 255 "
    (workspace / "large.pgm").write_bytes(head + bytes(1000))
    done = predict(workspace, "large.pgm")
    assert done.returncode == 1
    assert done.stderr.startswith(b"digits: large.pgm: 16320 x 12240 pixels: at most 50,000,000")
    assert len(done.stderr.splitlines()) == 1


def test_a_foreign_projects_lock_stays_as_it_is(workspace: Path, tmp_path: Path) -> None:
    lock = "schema: '2.0'\nstages:\n  one:\n    cmd: echo 1\n  two:\n    cmd: echo 2"
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "dvc.lock").write_text(lock)
    assert predict(tmp_path, str(workspace / "pictures/b.png")).returncode == 0
    assert (tmp_path / "dvc.lock").read_text() == lock


def test_a_model_that_nothing_tells_the_hash_of_is_named_or_refused(
    workspace: Path, tmp_path: Path
) -> None:
    small_model.write(tmp_path)
    arguments = ("--model", f"{tmp_path}/model.onnx", "pictures/more")
    done = predict(workspace, *arguments)
    said = f"digits: {tmp_path}/model.onnx: its hash is not checked: it is no models/NAME beside a"
    assert (done.returncode, done.stderr.decode()) == (0, f"{said} dvc.lock\n")
    refused = predict(workspace, "--require-checked", *arguments)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr.decode() == f"{said} dvc.lock; --require-checked refuses it\n"
    assert predict(workspace, "--require-checked", "pictures/more").stderr == b""
