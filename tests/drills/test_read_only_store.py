"""A store that may be read but not written: a stage says so at its start, in one line."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_project import PROMPT, ROOT

pytestmark = pytest.mark.slow
STAGE = """
from digits.tracking import stages
from stages import runner

def main(params):
    with stages.stage_run("compare", {}):
        print("at work")

runner.run(main, "compare")
"""
# To root a file's mode means nothing, unless this capability is given up.
NO_ROOT = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write all")
@pytest.mark.parametrize("locked", [("mlflow.db",), ("mlflow.db", ".")], ids=["file", "folder"])
def test_a_read_only_store_ends_a_stage_at_its_start(
    tmp_path: Path, empty_store: Path, clean_environment: dict[str, str], locked: tuple[str, ...]
) -> None:
    checkout, shared = tmp_path / "checkout", tmp_path / "shared"
    for folder in (checkout, shared):
        folder.mkdir()
    shutil.copy(ROOT / "params.yaml", checkout)
    shutil.copy(empty_store, shared)
    for name in locked:
        (shared / name).chmod(0o555)
    started = time.monotonic()
    done = subprocess.run(
        [*(NO_ROOT if os.geteuid() == 0 else ()), sys.executable, "-c", STAGE],
        cwd=checkout,
        env=clean_environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{shared}/mlflow.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    shared.chmod(0o755)
    assert time.monotonic() - started < PROMPT
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"compare: MLflow's store {shared}/mlflow.db does not answer")
    assert "writable, or change MLFLOW_TRACKING_URI" in line
    assert "rename it" not in line
