"""Check params.yaml and datasets.yaml, whole, before any other stage runs.

DVC removes a stage's outputs before it runs the stage. The output of this one persists and
is always the same: what it refuses leaves everything as it was, and what it lets pass makes
no other stage run again.
"""

from pathlib import Path

from digits.base import files
from digits.data import catalogue
from digits.params import Params
from stages import runner

VERDICT = Path("reports/params.txt")


def main(params: Params) -> None:
    catalogue.find(params.data.name)
    files.write_text(VERDICT, "params.yaml and datasets.yaml hold what they may hold.\n")


if __name__ == "__main__":
    runner.run(main, "params")
