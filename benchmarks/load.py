"""A load for a server on a port: clients that ask again as soon as they are answered."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

PAUSE = 0.05  # seconds until a client whose connection was closed opens another


@dataclass(frozen=True)
class Load:
    """What was asked and how it was answered.

    Attributes:
        seconds: of each answer, in the order of their ends.
        duration: of all, seconds.
        refused: requests that were answered with another status than 200, or not at all.
    """

    seconds: list[float]
    duration: float
    refused: int = 0

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.duration


@dataclass(frozen=True)
class Request:
    """What is asked."""

    path: str
    kind: str
    body: bytes

    @property
    def message(self) -> bytes:
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {self.kind}\r\n"
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


class Client(asyncio.Protocol):
    """A connection that sends the same request again as soon as it is answered."""

    def __init__(self, request: bytes, end: float, bears_refusals: bool = False) -> None:
        self._request, self._end, self._bears = request, end, bears_refusals
        self._received, self._missing = b"", 0
        self._is_refused = False
        self.seconds: list[float] = []
        self.refused = 0
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, port: int) -> None:
        """Ask until the end. Raises SystemExit at the first answer but 200, unless it is borne."""
        self._port = port
        await self._connect()
        await self._finished

    async def _connect(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        except OSError as error:
            self._fail(str(error))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._received += data
            head, found, body = self._received.partition(b"\r\n\r\n")
            if not found:
                return
            self._is_refused = not head.startswith(b"HTTP/1.1 200")
            if self._is_refused and not self._bears:
                self._fail(self._received.decode(errors="replace"))
                return
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length) - len(body)
        if self._missing == 0:
            now = time.perf_counter()
            if self._is_refused:
                self.refused += 1
            else:
                self.seconds.append(now - self._start)
            if now < self._end:
                self._ask()
            elif not self._finished.done():
                self._finished.set_result(None)
                self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._fail("the server closed the connection")

    def _ask(self) -> None:
        self._received, self._missing, self._start = b"", 0, time.perf_counter()
        self._transport.write(self._request)

    def _fail(self, reason: str) -> None:
        """End; where refusals are borne another connection is opened."""
        if self._finished.done():
            return
        if not self._bears:
            self._finished.set_exception(SystemExit(reason))
            return
        self.refused += 1
        if time.perf_counter() >= self._end:
            self._finished.set_result(None)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(PAUSE, lambda: loop.create_task(self._connect()))


async def ask(
    port: int, requests: list[Request], seconds: float, bears_refusals: bool = False
) -> Load:
    """Hold a load for some seconds: a connection for each request, all at once.

    Args:
        bears_refusals: counts what is refused, instead of an end at the first.
    """
    start = time.perf_counter()
    clients = [Client(request.message, start + seconds, bears_refusals) for request in requests]
    await asyncio.gather(*(client.run(port) for client in clients))
    times = [each for client in clients for each in client.seconds]
    refused = sum(client.refused for client in clients)
    return Load(times, time.perf_counter() - start, refused)


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def serving(
    command: list[str], ready: str = "/ping", **options: Any
) -> Iterator[tuple[int, psutil.Process]]:
    """Run a server on a free port until the end: the port and the process.

    Args:
        ready: a path that is answered with 200 once the server is ready.
        options: of the process: its folder, its environment.
    """
    port = free_port()
    with tempfile.TemporaryFile() as log:
        started = [*command, "--port", str(port)]
        process = subprocess.Popen(started, stdout=log, stderr=log, **options)
        try:
            while not answers(f"http://127.0.0.1:{port}{ready}"):
                if process.poll() is not None:
                    log.seek(0)
                    sys.exit(f"{' '.join(command)}: {log.read().decode()}")
                time.sleep(0.2)
            yield port, psutil.Process(process.pid)
        finally:
            workers: list[psutil.Process] = []  # that not every server ends
            with contextlib.suppress(psutil.NoSuchProcess):
                workers = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait()
            for worker in psutil.wait_procs(workers, timeout=5)[1]:
                worker.kill()


def answers(url: str) -> bool:
    """Tell whether a server on this machine answers a GET with 200."""
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 -- its own
            return bool(answer.status == 200)
    except OSError:
        return False


def cpu_seconds(process: psutil.Process) -> float:
    """Measure the CPU seconds of a process with all that it started and that still run."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def megabytes(process: psutil.Process) -> float:
    """Measure the memory of a server with its workers."""
    processes = (process, *process.children(recursive=True))
    return sum(each.memory_info().rss for each in processes) / 2**20
