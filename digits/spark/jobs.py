"""Jobs on a Spark cluster.

What is run are functions of this project over lists of small tasks: Spark finds a worker for
each, and another one where a worker dies. Data never passes through Spark itself: a task
reads and writes it where all workers can, so that no pixel is copied through a JVM.
"""

import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.base.errors import UserError
from digits.base.quiet import discarding_stderr
from digits.base.text import one_line

if TYPE_CHECKING:  # an extra, which most have not installed
    from pyspark.sql import SparkSession

PATIENCE = 60  # seconds for a first worker to come
POLL = 0.2  # seconds between two looks at how far it is
EXECUTOR_MEMORY = "512m"  # of the JVM, which passes tasks only; Spark asks for 450 MiB at least
# A JVM lives for seconds or minutes here: to compile its code further costs more than it saves.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@contextmanager
def session(url: str, name: str, cores: int | None = None) -> Iterator["SparkSession"]:
    """Connect to a cluster, with this project's code sent to its workers.

    Args:
        url: such as `spark://HOST:7077`, or `local[2]`.
        name: of the application, for Spark's own pages.
        cores: to take at most; None: all.

    Raises:
        UserError: no pyspark, no Java, no such master, or no worker within `PATIENCE`.
    """
    require()
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.executor.cores": "1",
        "spark.executor.memory": EXECUTOR_MEMORY,
        "spark.executor.extraJavaOptions": JAVA_OPTIONS,
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
        "spark.log.level": "FATAL",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if cores:
        settings["spark.cores.max"] = str(cores)
    host = url.removeprefix("spark://").split(":")[0]
    if host in ("127.0.0.1", "localhost") or url.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if url.startswith("spark://"):
        _require_master(url)
    builder = SparkSession.builder.master(url).appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    with discarding_stderr():  # a JVM as it starts, before its log level is set
        try:
            connected = builder.getOrCreate()
        except Exception as error:  # PySpark's, or Py4J's of a JVM that did not start
            raise UserError(f"{url}: Spark does not start: {one_line(error)}") from None
    try:
        with tempfile.TemporaryDirectory(prefix="digits-") as folder:
            connected.sparkContext.addPyFile(str(_packed(Path(folder))))
            if url.startswith("spark://"):
                _wait_for_worker(connected, url)
            yield connected
    finally:
        with discarding_stderr():
            connected.stop()


def run(
    connected: "SparkSession", tasks: Sequence[Any], work: Callable[[Any], Any]
) -> Iterator[int]:
    """Do the work for each task, in any order, on whichever worker is free.

    Args:
        connected: from `session`.
        tasks: small objects, that pickle.
        work: of a module of this project; called again for a task whose worker died, so a
            second call must do no harm.

    Yields:
        How many tasks are done, whenever there are more.

    Raises:
        UserError: a task failed four times: with the message of its own error.
    """
    if not tasks:
        return
    context, failures, done = connected.sparkContext, [], threading.Event()

    def collect() -> None:
        try:
            context.parallelize(list(tasks), len(tasks)).map(work).count()
        except Exception as error:  # Py4J's, with Java's and Python's tracebacks in it
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=collect, daemon=True).start()
    seen = 0
    while not done.wait(POLL):
        if (now := _completed(context)) > seen:
            seen = now
            yield seen
    if failures:
        raise UserError(_reason(failures[0])) from None
    if seen < len(tasks):
        yield len(tasks)


def require() -> None:
    """Refuse where Spark cannot run.

    Raises:
        UserError: pyspark or Java is not installed.
    """
    try:
        import pyspark  # noqa: F401
    except ImportError:
        raise UserError(
            "pyspark is not installed: `make .venv/spark` installs it (480 MB)"
        ) from None
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        raise UserError(
            "Spark needs Java 17 or later: on Debian and Ubuntu "
            "`apt-get install default-jre-headless`"
        )


def _require_master(url: str) -> None:
    """Spark itself would try for a minute, and then tell it in a hundred lines."""
    host, _, port = url.removeprefix("spark://").split(",")[0].rpartition(":")
    if not (port.isdecimal() and answers(host, int(port))):
        raise UserError(f"{url}: no Spark master answers there; `make spark` starts one")


def answers(host: str, port: int) -> bool:
    """Whether anything listens at an address."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


def _wait_for_worker(connected: "SparkSession", url: str) -> None:
    """With no worker a job of Spark's would wait for ever."""
    tracker = connected.sparkContext._jsc.sc().statusTracker()
    deadline = time.monotonic() + PATIENCE
    while len(tracker.getExecutorInfos()) < 2:  # the first is the driver itself
        if time.monotonic() > deadline:
            raise UserError(
                f"{url}: no worker came within {PATIENCE} seconds; are there any, each with a "
                f"free core and {EXECUTOR_MEMORY} of memory?"
            )
        time.sleep(POLL)


def _completed(context: Any) -> int:
    tracker = context.statusTracker()
    infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return sum(info.numCompletedTasks for info in infos if info)


def _reason(error: Exception) -> str:
    """What the function itself said, out of the tracebacks of two languages around it."""
    lines = [line.strip() for line in str(error).splitlines()]
    ours = [line for line in lines if "digits.base.errors.UserError: " in line]
    if ours:
        return ours[0].partition("digits.base.errors.UserError: ")[2]
    raised = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception"))]
    return f"Spark gave up: {one_line(raised[-1] if raised else str(error))}"


def _packed(folder: Path) -> Path:
    """The package `digits` as one file: workers need what it imports, but not this checkout."""
    path, package = folder / "digits.zip", Path(__file__).parents[1]
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(package.rglob("*")):
            inside = file.relative_to(package)
            if file.is_file() and not {"__pycache__", "page"} & set(inside.parts):
                archive.write(file, Path("digits") / inside)
    return path
