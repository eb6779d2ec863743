"""A disk that is really full: one line says so, and with room again the same command works."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import mlflow
import pytest

from tests.drills.gated import LATEST, REPORT, Place, line_of
from tests.drills.shortened import shortened
from tests.small_project import Command, outputs

pytestmark = pytest.mark.slow
FULL = "No space left on device"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB in memory."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", tmp_path]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk, and not in every container")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """Leave a disk so many bytes, for a while."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - left)
    yield
    ballast.unlink()


def half_written(folder: Path) -> list[str]:
    names = [path.name for path in folder.rglob("*") if ".venv" not in path.parts]
    return [name for name in names if "partial" in name or name.endswith((".tmp", "-journal"))]


def test_a_stage_on_a_full_disk(
    disk: Path, new_project: Callable[[], Path], environment: dict[str, str], run: Command
) -> None:
    folder = shortened(Path(shutil.move(new_project(), disk / "project")))
    env = {"MLFLOW_TRACKING_URI": f"sqlite:///{disk.parent / 'mlflow.db'}"}
    run(folder, "dvc", "repro", "download", env=env)
    before = outputs(folder)
    size = sum(path.stat().st_size for path in (folder / "data").rglob("*"))  # as of what comes

    with filled(disk, size // 2):
        done = run(folder, "dvc", "repro", "preprocess", code=255, env=env)
    (line, _) = done.stderr.splitlines()  # DVC adds that the stage failed
    assert line.startswith("preprocess: ")
    assert FULL in line
    assert line.endswith("; make room on the disk, then run the same command again")
    assert outputs(folder) == before
    assert half_written(folder) == []

    with filled(disk, size * 3 // 2):  # room for the output, not for its copy in DVC's cache
        # DVC may end with 0, with the outputs in place and not in its cache: hence no check.
        done = subprocess.run(
            ["dvc", "repro", "preprocess"], cwd=folder, env=environment | env, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
    assert "failed to transfer" in done.stderr
    assert FULL in done.stderr
    assert "Traceback" not in done.stderr
    assert before.items() <= outputs(folder).items()

    run(folder, "digits", "mend", env=env)
    assert half_written(folder) == []
    run(folder, "dvc", "repro", "preprocess", env=env)
    found = outputs(folder)
    assert found.keys() > before.keys()
    run(folder, "dvc", "commit", "--force", "preprocess")
    shutil.rmtree(folder / "data")
    run(folder, "dvc", "checkout", "preprocess", "download")
    assert outputs(folder) == found


def test_a_store_on_a_full_disk(
    disk: Path,
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
    run: Command,
) -> None:
    place = Place(tmp_path_factory.mktemp("place"), run, f"sqlite:///{disk / 'mlflow.db'}")
    place.repro(environment, lambda _: nullcontext())
    undisturbed, report = place.contents(), (place.folder / REPORT).read_bytes()
    (known,) = place.finished()
    mlflow.MlflowClient(place.uri).delete_run(known.info.run_id)  # sync would find its content

    said, seconds = place.repro(environment, lambda _: filled(disk, 0))
    assert "full" in line_of(said)
    assert seconds < LATEST
    assert (place.folder / REPORT).read_bytes() == report
    assert place.finished() == []

    with filled(disk, 0):
        started = time.monotonic()
        done = place.run(place.folder, "python3", "gated.py", code=1, env=place.env)
    assert time.monotonic() - started < LATEST
    (line,) = done.stderr.splitlines()
    assert line.endswith("make room on its disk, or change MLFLOW_TRACKING_URI")

    assert "compare" in place.run(place.folder, "digits", "sync", env=place.env).stdout
    assert place.contents() == undisturbed
    assert half_written(disk) == []
