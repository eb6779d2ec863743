"""The server as a process: its models, its address, its start and its end."""

import contextlib
import socket
from functools import partial
from pathlib import Path

import cv2
import uvicorn
from starlette.types import ASGIApp

from digits.base.errors import UserError
from digits.inference import loading
from digits.recognition.recognizer import Recognizer
from digits.serving import app
from digits.serving.guard import Limits
from digits.serving.service import Service

GRACE = 10  # seconds for the requests at work when the server is told to end


def run(
    model: str,
    host: str,
    port: int,
    threshold: float | None,
    threads: int,
    limits: Limits,
    follow_seconds: float,
) -> None:
    """Serve a model until a signal ends it; the requests at work are answered first.

    Args:
        model: as for `Recognizer`; where it is an alias, what it stands for is looked up
            every `follow_seconds`.

    Raises:
        UserError: there is no such model, or the address cannot be had.
    """
    cv2.setNumThreads(1)  # pictures are looked at beside each other, each by a thread
    load = partial(Recognizer, model, threshold, threads)
    main = load()
    others = [
        Recognizer(folder, threads=threads)
        for folder in sorted(Path("models").glob("*"))
        if (folder / "model.onnx").exists()
    ]
    listener = listen(host, port)
    address, actual_port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address

    async def beside(service: Service) -> None:
        print(f"{main.network.name} answers on http://{shown}:{actual_port}", flush=True)
        if loading.is_alias(model):
            await service.follow(model, load, follow_seconds)

    with contextlib.suppress(KeyboardInterrupt):  # raised again once all is ended
        server(app.build([main, *others], limits, beside)).run(sockets=[listener])


def server(application: ASGIApp) -> uvicorn.Server:
    """An HTTP server for an application, yet to be run."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            access_log=False,  # /metrics has the numbers
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Take an address; port 0 is any that is free."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise UserError(f"{host}:{port}: {reason}; name another with --host or --port") from None
