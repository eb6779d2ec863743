"""`digits score` on a real standalone cluster, whose parts are killed in mid-job."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from digits.base.errors import UserError
from digits.spark import cluster as clusters
from digits.spark import jobs
from tests import small_model
from tests.small_project import BIN

pytestmark = pytest.mark.spark

PARTS = 30
LIMIT = 900  # seconds: a machine that does other work as well is many times slower


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a model and an input of 30 parts of 20,000 rows."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    small_model.write(folder / "model")
    images = small_model.images()[0]
    flat = pa.array([image.tobytes() for image in images], pa.binary(784))
    schema = pa.schema({"id": pa.int64(), "pixels": pa.binary(784)})
    with pq.ParquetWriter(folder / "in.parquet", schema, compression="zstd") as writer:
        for part in range(PARTS):
            ids = range(part * 20_000, (part + 1) * 20_000)
            pixels = flat.take(pa.array([number % len(images) for number in ids]))
            writer.write_table(pa.table([pa.array(ids), pixels], schema=schema))
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, bytes]:
    """The parts as this machine writes them without an engine."""
    score(folder, "alone").communicate(timeout=LIMIT)
    return contents(folder / "alone")


def score(folder: Path, output: str, *options: str) -> subprocess.Popen:
    command = [BIN / "digits", "score", "in.parquet", output, "--model", "model/model.onnx"]
    return subprocess.Popen(
        [*command, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(output.glob("part-*"))}


def wait_for_parts(output: Path, process: subprocess.Popen, count: int = 3) -> None:
    deadline = time.monotonic() + LIMIT
    while len(list(output.glob("part-*"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


EXECUTOR = "CoarseGrainedExecutorBackend"  # the class that Java runs


def executors() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        # Of one that has just ended as_dict gives None.
        if EXECUTOR in " ".join(process.as_dict(["cmdline"])["cmdline"] or ())
    ]


def kill_executor(_: clusters.Cluster, __: subprocess.Popen) -> None:
    executors()[0].kill()


def kill_worker(cluster: clusters.Cluster, _: subprocess.Popen) -> None:
    cluster.workers[0].kill()
    cluster.start_worker()  # the next test has two again


def kill_driver(_: clusters.Cluster, driver: subprocess.Popen) -> None:
    driver.send_signal(signal.SIGKILL)


KILLS = [None, kill_executor, kill_worker, kill_driver]


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.__name__ if kill else "whole")
def test_every_row_is_there_once(
    kill: Callable[[clusters.Cluster, subprocess.Popen], None] | None,
    folder: Path,
    cluster: clusters.Cluster,
    expected: dict[str, bytes],
) -> None:
    output = folder / (kill.__name__ if kill else "whole")
    options = ("--engine", cluster.url, "--workers", "2")
    process = score(folder, output.name, *options)
    if kill:
        wait_for_parts(output, process)
        kill(cluster, process)
        assert len(list(output.glob("part-*"))) < PARTS
    printed, errors = process.communicate(timeout=LIMIT)
    if kill is kill_driver:
        assert process.returncode == -signal.SIGKILL
        printed, errors = score(folder, output.name, *options).communicate(timeout=LIMIT)
    assert "600,000 rows: 600,000 answers" in printed, errors
    ids = ds.dataset(output, format="parquet").to_table(columns=["id"])["id"].to_pylist()
    assert sorted(ids) == list(range(PARTS * 20_000))
    assert contents(output) == expected


def test_what_goes_wrong_in_a_task_is_one_line(folder: Path, cluster: clusters.Cluster) -> None:
    with (
        pytest.raises(UserError, match="no such place"),
        jobs.session(cluster.url, "test", 1) as session,
    ):
        list(jobs.run(session, [1], refuse))


def refuse(_: int) -> None:
    raise UserError("no such place")


def test_without_a_worker_it_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jobs, "PATIENCE", 15)
    with (
        clusters.start(0, folder=tmp_path) as empty,
        pytest.raises(UserError, match="no worker came within 15 seconds"),
        jobs.session(empty.url, "test"),
    ):
        pass


def test_without_a_master_it_ends(folder: Path) -> None:
    process = score(folder, "none", "--engine", "spark://127.0.0.1:1")
    _, errors = process.communicate(timeout=LIMIT)
    assert "no Spark master answers there; `make spark` starts one" in errors.splitlines()[-1]
    assert process.returncode == 1
