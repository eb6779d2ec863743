"""What `digits score` costs beside bare ONNX Runtime, on Spark and on Dask.

The contestants take turns within each round, each in a process of its own, with one thread for
each worker and the same images as Parquet:

- bare: ONNX Runtime alone, on images in memory
- score: `digits score` in this process, without the run in MLflow
- spark, dask: the same parts on a cluster of two workers of one core on this machine

CPU seconds are those of all processes, from a cluster that stands to the last part written.
Memory is the most that any Python process had for itself, without the files that it maps.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import load, measuring
from digits.inference import loading
from digits.inference.model import Model
from digits.scoring import inputs, parts, plan
from digits.scoring.plan import Plan
from digits.scoring.scorer import Settings
from digits.spark import cluster, jobs

ROW_GROUP = 20_000
WORKERS = 2
PERIOD = 0.2  # seconds between two looks at the processes
Measured = dict[str, float]


def main() -> None:
    parser = measuring.parser("scoring", __doc__ or "")
    parser.add_argument("--model", type=Path, default=Path("models/cnn"))
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestants", nargs="+", default=["bare", "score"], choices=CONTESTANTS)
    parser.add_argument("--input", type=Path, help="for the processes that it starts")
    chosen = parser.parse_args()
    onnx = chosen.model / "model.onnx"
    if chosen.input:
        (contestant,) = chosen.contestants
        print(json.dumps(CONTESTANTS[contestant](onnx, chosen.input)))
        return
    images = measuring.split("train").images
    rows = []
    for count in chosen.images:
        with TemporaryDirectory(prefix="digits-") as folder:
            path = Path(folder) / f"{count}.parquet"
            _write(path, images, count)
            for _ in range(chosen.rounds):
                for contestant in chosen.contestants:
                    command = [sys.executable, "-m", "benchmarks.scoring", "--input", str(path)]
                    command += ["--model", str(chosen.model), "--contestants", contestant]
                    _, printed = measuring.measure(command)
                    measured = measuring.last_json(printed)
                    rows.append({"images": count, "contestant": contestant, **measured})
    medians = pd.DataFrame(rows).groupby(["images", "contestant"], sort=False).median()
    table = medians.reset_index()
    for base in [name for name in ("bare", "score") if name in chosen.contestants]:
        cost = medians["CPU s"].xs(base, level="contestant")
        table[f"{base} / it"] = table["images"].map(cost) / table["CPU s"]
    note = f"n = {chosen.rounds} rounds; medians; {Model(onnx).name}, one thread for each worker."
    command_line = f"scoring --model {chosen.model} --images {' '.join(map(str, chosen.images))} "
    command_line += f"--rounds {chosen.rounds} --contestants {' '.join(chosen.contestants)}"
    measuring.write(f"scoring-{chosen.model.name}", table, note, command_line)


def _write(path: Path, images: np.ndarray, count: int) -> None:
    schema = pa.schema({"pixels": pa.binary(images[0].size)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in _blocks(images, count):
            content = pa.py_buffer(block.tobytes())
            column = pa.FixedSizeBinaryArray.from_buffers(
                schema.field("pixels").type, len(block), [None, content]
            )
            writer.write_table(pa.table([column], schema=schema))


def _blocks(images: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """So many images, those there are again and again, a row group at a time."""
    for start in range(0, count, ROW_GROUP):
        yield images[np.arange(start, min(start + ROW_GROUP, count)) % len(images)]


def _bare(onnx: Path, path: Path) -> Measured:
    network = Model(onnx)
    images, count = measuring.split("train").images, pq.ParquetFile(path).metadata.num_rows
    with _watched() as measured:
        for block in _blocks(images, count):
            network.predict(block)
    return measured


def _score(onnx: Path, path: Path) -> Measured:
    with _watched() as measured, _prepared(onnx, path) as prepared:
        for part in prepared.source.parts:
            parts.work(prepared.job, part)
    return measured


def _spark(onnx: Path, path: Path) -> Measured:
    with (
        cluster.start(WORKERS) as started,
        jobs.session(started.url, "benchmark", WORKERS) as session,
        _watched() as measured,
        _prepared(onnx, path) as prepared,
    ):
        for _ in jobs.run(session, prepared.source.parts, partial(parts.work, prepared.job)):
            pass
    return measured


def _dask(onnx: Path, path: Path) -> Measured:
    """It is in no lock: `uv pip install distributed` adds it to .venv, `make setup` removes it."""
    from distributed import Client

    with (
        Client(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as client,
        _watched() as measured,
        _prepared(onnx, path) as prepared,
    ):
        client.gather(client.map(partial(parts.work, prepared.job), prepared.source.parts))
    return measured


CONTESTANTS: dict[str, Callable[[Path, Path], Measured]] = {
    "bare": _bare,
    "score": _score,
    "spark": _spark,
    "dask": _dask,
}


@contextmanager
def _prepared(onnx: Path, path: Path) -> Iterator[Plan]:
    """Begin an output, and end it with its manifest once the block has scored the parts."""
    with TemporaryDirectory(dir=path.parent) as output, loading.find(str(onnx)) as origin:
        prepared = plan.prepare(inputs.plan(str(path)), output, origin, Settings())
        yield prepared
        prepared.write_manifest(prepared.counts())


@contextmanager
def _watched() -> Iterator[Measured]:
    """Measure all processes from here to the end of the block; the figures are filled in there."""
    measured, this = Measured(), psutil.Process()
    with measuring.sampled(_largest_megabytes, PERIOD) as found:
        before = load.cpu_seconds(this)
        yield measured
        measured["CPU s"] = load.cpu_seconds(this) - before
    measured["MB"] = max(found)


def _largest_megabytes() -> float:
    this, largest = psutil.Process(), 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            if "python" in process.name():
                info = process.memory_info()
                largest = max(largest, info.rss - info.shared)
        except psutil.NoSuchProcess:
            continue
    return largest / 1e6


if __name__ == "__main__":
    main()
