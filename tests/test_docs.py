"""What README and tutorial show is run; the links lead somewhere; the tables are those of reports.

A `$` line is run by bash, the lines after it are what it prints: in this order, among others
where there is a `...`. Numbers and hashes may be others, and `#` stands for any word.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import tables
from tests.small_project import ROOT, Command, edited

NUMBER = re.compile(r"\b[0-9a-f]{7,40}\b|[+-]?\d[\d,.:]*(?:e-?\d+)?%?|#")
README_LINES, README_BYTES = 200, 12_000


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a page, each with the lines that it prints."""
    command, printed = "", list[str]()
    for line in text.splitlines():
        if line.startswith("    $ "):
            if command:
                yield command, printed
            command, printed = line.removeprefix("    $ "), []
        elif command and line.startswith("    "):
            printed.append(line.strip())
        elif command:
            yield command, printed
            command = ""
    if command:
        yield command, printed


def normal(line: str) -> str:
    """A line without what may differ from run to run."""
    return re.sub(r"[\s-]+", " ", NUMBER.sub("#", line)).strip()


def shows(printed: str, expected: list[str]) -> str:
    """The first line expected that was not printed, in its order; empty: all were."""
    lines = iter([normal(line) for line in printed.splitlines()])
    for each in expected:
        wanted, rest, _ = normal(each).partition("...")
        pattern = re.escape(wanted.rstrip()).replace(r"\#", r"\S+") + (".*" if rest else "")
        if wanted and not any(re.fullmatch(pattern, line) for line in lines):
            return each
    return ""


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_bytes()
    assert len(text) <= README_BYTES
    assert len(text.splitlines()) <= README_LINES


def test_the_links_lead_somewhere(run: Command) -> None:
    run(ROOT, sys.executable, ".ci/links.py")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a](missing.md)", "missing.md: there is no such file in git"),
        ("![a](docs/none.png)", "docs/none.png: there is no such file in git"),
        ("# A b\n[a](#a-c)", "#a-c: there is no such heading"),
        ("# A b\n[a](README.md#a-b)", ""),
    ],
)
def test_a_link_that_leads_nowhere_is_told(
    run: Command, tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "README.md").write_text(text)
    run(tmp_path, "git", "init", "--quiet")
    done = run(tmp_path, sys.executable, ROOT / ".ci/links.py", code=bool(complaint))
    assert done.stderr == (f"README.md: {complaint}\n" if complaint else "")


def test_the_tables_are_those_of_the_reports(run: Command, tmp_path: Path) -> None:
    """`make docs` fills them anew. Of the commit: a run on another CPU has other reports."""
    archive = tmp_path / "commit.tar"
    run(ROOT, "git", "archive", "--output", archive, "HEAD", "README.md", "docs", "reports")
    shutil.unpack_archive(archive, tmp_path)
    for page in (tmp_path / "README.md", *(tmp_path / "docs").glob("*.md")):
        text = page.read_text()
        assert tables.fill(text, tmp_path) == text, page


def test_the_tables_are_filled_from_the_reports(tmp_path: Path) -> None:
    (tmp_path / "t.md").write_text("# A\n\n| a |\n| - |\n| 1 |\n\n| b |\n")
    text = "x\n<!-- table: t.md -->\n| old |\n<!-- end -->\ny\n"
    filled = "x\n<!-- table: t.md -->\n| a |\n| - |\n| 1 |\n<!-- end -->\ny\n"
    assert tables.fill(text, tmp_path) == filled


@pytest.fixture
def project(copy: Callable[[], Path], run: Command) -> Path:
    """The small project, trained and registered, with the pages and rules that it can meet."""
    folder = copy()
    shutil.copytree(ROOT / "docs", folder / "docs", dirs_exist_ok=True)
    with edited(folder / "params.yaml") as params:
        low = {"min_accuracy_low": 0.1, "min_corrupted_accuracy": 0.05}
        params["promote"] |= low | {"max_accuracy_loss": 0.9, "max_ece": 0.9}
    run(folder, "dvc", "repro")  # the parameters are checked anew, nothing is trained
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--message", "Rules for a small data set")
    run(folder, "digits", "sync")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_what_a_page_shows_happens(page: str, project: Path, environment: dict[str, str]) -> None:
    commands = list(blocks((ROOT / page).read_text()))
    assert commands
    for shown, expected in commands:
        command = shown.replace("models:/mnist@", "models:/handwriting@")  # after the data set
        done = subprocess.run(
            ["bash", "-c", command], cwd=project, env=environment, capture_output=True,
            text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        missing = shows(done.stdout + done.stderr, expected)
        assert not missing, f"{command}: did not print {missing!r}:\n{done.stdout}{done.stderr}"
