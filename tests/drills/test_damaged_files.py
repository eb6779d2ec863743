"""Files of a project that ran, damaged: each command answers, or refuses in a bounded line."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.small_project import LIMIT, Command

pytestmark = pytest.mark.slow

PREDICT = "predict page.png"
LONGEST = 400  # characters of a line: 200 of them may be quoted from the file
METRICS = "reports/evaluate/cnn/metrics.json"


def in_conflict(content: bytes) -> bytes:
    return b"<<<<<<< HEAD\n" + content + b"=======\n" + content + b">>>>>>> other\n"


def cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def empty(_: bytes) -> bytes:
    return b""


def binary(_: bytes) -> bytes:
    return bytes(range(256)) * 8


def mistyped(_: bytes) -> bytes:
    return b'{"accuracy": "high", "log_loss": [1], "ece": {}}'


@pytest.fixture(scope="module")
def project(copy: Callable[[], Path], root: Path, run: Command) -> Path:
    """A project whose runs MLflow knows, with a picture to read."""
    folder = copy()
    shutil.copy(root / "docs/handwriting.jpg", folder / "page.png")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--message", "A picture")
    run(folder, "digits", "sync")
    return folder


def answers(
    folder: Path, environment: dict[str, str], *commands: str
) -> dict[str, tuple[int, str]]:
    """Call each command; what it ended with and said on stderr, in words for a person."""
    found = {}
    for command in commands:
        done = subprocess.run(
            ["digits", *command.split()],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        said = done.stderr.decode()
        assert "Traceback" not in said, said
        assert done.returncode in (0, 1, 3), said  # 3: different, worse, or below a rule
        assert all(len(line) <= LONGEST for line in said.splitlines()), said
        assert done.returncode == 0 or done.stdout or said
        found[command] = done.returncode, said
    return found


@pytest.mark.parametrize(
    ("file", "damage", "refuse", "answer"),
    [
        ("dvc.lock", in_conflict, {"sync", "verify"}, {"experiments", PREDICT}),
        ("dvc.lock", binary, {"sync"}, {"verify", PREDICT}),
        (METRICS, in_conflict, {"diff HEAD"}, {"sync", PREDICT}),
        (METRICS, cut, {"diff HEAD"}, {"verify"}),
        (METRICS, empty, {"diff HEAD"}, {PREDICT}),
        (METRICS, binary, {"diff HEAD"}, {"experiments"}),
        (METRICS, mistyped, {"diff HEAD"}, {"experiments"}),
        ("params.yaml", in_conflict, {"experiments", "diff HEAD"}, {"sync", "promote cnn"}),
    ],
)
def test_each_command_answers_or_refuses_in_a_line(
    project: Path,
    environment: dict[str, str],
    file: str,
    damage: Callable[[bytes], bytes],
    refuse: set[str],
    answer: set[str],
) -> None:
    whole = (project / file).read_bytes()
    (project / file).write_bytes(damage(whole))
    try:
        found = answers(project, environment, *refuse, *answer)
    finally:
        (project / file).write_bytes(whole)
    refused = {command for command, (code, said) in found.items() if code and file in said}
    assert refused >= refuse


def test_a_source_archive_has_no_git(
    project: Path, environment: dict[str, str], tmp_path: Path, run: Command
) -> None:
    archive = tmp_path / "archive.tar"
    run(project, "git", "archive", "--output", str(archive), "HEAD")
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    unpacked, alone = tmp_path / "unpacked", {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    needing = ("sync", "experiments", "verify", "diff HEAD", "promote cnn")
    for command, (code, said) in answers(unpacked, environment | alone, *needing).items():
        assert code == 1
        assert "git" in said, command
    answers(unpacked, environment | alone, PREDICT)
