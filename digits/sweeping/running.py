"""The trials of a sweep, by processes here or by a Spark cluster, until enough of them ended."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from optuna.trial import TrialState
from tqdm import tqdm

from digits.base.errors import UserError
from digits.base.text import one_line
from digits.spark import jobs as spark
from digits.sweeping import study, trial
from digits.sweeping.trial import Job

EMBEDDED = "local"  # the engine that is no engine: processes of this machine
POLL = 1.0  # seconds between two looks at a study
DEATHS = 10  # of workers, before it is their work that kills them


def run(job: Job, engine: str, jobs: int) -> None:
    """Run trials until `job.trials` of them were completed or pruned.

    Args:
        job: of the sweep.
        engine: `local`, or the URL of a Spark master.
        jobs: trials at a time.

    Raises:
        UserError: a worker failed, or the engine has none.
    """
    opened = study.load(job.place, job.space)
    study.release_killed(opened)
    done = len(study.ended(opened))
    started = _processes if engine == EMBEDDED else partial(_cluster, engine)
    pause = 0.5 if sys.stderr.isatty() else 10
    with tqdm(
        total=job.trials, initial=min(done, job.trials), unit=" trials", mininterval=pause
    ) as bar:
        for _ in started(job, jobs, job.trials - done):
            now = min(len(study.ended(opened)), job.trials)
            bar.update(now - bar.n)


def work(job: Job, is_wanted: Callable[[], bool] = lambda: True, _slot: int = 0) -> bool:
    """Run one trial, as soon as there is one to run.

    Returns:
        Whether there was one; false: enough have ended.
    """
    _make_imports_absolute()
    with contextlib.chdir(job.root):
        if job.tracking:
            os.environ["MLFLOW_TRACKING_URI"] = job.tracking
        return _work(job, is_wanted)


def _work(job: Job, is_wanted: Callable[[], bool]) -> bool:
    opened = study.load(job.place, job.space)
    while is_wanted():
        study.release_killed(opened)
        trials = opened.get_trials(deepcopy=False)
        ended = sum(each.state in study.ENDED for each in trials)
        running = sum(each.state == TrialState.RUNNING for each in trials)
        waiting = any(each.state == TrialState.WAITING for each in trials)
        if ended >= job.trials:
            return False
        if waiting or ended + running < job.trials:
            try:
                opened.optimize(partial(trial.objective, job, is_wanted), n_trials=1)
            except ValueError as error:
                # SQLite may give one waiting trial to two workers: the first to end it has told.
                if not str(error).startswith("Cannot tell a"):
                    raise
            return True
        time.sleep(POLL)  # one that runs may yet be killed, and then it is this worker's
    return False


def _make_imports_absolute() -> None:
    """Let imports work from another folder: Spark names the code that it sent by `./digits.zip`."""
    sys.path[:] = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100, keeps links
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "digits" and hasattr(module, "__path__"):
            module.__path__ = [os.path.abspath(path) for path in module.__path__]  # noqa: PTH100


def _processes(job: Job, jobs: int, wanted: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")  # a fork would share TensorFlow's threads
    errors: SimpleQueue[str] = context.SimpleQueue()
    deaths = 0

    def start() -> BaseProcess:
        process = context.Process(target=_worker, args=(job, errors), daemon=True)
        process.start()
        return process

    workers = [start() for _ in range(min(jobs, wanted))]
    try:
        while workers:
            wait([process.sentinel for process in workers], timeout=POLL)
            for process in [each for each in workers if not each.is_alive()]:
                process.join()
                workers.remove(process)
                if not errors.empty():
                    raise UserError(errors.get())
                if process.exitcode:
                    deaths += 1
                    if deaths > DEATHS:
                        raise UserError(
                            f"{deaths} workers were killed: is there memory for {jobs} at a time? "
                            "the same command goes on"
                        )
                    workers.append(start())
            yield
    finally:
        for process in workers:  # what they were at is retried by whoever goes on
            process.kill()
            process.join()


def _worker(job: Job, errors: "SimpleQueue[str]") -> None:
    """What a process does: trial after trial, in one TensorFlow."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: who started this ends it
    parent = multiprocessing.parent_process()

    def is_wanted() -> bool:
        return parent is None or parent.is_alive()

    try:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            while work(job, is_wanted):  # Keras tells of each epoch
                pass
    except UserError as error:
        errors.put(str(error))
    except Exception as error:
        errors.put(f"a trial failed: {type(error).__name__}: {one_line(error)}")


def _cluster(engine: str, job: Job, jobs: int, wanted: int) -> Iterator[None]:
    if wanted <= 0:
        return
    with spark.session(engine, "digits sweep", jobs) as session:
        for _ in spark.run(session, range(wanted), partial(work, job, _always)):
            yield


def _always() -> bool:
    return True
