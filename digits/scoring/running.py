"""All parts that are missing, by an engine, watched: progress, counts, an MLflow run."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from tqdm import tqdm

from digits.base.errors import UserError
from digits.scoring import parts
from digits.scoring.inputs import Part
from digits.scoring.parts import Job
from digits.scoring.plan import Plan
from digits.scoring.record import recorded
from digits.spark import jobs

EMBEDDED = "local"  # the engine that is no engine: this process, or processes of its own
QUIET_SECONDS = 10  # between two lines of progress where no terminal shows them


def run(plan: Plan, engine: str = EMBEDDED, workers: int = 1) -> dict[str, Any]:
    """Score what is missing, and write the manifest.

    Args:
        plan: from `prepare`.
        engine: `local`, or the URL of a Spark master.
        workers: processes here, or cores of the cluster at most.

    Returns:
        The manifest.

    Raises:
        UserError: a part cannot be read or written, or the engine has no workers.
        SystemExit: SIGTERM came; its worker processes are ended, too.
    """
    done = {part.number for part in plan.done()}
    missing = [part for part in plan.source.parts if part.number not in done]
    begun = time.monotonic()
    with _ending_on_sigterm(), recorded(plan, engine, workers) as run_:
        _show(plan, missing, _started(engine, workers)(plan.job, missing))
        counts = plan.counts()
        scored = sum(part.rows for part in missing)
        manifest = plan.write_manifest(counts)
        run_.log(manifest, scored / max(time.monotonic() - begun, 1e-9))
    return manifest


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that the run is noted as KILLED."""

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # `timeout` sends it twice
        for worker in multiprocessing.active_children():
            worker.terminate()  # or their parts would be waited for
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


Engine = Callable[[Job, Sequence[Part]], Iterator[int]]


def _started(engine: str, workers: int) -> Engine:
    if engine == EMBEDDED:
        return _here if workers == 1 else partial(_processes, workers)
    return partial(_cluster, engine, workers)


def _here(job: Job, missing: Sequence[Part]) -> Iterator[int]:
    for part in missing:
        yield parts.work(job, part).rows


def _processes(workers: int, job: Job, missing: Sequence[Part]) -> Iterator[int]:
    spawn = multiprocessing.get_context("spawn")  # a fork would share ONNX Runtime's threads
    with ProcessPoolExecutor(workers, spawn, _end_with_parent) as pool:
        futures = [pool.submit(parts.work, job, part) for part in missing]
        try:
            for future in as_completed(futures):
                yield future.result().rows
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed; the same command goes on with what is missing"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Let this worker end once its parent is dead: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _cluster(engine: str, workers: int, job: Job, missing: Sequence[Part]) -> Iterator[int]:
    rows = sum(part.rows for part in missing) / max(len(missing), 1)
    with jobs.session(engine, "digits score", workers) as session:
        seen = 0
        for tasks in jobs.run(session, list(missing), partial(_count, job)):
            yield round(rows * (tasks - seen))
            seen = tasks


def _count(job: Job, part: Part) -> int:
    return parts.work(job, part).rows


def _show(plan: Plan, missing: Sequence[Part], scored: Iterator[int]) -> None:
    """Progress with rows a second and the time left."""
    pause = 0.5 if sys.stderr.isatty() else QUIET_SECONDS
    before = plan.source.rows - sum(part.rows for part in missing)
    bar = tqdm(
        total=plan.source.rows,
        initial=before,
        unit=" rows",
        unit_scale=True,
        mininterval=pause,
        maxinterval=pause,
    )
    with bar:
        for rows in scored:
            bar.update(rows)
