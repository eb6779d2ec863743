"""Check the links of the Markdown pages: `make lint` calls this.

Every relative link and picture must lead to a file in git, and every anchor to a heading, by
GitHub's rule for its name. Addresses on the web are not asked.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("gfm-like", {"linkify": False})


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    tokens = PARSER.parse(text)
    found: set[str] = set()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or [])
            name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            count = sum(
                re.fullmatch(rf"{re.escape(name)}(-\d+)?", known) is not None for known in found
            )
            found.add(f"{name}-{count}" if count else name)
    return found


def targets(tokens: list[Token]) -> Iterator[str]:
    """What the links and pictures of a page lead to."""
    for token in tokens:
        target = token.attrs.get("href") or token.attrs.get("src")
        if target:
            yield str(target)
        yield from targets(token.children or [])


def broken(page: Path, known: set[Path]) -> Iterator[str]:
    """A line for each link of a page that leads nowhere.

    Args:
        page: its path from the root.
        known: the files in git, and their folders.
    """
    for target in targets(PARSER.parse(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = Path(*_normal(page.parent / path)) if path else page
        if file not in known:
            yield f"{page}: {target}: there is no such file in git"
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{page}: {target}: there is no such heading"


def _normal(path: Path) -> list[str]:
    """The parts of a path, with .. resolved."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return parts


def main() -> None:
    """Check every page in git; end with 1 where a link is broken."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = {Path(line) for line in listed.stdout.splitlines()}
    files |= {folder for file in files for folder in file.parents}
    pages = sorted(file for file in files if file.suffix == ".md" and file.is_file())
    if lines := [line for page in pages for line in broken(page, files)]:
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
