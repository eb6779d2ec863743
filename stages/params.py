"""Check params.yaml and datasets.yaml, whole, before any other stage runs.

DVC removes a stage's outputs before it runs the stage. The output of this one persists and
changes with the entries of `data.extra` alone: what it refuses leaves everything as it was, and
what else it lets pass makes no other stage run again.
"""

from pathlib import Path

from digits.base import files
from digits.data import catalogue
from digits.params import Params
from stages import runner

VERDICT = Path("reports/params.txt")


def main(params: Params) -> None:
    extra = catalogue.find_extra(params.data.extra, catalogue.find(params.data.name))
    # `download` reads them by names that a parameter lists, which DVC cannot follow.
    entries = [f"{name}: {entry.as_json()}" for name, entry in extra.items()]
    text = "params.yaml and datasets.yaml hold what they may hold.\n"
    files.write_text(VERDICT, "".join([text, *entries]))


if __name__ == "__main__":
    runner.run(main, "params")
