"""The MLflow run of a scoring: tracking watches, and never costs a scoring its output."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from digits.base import files
from digits.base.text import without_password
from digits.base.yaml12 import flatten
from digits.scoring.plan import Plan
from digits.tracking import provenance, runs, store

EXPERIMENT = "digits-scoring"
MODEL_VERSION = "model.version"


class Record:
    """An open run; after a first failure of the store it takes nothing more."""

    def __init__(self, run: runs.Run) -> None:
        self._run, self.failure = run, ""

    def log(self, manifest: dict[str, Any], rate: float) -> None:
        """Log what was counted, the manifest, and the rows scored a second."""
        counts = manifest["counts"]
        metrics = {
            "rows": counts["rows"],
            "answers": counts["answers"],
            "refused": counts["refused"],
            "refusal_rate": counts["refused"] / max(counts["answers"], 1),
            "errors": sum(counts["errors"].values()),
            "rows_per_second": rate,
            **{_metric_of(name): count for name, count in counts["classes"].items()},
        }
        try:
            self._run.log_metrics(metrics)
            for step, count in enumerate(counts["confidence"]):
                self._run.log_metrics({"confidence_histogram": count}, step)
            with TemporaryDirectory() as folder:
                path = Path(folder) / "manifest.json"
                files.write_json(path, manifest)
                self._run.log_files(path)
        except Exception as error:  # MLflow's, its database's, the network's
            self.failure = store.reason(error)

    def end(self, status: str) -> None:
        try:
            self._run.end(status)
        except Exception as error:
            self.failure = self.failure or store.reason(error)
        if self.failure:
            print(f"score: MLflow lacks some of this run: {self.failure}", file=sys.stderr)


def _metric_of(name: str) -> str:
    """The metric of a class; MLflow refuses names with signs such as +, so these become numbers."""
    return "class_" + re.sub(r"\W", lambda sign: f"_{ord(sign[0]):x}", name)


@contextmanager
def recorded(plan: Plan, engine: str, workers: int) -> Iterator[Record]:
    """Open a run, and end it as FINISHED, FAILED or KILLED.

    Raises:
        UserError: the store cannot be used when the scoring begins.
    """
    experiment = store.connect(EXPERIMENT)
    facts = plan.facts
    tags = provenance.tags("score") | {runs.MODEL_MD5: facts["model"]["md5"]}
    if facts["model"]["version"]:
        tags[MODEL_VERSION] = facts["model"]["version"]
    output = without_password(plan.job.output)
    with store.explained():
        run = runs.open_run(experiment, f"score-{Path(output).name}", tags)
        run.log_params(flatten(facts["settings"]) | {"engine": engine, "workers": workers})
        run.log_params({"input": facts["input"]["place"], "output": output})
        run.log_inputs({facts["input"]["place"]: facts["input"]["md5"]})
    record, status = Record(run), "FAILED"
    try:
        yield record
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        record.end(status)
