"""What every test may use: the repository, commands run as a user would, real digits."""

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from scipy import ndimage
from sklearn.datasets import load_digits

from digits.data.splits import Split
from tests import small_project
from tests.small_project import BIN, LIMIT, ROOT, STAGES, Command, postgres_folder, ran

# A shared machine stalls now and then; the same examples in every run are worth more than new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# A million objects come with the imports and live to the end: to look through them again and
# again for garbage took a quarter of the time in which the tests are collected.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    """Let the tests on a cluster alone see pyspark, where `make spark` installed it.

    Great Expectations imports it where it is, and it takes a worker of pytest-xdist, which has
    no main file, for a run of its own doctests: it ends the worker.
    """
    if config.option.markexpr != "spark":
        sys.modules["pyspark"] = None  # type: ignore[assignment]  # as if it were not there


def pytest_collection_finish() -> None:
    """Keep what was imported out of the garbage collector's way."""
    gc.freeze()
    gc.enable()


# A shell's background job ignores SIGINT, and so would every process that the tests interrupt.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what this command leaves out, and which command has it."""
    chosen = terminalreporter.config.option.markexpr
    if "not slow" in chosen:
        terminalreporter.write_line("left out: what takes minutes; `make test-slow` has it")
    if "not server" in chosen:
        way = "`make test-server`"
        if not postgres_folder():
            way += ", which root lets install PostgreSQL: it is not here"
        terminalreporter.write_line(f"left out: MLflow's server on PostgreSQL; {way}")


# The files that take longest: with two workers, one that is begun last would run alone.
LONGEST = [
    "tests/pipeline/test_first_run.py",
    "tests/drills/test_kills.py",
    "tests/test_docs.py",
    "tests/pipeline/test_loop.py",
    "tests/page",
    "tests/stages/test_train.py",
    "tests/digits/promotion",
    "tests/digits/tracking",
    "tests/digits/training",
    "tests/pipeline",  # not earlier: they wait for the pipeline that the first file runs
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files."""

    def rank(item: pytest.Item) -> int:
        path = item.nodeid
        return next((n for n, name in enumerate(LONGEST) if path.startswith(name)), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """The environment without what the user or DVC told MLflow, and with the repository's code."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    return inherited | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def python(tmp_path: Path, clean_environment: dict[str, str]) -> Command:
    """Run `python *arguments` in the test's folder, with variables added to the environment."""

    def run(
        *arguments: str, cwd: Path = tmp_path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=clean_environment | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def handwriting() -> Split:
    """scikit-learn's 1,797 real digits of 8 x 8 pixels, enlarged to MNIST's 20 in 28."""
    bunch = load_digits()
    enlarged = ndimage.zoom(bunch.images, (1, 2.5, 2.5), order=1) * 255 / 16
    images = np.pad(np.clip(enlarged.round(), 0, 255).astype(np.uint8), ((0, 0), (4, 4), (4, 4)))
    return Split(images, bunch.target.astype(np.uint8))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of an empty MLflow store, to be copied: to create one takes a second."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    SqlAlchemyStore(f"sqlite:///{database}", str(database.parent)).engine.dispose()
    return database


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an activated .venv, without any setting of the user or the test run."""
    home = tmp_path_factory.mktemp("home")
    (home / "config").write_text("[core]\n    check_update = false\n")  # it would ask the network
    prefixes = ("AWS_", "DVC_", "GIT_", "MAKE", "MFLAGS", "MLFLOW_", "PYTHON", "XDG_")
    return {k: v for k, v in os.environ.items() if not k.startswith(prefixes)} | {
        "HOME": str(home),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_GLOBAL_CONFIG_DIR": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Command:
    """Run a command in a folder; it must end as expected, by default well."""

    def run(
        folder: Path, *command: str | Path, code: int = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def new_project(
    tmp_path_factory: pytest.TempPathFactory, handwriting: Split, run: Command
) -> Callable[[], Path]:
    """Make a repository of the project on a small data set, which was not run yet."""

    def new_project() -> Path:
        folder, mirror = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("mirror")
        small_project.build(folder, mirror, handwriting, run)
        return folder

    return new_project


@pytest.fixture(scope="session")
def run_queue(run: Command) -> Callable[..., None]:
    """Run DVC's queued experiments, some at a time, to their end."""

    def run_queue(folder: Path, jobs: int, env: Mapping[str, str] | None = None) -> None:
        # A worker may outlive its work, with the pipe to read from still open: hence no pipe.
        run(folder, "sh", "-c", f"dvc queue start --jobs {jobs} > /dev/null 2>&1", env=env)

        def is_over() -> bool:
            # DVC writes what it notes of an experiment in place: whoever reads in that moment
            # fails. That is no answer, so it is asked again.
            status = run(folder, "sh", "-c", "dvc queue status || echo Running", env=env).stdout
            return not re.search("Queued|Running", status)

        try:
            small_project.wait_for(is_over, interval=3)
        finally:
            run(folder, "dvc", "queue", "stop", "--kill")

    return run_queue


@pytest.fixture(scope="session")
def made_once(
    new_project: Callable[[], Path], run: Command, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The project on the small data set, run and committed; and a copy of it without a store.

    The pipeline runs once for all processes of a test run: the first one makes both.
    """
    place = tmp_path_factory.getbasetemp()
    place = place.parent if "PYTEST_XDIST_WORKER" in os.environ else place
    named = place / "made_once"
    with FileLock(place / "made_once.lock"):
        if not named.exists():
            folder = new_project()
            done = run(folder, "dvc", "repro")
            assert ran(done) == STAGES.split()
            run(folder, "git", "add", ".")
            run(folder, "git", "commit", "--message", "Results")
            pristine = tmp_path_factory.mktemp("pristine")
            stores = shutil.ignore_patterns("mlflow.db*", "mlruns")
            shutil.copytree(folder, pristine, ignore=stores, symlinks=True, dirs_exist_ok=True)
            named.write_text(f"{folder}\n{pristine}")
        live, pristine = map(Path, named.read_text().splitlines())
    return live, pristine


@pytest.fixture(scope="session")
def repo(made_once: tuple[Path, Path]) -> Path:
    """The project as it was run, with its store; other files' tests read it at the same time."""
    return made_once[0]


@pytest.fixture(scope="session")
def copy(
    made_once: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Copy the repository and DVC's cache, but not MLflow's store."""

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("copy")
        shutil.copytree(made_once[1], folder, symlinks=True, dirs_exist_ok=True)
        return folder

    return copy
