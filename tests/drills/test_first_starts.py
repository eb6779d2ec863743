"""Five checkouts begin to use one store that does not exist yet: all succeed, no run is lost."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_project import LIMIT, PIPELINE, ROOT, runs

pytestmark = pytest.mark.slow
CHECKOUTS = 5
STAGE = """
from pathlib import Path
from digits.base import files
from digits.tracking import stages
from stages import runner

def main(params):
    with stages.stage_run("compare", {"checkout": Path.cwd().name}):
        files.write_json(Path("reports/compare/metrics.json"), {"difference": 0.5})

runner.run(main, "compare")
"""


@pytest.mark.parametrize("delay", [0, 0.3, 1], ids=["at once", "soon", "one by one"])
def test_five_first_starts_share_a_store(
    tmp_path: Path, clean_environment: dict[str, str], delay: float
) -> None:
    shared = tmp_path / "shared"
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{shared}/mlflow.db"}  # absolute: four slashes
    started = []
    for name in map(str, range(CHECKOUTS)):
        checkout = tmp_path / name
        checkout.mkdir()
        shutil.copy(ROOT / "params.yaml", checkout)
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", STAGE],
                cwd=checkout,
                env=clean_environment | uri,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        time.sleep(delay)
    said = [process.communicate(timeout=LIMIT)[1] for process in started]
    assert said == [""] * CHECKOUTS
    assert [process.returncode for process in started] == [0] * CHECKOUTS

    found = runs(shared)
    assert found["Default"] == []
    assert {run.info.status for run in found[PIPELINE]} == {"FINISHED"}
    checkouts = sorted(run.data.params["checkout"] for run in found[PIPELINE])
    assert checkouts == [str(number) for number in range(CHECKOUTS)]
    assert {run.data.metrics["difference"] for run in found[PIPELINE]} == {0.5}
    left = {path.name for path in shared.iterdir()}
    assert left == {"mlflow.db", "mlflow.db.lock", "mlruns"}
