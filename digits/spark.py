"""Apache Spark, the one engine for several machines, named in this module alone.

What is run are functions of this project over lists of small tasks: Spark finds a worker for
each, and another one where a worker dies. Data never passes through Spark itself: a task
reads and writes it where all workers can, so that no pixel is copied through a JVM.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.base.errors import UserError
from digits.base.text import one_line

if TYPE_CHECKING:  # an extra, which most have not installed
    from pyspark.sql import SparkSession

PATIENCE = 60  # seconds for a first worker to come
POLL = 0.2  # seconds between two looks at how far it is
EXECUTOR_MEMORY = "512m"  # of the JVM, which passes tasks only; Spark asks for 450 MiB at least


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
    _require()
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.executor.cores": "1",
        "spark.executor.memory": EXECUTOR_MEMORY,
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
    with _quiet():
        try:
            connected = builder.getOrCreate()
        except (PySparkException, Exception) as error:  # Py4J's, of a JVM that did not start
            raise UserError(f"{url}: Spark does not start: {one_line(error)}") from None
    try:
        with tempfile.TemporaryDirectory(prefix="digits-") as folder:
            connected.sparkContext.addPyFile(str(_packed(Path(folder))))
            if url.startswith("spark://"):
                _wait_for_worker(connected, url)
            yield connected
    finally:
        with _quiet():
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


@contextmanager
def cluster(workers: int = 2, port: int = 0, folder: Path | None = None) -> Iterator["Cluster"]:
    """Start a master and workers of one core each on 127.0.0.1; stop them at the end.

    Args:
        workers: how many.
        port: of the master; 0: one that is free.
        folder: for the workers' files and logs; by default a temporary one.

    Raises:
        UserError: no pyspark or no Java.
    """
    _require()
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="digits-")))
        started = Cluster(port or _free_port(), folder)
        stack.callback(started.stop)
        started.start_master()
        for _ in range(workers):
            started.start_worker()
        yield started


class Cluster:
    """A standalone cluster of this machine, for trials and tests."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url, self._port, self._folder = f"spark://127.0.0.1:{port}", port, folder
        self.workers: list[subprocess.Popen] = []
        self._master: subprocess.Popen | None = None

    def start_master(self) -> None:
        arguments = ["--host", "127.0.0.1", "--port", str(self._port), "--webui-port", "0"]
        self._master = self._start("master", "master.Master", arguments)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not _answers("127.0.0.1", self._port):
            time.sleep(POLL)

    def start_worker(self) -> subprocess.Popen:
        """Start one more worker: one core, and memory for one executor."""
        name = f"worker-{len(self.workers)}"
        arguments = ["--cores", "1", "--memory", "1g", "--host", "127.0.0.1", "--webui-port", "0"]
        arguments += ["--work-dir", str(self._folder / name), self.url]
        self.workers.append(self._start(name, "worker.Worker", arguments))
        return self.workers[-1]

    def stop(self) -> None:
        for process in [*self.workers, *([self._master] if self._master else [])]:
            process.terminate()
            process.wait()

    def _start(self, name: str, main: str, arguments: list[str]) -> subprocess.Popen:
        home = Path(sys.modules["pyspark"].__file__ or "").parent
        command = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{main}", *arguments]
        environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(home)}
        with (self._folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _require() -> None:
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
    if not (port.isdecimal() and _answers(host, int(port))):
        raise UserError(f"{url}: no Spark master answers there; `make spark` starts one")


def _answers(host: str, port: int) -> bool:
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
    path, package = folder / "digits.zip", Path(__file__).parent
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(package.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and "page" not in file.parts:
                archive.write(file, Path("digits") / file.relative_to(package))
    return path


@contextmanager
def _quiet() -> Iterator[None]:
    """Discard what a JVM writes to stderr as it starts, before its log level is set."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123, a device
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    """Run a cluster until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with cluster(2, 7077) as started:
            print(f"a master and two workers: --engine {started.url}; Ctrl-C stops them")
            signal.pause()
    except KeyboardInterrupt:
        pass
    except UserError as error:
        sys.exit(f"digits: {error}")


if __name__ == "__main__":
    main()
