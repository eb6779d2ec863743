"""What a scoring is of, written before the first part: a second attempt must be of the same."""

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from digits.base.errors import UserError
from digits.base.text import without_password
from digits.inference.loading import Origin
from digits.scoring import places
from digits.scoring.counting import Counts
from digits.scoring.inputs import Part, Source
from digits.scoring.parts import MODEL, Job, counts_of, file_name
from digits.scoring.scorer import Settings

PLAN, FILES, MANIFEST = "_plan.json", "_files.parquet", "_manifest.json"


@dataclass(frozen=True)
class Plan:
    """An output with its plan.

    Attributes:
        job: what all parts have in common.
        source: the input.
        facts: what plan and manifest say: input, model, settings.
    """

    job: Job
    source: Source
    facts: dict[str, Any]

    def done(self) -> list[Part]:
        """The parts that are written."""
        system, folder = places.locate(self.job.output)
        selector = pafs.FileSelector(folder, allow_not_found=True)
        names = {info.base_name for info in system.get_file_info(selector)}
        return [part for part in self.source.parts if file_name(part) in names]

    def counts(self) -> Counts:
        """The counts of all parts that are written."""
        total = Counts()
        for part in self.done():
            total.merge(counts_of(self.job, part))
        return total

    def write_manifest(self, counts: Counts) -> dict[str, Any]:
        """Write the manifest, which says that the output is whole."""
        manifest = {**self.facts, "counts": asdict(counts)}
        system, folder = places.locate(self.job.output)
        places.write(system, f"{folder}/{MANIFEST}", _json(manifest))
        return manifest


def prepare(source: Source, output: str, origin: Origin, settings: Settings) -> Plan:
    """Begin an output, or go on with one that was begun with the same model and input.

    Args:
        source: the input.
        output: a folder, new or begun before; local or a URI.
        origin: the model.
        settings: of the scoring.

    Raises:
        UserError: the output belongs to another model, input or settings, or to nobody, lies
            in the input, or its plan is damaged.
    """
    system, folder = places.locate(output)
    source_system, path = places.locate(source.place)
    if system == source_system and places.is_within(folder, path):
        raise UserError(f"{output}: lies in the input, which would grow by it: give another folder")
    system.create_dir(folder, recursive=True)
    content = origin.path.read_bytes()
    onnx = hashlib.md5(content, usedforsecurity=False).hexdigest()
    try:
        began = json.loads(places.read(system, f"{folder}/{PLAN}") or b"{}")
    except ValueError:
        raise UserError(
            f"{folder}/{PLAN}: is damaged: give another folder, or remove this one"
        ) from None
    stat = _digest([f"{f.path} {f.size} {f.mtime_ns}" for f in source.files])
    if not began:
        selector = pafs.FileSelector(folder)
        if any(info.base_name.startswith("part-") for info in system.get_file_info(selector)):
            raise UserError(f"{output}: has parts but no {PLAN}: give an empty folder")
    if began.get("input", {}).get("stat") == stat:
        md5 = began["input"]["md5"]
    else:
        md5 = _hash_files(source, system, folder, write=not began)
    facts = {
        "input": {
            "place": without_password(source.place),
            "files": len(source.files),
            "rows": source.rows,
            "parts": len(source.parts),
            "columns": asdict(source.columns) | {"pixels": list(source.columns.pixels)},
            "md5": md5,
            "stat": stat,
        },
        "model": {"version": origin.version, "md5": origin.md5, "onnx_md5": onnx},
        "settings": asdict(settings),
    }
    if began:
        _refuse_another(began, facts, output)
    else:
        places.write(system, f"{folder}/{MODEL}", content)
        places.write(system, f"{folder}/{PLAN}", _json(facts))
    job = Job(source.place, source.columns, output, onnx, settings)
    return Plan(job, source, facts)


def _refuse_another(began: dict[str, Any], facts: dict[str, Any], output: str) -> None:
    """Compare what decides the rows; a file that was touched but not changed is the same."""
    sides = []
    for each in (began, facts):
        source = {k: v for k, v in each["input"].items() if k not in ("stat", "place")}
        sides.append({"input": source, "model": each["model"]["md5"], "settings": each["settings"]})
    before, now = sides
    if different := [key for key in before if before[key] != now[key]]:
        raise UserError(
            f"{output}: was begun with another {' and another '.join(different)}; "
            "give another folder, or remove this one"
        )


def _hash_files(source: Source, system: pafs.FileSystem, folder: str, write: bool) -> str:
    """MD5 of each file, kept as a table beside the parts; returns the MD5 of them all."""
    origin, _ = places.locate(source.place)
    md5s = [places.md5(origin, file.path) for file in source.files]
    if write:
        columns = {
            "path": [file.path for file in source.files],
            "bytes": [file.size for file in source.files],
            "md5": md5s,
        }
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        places.write(system, f"{folder}/{FILES}", sink.getvalue())
    return _digest([f"{f.path} {md5}" for f, md5 in zip(source.files, md5s, strict=True)])


def _digest(lines: list[str]) -> str:
    return hashlib.md5("\n".join(lines).encode(), usedforsecurity=False).hexdigest()


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()
