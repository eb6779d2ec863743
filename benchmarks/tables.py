"""Fill the tables that README and docs quote from the reports: `make docs` calls this.

A block begins with `<!-- table: FILE -->`, ends with `<!-- end -->` and holds the first table of
that Markdown file. So nothing is copied by hand when the pipeline or a benchmark has run anew.
"""

import argparse
import re
import sys
from pathlib import Path

from digits.base import files
from digits.base.errors import UserError

PAGES = ("README.md", "docs/*.md")
BLOCK = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


def fill(text: str, root: Path) -> str:
    """Fill the blocks of a page.

    Args:
        text: of the page.
        root: of the repository.

    Raises:
        UserError: a file has no table.
    """

    def table(found: re.Match[str]) -> str:
        path = root / found[2]
        tables = TABLE.search(path.read_text(encoding="utf-8")) if path.is_file() else None
        if tables is None:
            raise UserError(f"{found[2]}: has no table")
        return f"{found[1]}{tables[0]}{found[3]}"

    return BLOCK.sub(table, text)


def main(root: Path = Path()) -> None:
    """Fill the blocks of every page."""
    for pattern in PAGES:
        for page in sorted(root.glob(pattern)):
            text = page.read_text(encoding="utf-8")
            if (filled := fill(text, root)) != text:
                files.write_text(page, filled)
                print(f"{page}: tables filled anew")


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__).parse_args()
    try:
        main()
    except (UserError, OSError) as error:
        sys.exit(f"tables: {error}")
