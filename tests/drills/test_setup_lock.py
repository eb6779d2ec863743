"""Two `make` in one new clone: one builds .venv, the other waits for it and goes on."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.small_project import ROOT

# Stands for Python: its `-m venv` makes an environment whose tools are stubs.
STUB = """#!/bin/sh
case "$*" in
  "-m venv"*) echo begin >> log; sleep 1; mkdir -p .venv/bin
    printf '#!/bin/sh\\n' > .venv/bin/python; cp .venv/bin/python .venv/bin/uv
    chmod +x .venv/bin/*; echo end >> log;;
  *) exec {python} "$@";;
esac
"""


def test_one_builds_and_the_other_waits(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    stub = tmp_path / "stub"
    stub.write_text(STUB.format(python=sys.executable))
    stub.chmod(0o755)
    command = ["make", "setup", f"PYTHON={stub}"]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait(timeout=300) for each in both] == [0, 0]
    assert (tmp_path / "log").read_text().split() == ["begin", "end"]
