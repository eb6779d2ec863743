"""A run for each stage of the pipeline: opened while it works, or made anew from its files.

Tracking watches a stage. A store that cannot be used when the stage begins stops it within
seconds; one that fails later costs the stage nothing but its run, which `digits sync` makes.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from digits.base import files
from digits.base.text import one_line
from digits.tracking import contents, lock, provenance, runs, store
from digits.tracking.contents import Facts
from digits.tracking.runs import Run


class StageRun:
    """The run of a stage at work. After a first failure of the store it takes nothing more.

    Attributes:
        failure: why the run lacks something; empty where it does not.
    """

    def __init__(self, facts: Facts, run: Run, models: Sequence[str]) -> None:
        self._facts, self._run, self._models = facts, run, models
        self._is_logged = False
        self.failure = ""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics before the stage has ended, such as those of an epoch."""
        named = contents.name_metrics(self._facts.stage, metrics)
        self.attempt(lambda: self._run.log_metrics(named, step))

    def log_outputs(self) -> None:
        """Log what the stage wrote; done at its end, and before by a stage that is to fail."""
        if not self._is_logged:
            self._is_logged = True
            self.attempt(self._log_outputs)

    def attempt(self, log: Callable[[], None]) -> None:
        """Log something, unless an earlier attempt failed."""
        if self.failure:
            return
        try:
            log()
        except Exception as error:  # MLflow's, its database's, the network's, a full disk's
            self.failure = store.reason(error)

    def _log_outputs(self) -> None:
        # An evaluation belongs to its model's run; the card is added to the runs that there are.
        find = _find_training if self._facts.stage.startswith("evaluate@") else _find_known_training
        found = {model: find(model) for model in self._models}
        trainings = {model: run for model, run in found.items() if run is not None}
        contents.log_outputs(self._facts, self._run, trainings)


@contextmanager
def stage_run(
    stage: str,
    params: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    models: Sequence[str] = (),
) -> Iterator[StageRun]:
    """Open a run for a stage, log what it wrote, end it as FINISHED, FAILED or KILLED.

    Args:
        stage: such as "train@cnn".
        params: of the stage's section of params.yaml, by dotted key.
        inputs: the data that the stage reads.
        models: whose runs it adds something to.

    Raises:
        UserError: the store cannot be used when the stage begins.
    """
    facts = Facts(stage, params, {path.as_posix(): files.md5(path) for path in inputs})
    run = _open(facts)
    watched, started, status = StageRun(facts, run, models), time.monotonic(), "FAILED"

    def log_end() -> None:
        wall_seconds = time.monotonic() - started
        seconds = {"cpu_seconds": time.process_time(), "wall_seconds": wall_seconds}
        run.log_metrics(contents.name_metrics(stage, seconds))
        if content := _hash_content(stage):
            run.log_tags({runs.CONTENT: content})

    try:
        with _system_metrics(run) if stage.startswith("train@") else nullcontext():
            yield watched
        watched.log_outputs()
        watched.attempt(log_end)
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        watched.attempt(lambda: run.end(status))
        if watched.failure:
            print(
                f"{stage}: MLflow lacks some of this run: {watched.failure}; "
                "once its store works again, `digits sync` adds what is missing",
                file=sys.stderr,
            )


def _hash_content(stage: str) -> str:
    """The hash of what DVC will write about a stage; empty where DVC does not run it, or cannot."""
    try:
        name = os.environ.get("DVC_STAGE")
        return lock.of_workspace(name).content if name else ""
    except Exception as error:  # DVC's own, or a system's: it writes what it hashes to its cache
        print(
            f"{stage}: DVC cannot hash what was written, so that MLflow does not know this run by "
            f"its content: {one_line(error)}; once that is mended, `digits sync` registers it",
            file=sys.stderr,
        )
        return ""


@contextmanager
def _system_metrics(run: Run) -> Iterator[None]:
    """Log CPU, memory, disk and network every ten seconds, as MLflow does for its own runs."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)  # a failure costs nothing
    monitor = SystemMetricsMonitor(run.run_id)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


def restore(facts: Facts, trainings: Mapping[str, Run], root: Path, tags: Mapping[str, str]) -> Run:
    """Make the run of a stage anew, from the files that it wrote.

    Args:
        facts: of the stage.
        trainings: the runs of the models that the stage adds to, by name.
        root: of a folder with the stage's outputs at their paths.
        tags: that say where they come from.

    Raises:
        UserError: the store cannot be used.
    """
    run = _open(facts, {runs.RESTORED: "true", **tags})
    status = "FAILED"
    try:
        with store.explained():
            contents.log_outputs(facts, run, trainings, root)
        status = "FINISHED"
    finally:
        run.end(status)
    return run


def _find_training(model: str) -> Run:
    """The run that trained a model of the workspace; made anew if the store knows none.

    DVC may have taken the model from its cache, or the store may have been deleted.
    """
    facts = contents.facts_of_training(Path("models") / model / "model.onnx")
    return _find_known_training(model) or restore(facts, {}, Path(), {})


def _find_known_training(model: str) -> Run | None:
    return runs.find_model_run(files.md5(Path("models") / model))


def _open(facts: Facts, tags: Mapping[str, str] | None = None) -> Run:
    experiment_id = store.connect(facts.experiment)
    with store.explained():
        described = provenance.tags(facts.stage) | dict(tags or {})
        run = runs.open_run(experiment_id, facts.run_name, described)
        run.log_params(facts.params)
        run.log_inputs(facts.data)
    return run
