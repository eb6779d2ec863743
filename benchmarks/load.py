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

import psutil


@dataclass(frozen=True)
class Load:
    """What was asked and how it was answered.

    Attributes:
        seconds: of each answer, in the order of their ends.
        duration: of all, seconds.
    """

    seconds: list[float]
    duration: float

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

    def __init__(self, request: bytes, end: float) -> None:
        self._request, self._end = request, end
        self._received, self._missing = b"", 0
        self.seconds: list[float] = []
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, port: int) -> None:
        """Ask until the end. Raises SystemExit at the first answer but 200."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)
        await self._finished

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
            if not head.startswith(b"HTTP/1.1 200"):
                self._fail(self._received.decode(errors="replace"))
                return
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length) - len(body)
        if self._missing == 0:
            now = time.perf_counter()
            self.seconds.append(now - self._start)
            if now < self._end:
                self._ask()
            else:
                self._transport.close()
                self._finished.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        self._fail("the server closed the connection")

    def _ask(self) -> None:
        self._received, self._start = b"", time.perf_counter()
        self._transport.write(self._request)

    def _fail(self, reason: str) -> None:
        if not self._finished.done():
            self._finished.set_exception(SystemExit(reason))


async def ask(port: int, requests: list[Request], seconds: float) -> Load:
    """Hold a load for some seconds: a connection for each request, all at once."""
    start = time.perf_counter()
    clients = [Client(request.message, start + seconds) for request in requests]
    await asyncio.gather(*(client.run(port) for client in clients))
    times = [each for client in clients for each in client.seconds]
    return Load(times, time.perf_counter() - start)


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def serving(command: list[str]) -> Iterator[tuple[int, psutil.Process]]:
    """Run a server on a free port until the end: the port and the process."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
        try:
            while not answers(f"http://127.0.0.1:{port}/ping"):
                if process.poll() is not None:
                    log.seek(0)
                    sys.exit(f"{' '.join(command)}: {log.read().decode()}")
                time.sleep(0.2)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def answers(url: str) -> bool:
    """Tell whether a server on this machine answers a GET with 200."""
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 -- its own
            return bool(answer.status == 200)
    except OSError:
        return False


def cpu_seconds(process: psutil.Process) -> float:
    """Measure the CPU seconds of a server with its workers."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def megabytes(process: psutil.Process) -> float:
    """Measure the memory of a server with its workers."""
    processes = (process, *process.children(recursive=True))
    return sum(each.memory_info().rss for each in processes) / 2**20
