"""MLflow's server, dead or answering 500: it costs a stage no output, `digits sync` makes up."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import mlflow
import pytest

from tests.drills.gated import LATEST, REPORT, Place, line_of
from tests.small_project import BIN, LIMIT, Command, wait_for

pytestmark = pytest.mark.slow


class Handler(BaseHTTPRequestHandler):
    """Passes each request on to MLflow's server, or answers all of them with 500."""

    server: "Listener"

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.front.fault == "500":
            self.reply(500, b"<h1>Internal Server Error</h1>", "text/html")
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        url = self.server.front.behind + self.path
        reply = httpx.request(self.command, url, content=content, headers=headers, timeout=LIMIT)
        self.reply(reply.status_code, reply.content, reply.headers.get("Content-Type", ""))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def reply(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Listener(ThreadingHTTPServer):
    front: "Front"


class Front:
    """The address that a stage knows of MLflow's server, which may fail there."""

    def __init__(self, behind: str) -> None:
        self.behind, self.fault, self.port = behind, "", 0
        self.start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.listener = Listener(("127.0.0.1", self.port), Handler)
        self.listener.front, self.port = self, self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, args=[0.05], daemon=True).start()

    def stop(self) -> None:
        self.listener.shutdown()
        self.listener.server_close()

    @contextmanager
    def failing(self, fault: str) -> Iterator[None]:
        """Refuse every connection ("dead") or answer all with 500 ("500") for a while."""
        self.fault = fault
        if fault == "dead":
            self.stop()
        yield
        self.fault = ""
        if fault == "dead":
            self.start()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Front]:
    """A real server of MLflow on SQLite, with the address before it."""
    folder = tmp_path_factory.mktemp("server")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    command = [BIN / "mlflow", "server", "--port", port, "--workers", "1"]
    command += ["--backend-store-uri", "sqlite:///mlflow.db"]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment | settings, stdout=log, stderr=log,
            start_new_session=True,  # its workers end with it
        )  # fmt: skip
    behind = f"http://127.0.0.1:{port}"

    def is_healthy() -> bool:
        assert server.poll() is None, (folder / "log").read_text()
        try:
            return httpx.get(f"{behind}/health").status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_for(is_healthy)
        front = Front(behind)
        yield front
        front.stop()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=LIMIT)


@pytest.fixture(scope="module")
def place(
    front: Front,
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
    run: Command,
) -> Place:
    """A repository whose stage ran once while the server was well."""
    place = Place(tmp_path_factory.mktemp("place"), run, front.uri)
    place.repro(environment, lambda _: nullcontext())
    return place


@pytest.mark.parametrize(("fault", "reason"), [("dead", "Connection refused"), ("500", "500")])
def test_a_server_that_fails_costs_no_output(
    front: Front, place: Place, environment: dict[str, str], fault: str, reason: str
) -> None:
    undisturbed, report = place.contents(), (place.folder / REPORT).read_bytes()
    (known,) = place.finished()
    mlflow.MlflowClient(place.uri).delete_run(known.info.run_id)  # sync would find its content
    (place.folder / REPORT).unlink()

    said, seconds = place.repro(environment, lambda _: front.failing(fault))
    assert reason in line_of(said)
    assert seconds < LATEST
    assert (place.folder / REPORT).read_bytes() == report
    assert place.finished() == []

    assert "compare" in place.run(place.folder, "digits", "sync", env=place.env).stdout
    assert place.contents() == undisturbed

    (place.folder / REPORT).unlink()
    with front.failing(fault):
        started = time.monotonic()
        done = place.run(place.folder, "python3", "gated.py", code=1, env=place.env)
    assert time.monotonic() - started < LATEST
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"compare: MLflow's store {front.uri} does not answer")
    assert reason in line
    assert line.endswith("start or correct the server, or change MLFLOW_TRACKING_URI")
    assert not (place.folder / REPORT).exists()
    (place.folder / REPORT).write_bytes(report)
