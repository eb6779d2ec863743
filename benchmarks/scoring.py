"""What `digits score` costs beside bare ONNX Runtime, on the same images and one thread.

The two take turns within each round. Bare is the session alone, on images in memory; scoring
reads Parquet, writes Parquet, counts, and starts neither process nor MLflow run here.
"""

import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import measuring
from digits.inference import loading
from digits.inference.model import Model
from digits.scoring import inputs, parts, plan
from digits.scoring.scorer import Settings

ROW_GROUP = 20_000


def main() -> None:
    parser = measuring.parser("scoring", __doc__ or "")
    parser.add_argument("--model", type=Path, default=Path("models/cnn"))
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    images = measuring.split("train").images
    network = Model(chosen.model / "model.onnx")
    rows = []
    with TemporaryDirectory() as folder:
        for count in chosen.images:
            path = Path(folder) / f"{count}.parquet"
            _write(path, images, count)
            for number in range(chosen.rounds):
                bare = _bare(network, images, count)
                scored = _scored(
                    chosen.model / "model.onnx", path, Path(folder) / f"{count}.{number}"
                )
                rows.append({"images": count, "bare": bare, "scored": scored, "peak": _peak()})
    table = pd.DataFrame(rows).groupby("images", as_index=False).median()
    figures = pd.DataFrame(
        {
            "images": table["images"],
            "bare ONNX Runtime, CPU s": table["bare"],
            "digits score, CPU s": table["scored"],
            "bare / score": table["bare"] / table["scored"],
            "peak MB": table["peak"],
        }
    )
    note = f"n = {chosen.rounds} rounds; medians; {network.name}, one thread."
    counts = " ".join(map(str, chosen.images))
    command = f"scoring --model {chosen.model} --images {counts} --rounds {chosen.rounds}"
    measuring.write("scoring", figures, note, command)


def _write(path: Path, images: np.ndarray, count: int) -> None:
    schema = pa.schema({"pixels": pa.binary(images[0].size)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, count, ROW_GROUP):
            chosen = np.arange(start, min(start + ROW_GROUP, count)) % len(images)
            content = pa.py_buffer(images[chosen].tobytes())
            column = pa.FixedSizeBinaryArray.from_buffers(
                schema.field("pixels").type, len(chosen), [None, content]
            )
            writer.write_table(pa.table([column], schema=schema))


def _bare(network: Model, images: np.ndarray, count: int) -> float:
    begun = time.process_time()
    for start in range(0, count, ROW_GROUP):
        network.predict(images[np.arange(start, min(start + ROW_GROUP, count)) % len(images)])
    return time.process_time() - begun


def _scored(model: Path, path: Path, output: Path) -> float:
    begun = time.process_time()
    with loading.find(str(model)) as origin:
        prepared = plan.prepare(inputs.plan(str(path)), str(output), origin, Settings())
    for part in prepared.source.parts:
        parts.work(prepared.job, part)
    prepared.write_manifest(prepared.counts())
    return time.process_time() - begun


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
