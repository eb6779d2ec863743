"""One part: read, scored, written whole. Every engine calls `work` and nothing else.

A part that is made twice, by a second attempt or by two engines at once, is the same file.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from digits.base.errors import UserError
from digits.scoring import inputs, places
from digits.scoring.columns import Columns
from digits.scoring.counting import Counts
from digits.scoring.inputs import Part
from digits.scoring.scorer import Scorer, Settings

MODEL = "_model.onnx"  # beside the parts; readers of Parquet skip what begins with _
COUNTS = b"digits.counts"  # the key of a part's counts in the metadata of its file


@dataclass(frozen=True)
class Job:
    """What all parts have in common: a few hundred bytes, sent to each worker."""

    source: str
    columns: Columns
    output: str
    model_md5: str
    settings: Settings


def file_name(part: Part) -> str:
    """The file of a part, beside those of the others."""
    return f"part-{part.number:06}.parquet"


def work(job: Job, part: Part) -> Counts:
    """Score a part and write it.

    Returns:
        What was counted.

    Raises:
        UserError: the model, the input or the output is no longer there.
    """
    scorer, counts = _scorer(job.output, job.model_md5, job.settings), Counts()
    system, folder = places.locate(job.output)

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in scorer.score(inputs.read(job.source, part, job.columns)):
            counts.add(batch)
            yield batch

    table = pa.Table.from_batches(counted())
    metadata = {COUNTS: json.dumps(asdict(counts)).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    places.write(system, f"{folder}/{file_name(part)}", sink.getvalue().to_pybytes())
    return counts


def counts_of(job: Job, part: Part) -> Counts:
    """The counts of a part that was written before.

    Raises:
        UserError: its file is damaged.
    """
    system, folder = places.locate(job.output)
    path = f"{folder}/{file_name(part)}"
    try:
        schema = pq.read_schema(path, filesystem=system)
        return Counts(**json.loads(schema.metadata[COUNTS]))
    except (pa.ArrowException, TypeError, KeyError, ValueError):
        raise UserError(
            f"{path}: is damaged: remove it, and the same command makes it again"
        ) from None


@lru_cache(maxsize=1)
def _scorer(output: str, md5: str, settings: Settings) -> Scorer:
    """The model, loaded once in a process; `md5` makes another model another one."""
    system, folder = places.locate(output)
    with tempfile.TemporaryDirectory(prefix="digits-") as scratch:
        path = Path(scratch) / "model.onnx"
        path.write_bytes(places.read(system, f"{folder}/{MODEL}") or b"")
        return Scorer(path, settings)
