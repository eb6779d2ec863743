"""A standalone cluster of this machine, for trials and tests: `python -m digits.spark.cluster`."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from digits.base.errors import UserError
from digits.spark import jobs


@contextmanager
def start(workers: int = 2, port: int = 0, folder: Path | None = None) -> Iterator["Cluster"]:
    """Start a master and workers of one core each on 127.0.0.1; stop them at the end.

    Args:
        workers: how many.
        port: of the master; 0: one that is free.
        folder: for the workers' files and logs; by default a temporary one.

    Raises:
        UserError: no pyspark or no Java.
    """
    jobs.require()
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
        deadline = time.monotonic() + jobs.PATIENCE
        while time.monotonic() < deadline and not jobs.answers("127.0.0.1", self._port):
            time.sleep(jobs.POLL)

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


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    """Run a cluster until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with start(2, 7077) as started:
            print(f"a master and two workers: --engine {started.url}; Ctrl-C stops them")
            signal.pause()
    except KeyboardInterrupt:
        pass
    except UserError as error:
        sys.exit(f"digits: {error}")


if __name__ == "__main__":
    main()
