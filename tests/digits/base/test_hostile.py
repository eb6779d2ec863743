"""Damaged and hostile files: one bounded line, in bounded time, never a traceback."""

import time
from pathlib import Path

import pytest

from digits.base import yaml12
from digits.base.errors import UserError
from digits.base.reports import parse_metrics
from digits.base.text import printable, quote
from digits.data import catalogue
from digits.tracking import lock

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
HOSTILE = {
    "digits": f"a: {'9' * 50_000}",
    "nesting": "[" * 2000,
    "closed nesting": "a: " + "[" * 2000 + "]" * 2000,
    "aliases": BOMB,
    "itself": "a: &a [*a]",
    "conflict": "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> other\n",
    "control": "a: \x1b[31m",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_yaml(name: str, tmp_path: Path) -> None:
    path, begun = tmp_path / "params.yaml", time.process_time()
    path.write_text(HOSTILE[name])
    with pytest.raises(UserError) as caught:
        yaml12.read(path)
    with pytest.raises(ValueError):  # noqa: PT011, whatever its text is
        yaml12.parse(HOSTILE[name])
    assert time.process_time() - begun < 10
    assert len(str(caught.value)) < 200 + len(str(path)) + 40


@pytest.mark.parametrize(
    "content",
    [b"", b'{"accuracy": "high"}', b"[1]", b"\x00\xff\xfe", b'{"a": ', b"[" * 100_000, b"<<<<<<<"],
)
def test_reports(content: bytes) -> None:
    with pytest.raises(UserError, match=r"^HEAD: a: not what its stage writes: .*`dvc repro`"):
        parse_metrics(content, "HEAD: a")


@pytest.mark.parametrize(
    "text",
    [
        "stages:\n  train@cnn:\n<<<<<<< HEAD\n    outs: 1\n=======\n    outs: 2\n>>>>>>> b\n",
        "stages:\n  train@cnn:\n    outs: 3\n",
        "stages:\n  train@cnn:\n    outs:\n    - path: models/cnn\n",
    ],
)
def test_a_damaged_lock(text: str) -> None:
    with pytest.raises(UserError, match=r"^dvc.lock: not what DVC writes: .*`git checkout HEAD"):
        lock.read(text)


def test_a_quote_is_bounded_whatever_it_quotes() -> None:
    deep: list = []
    for _ in range(30):
        deep = [deep, deep]  # a repr of it would have a billion brackets
    for value in (deep, "x" * 10**6, 10**4000, {"a" * 10**6: 1}):
        assert len(quote(value)) <= 200


def test_control_characters_never_reach_a_terminal() -> None:
    assert printable("a\x1b[2Jb\nc\x07") == "a\ufffd[2Jb\nc\ufffd"


def test_a_class_without_a_name_is_refused(tmp_path: Path, root: Path) -> None:
    text = (root / "datasets.yaml").read_text()
    path = tmp_path / "datasets.yaml"
    path.write_text(text.replace('"0"', '""', 1) if '"0"' in text else text.replace("'0'", "''", 1))
    with pytest.raises(UserError, match="classes"):
        catalogue.find("mnist", path)
