"""The server as a process: its models, its address, its start and its end."""

import contextlib
import logging
import os
import resource
import socket
import ssl
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import segno
import uvicorn
from starlette.types import ASGIApp

from digits.base.errors import UserError
from digits.base.text import printable, shape_text
from digits.collection.collector import Settings
from digits.inference import loading
from digits.recognition.crops import SIDE
from digits.recognition.recognizer import Recognizer
from digits.serving import access, addresses, app, logs
from digits.serving.access import Access
from digits.serving.limits import Gate, Limits
from digits.serving.protocol import BoundedProtocol
from digits.serving.service import Service

SPARE_FILES = 100  # that the process opens besides its connections


@dataclass(frozen=True)
class Entrance:
    """Where the server is found, and by whom.

    Attributes:
        host, port: to listen on, see `addresses.listen`.
        allowed_hosts: names by which it may be asked for besides its own; "*" is any.
        token: to be asked for; None: one is made where other machines reach the server.
        is_open: never ask for a token.
        certificate, key: PEM files for https.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    token: str | None = None
    is_open: bool = False
    certificate: Path | None = None
    key: Path | None = None

    def access(self, listener: socket.socket) -> Access:
        """Decide who may ask a server that listens.

        Raises:
            UserError: the token cannot be used.
        """
        is_local, token = addresses.is_local(listener), self.token
        if token:
            access.require_usable(token)
        if self.is_open:
            token = None
        elif not token and not is_local:
            token = access.make_token()
        own = {self.host, socket.gethostname(), f"{socket.gethostname()}.local"}
        names = [*self.allowed_hosts, *(() if is_local else own)]
        return Access(
            frozenset(name.lower() for name in names), not is_local, token, bool(self.certificate)
        )


@dataclass(frozen=True)
class Source:
    """Which model answers; see `Recognizer`."""

    model: str
    threshold: float | None = None
    threads: int = 1
    require_checked: bool = False

    def load(self) -> Recognizer:
        """Load the model that the name stands for at this moment.

        Raises:
            UserError: there is no such model, or it takes images of another size than 28 x 28.
        """
        recognizer = Recognizer(self.model, self.threshold, self.threads, self.require_checked)
        shape = recognizer.network.image_shape
        if shape != [SIDE, SIDE]:
            raise UserError(
                f"{self.model}: takes images of {shape_text(shape)} pixels, but digits of pictures "
                "have 28 x 28: train it on a data set of `digits import --size 28x28`"
            )
        return recognizer


def run(
    source: Source,
    entrance: Entrance,
    limits: Limits,
    follow_seconds: float,
    collection: Settings | None = None,
) -> None:
    """Serve a model until a signal ends it; the requests at work are answered first.

    Args:
        source: of the model; where it is an alias, what it stands for is looked up every
            `follow_seconds`.
        collection: what to keep of what is answered; None: nothing.

    Raises:
        UserError: there is no such model, the address cannot be had, or the file to collect in
            cannot be used.
    """
    if loading.is_alias(source.model):
        # Each look opens the store's file anew: a restored one takes the place of the one before.
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    cv2.setNumThreads(1)  # pictures are looked at beside each other, each by a thread
    _allow_files(limits.connections + SPARE_FILES)
    main = source.load()
    others = _other_models(source)
    # The main model may be among the others, too.
    for reason in dict.fromkeys(served.origin.unchecked for served in (main, *others)):
        if reason:
            print(f"digits: {printable(reason)}", file=sys.stderr, flush=True)
    listener = addresses.listen(entrance.host, entrance.port)
    allowed = entrance.access(listener)
    url = addresses.url(listener, "https" if entrance.certificate else "http")

    async def beside(service: Service) -> None:
        _announce(main.network.name, url, allowed.token, addresses.is_local(listener))
        if loading.is_alias(source.model):
            await service.follow(source.model, source.load, follow_seconds)

    application = app.build([main, *others], limits, beside, access=allowed, collection=collection)
    http = server(application, limits, entrance.certificate, entrance.key)
    with contextlib.suppress(KeyboardInterrupt):  # raised again once all is ended
        http.run(sockets=[listener])


def server(
    application: ASGIApp,
    limits: Limits | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
) -> uvicorn.Server:
    """Configure an HTTP server for an application, which is yet to be run.

    Raises:
        UserError: the certificate or its key cannot be used.
    """
    if key and not certificate:
        raise UserError("--keyfile: needs --certfile, too: the certificate that the key belongs to")
    limits = limits or Limits()
    logging.getLogger("uvicorn.error").filters[:] = [logs.Bounded()]
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # the client is told
    config = uvicorn.Config(
        application,
        http=partial(BoundedProtocol, limits=limits, gate=Gate(limits)),  # type: ignore[arg-type]
        ws="none",  # nobody is told to install a library for it
        access_log=False,  # /metrics has the numbers
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=max(1, round(limits.seconds)),
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        if certificate and b"ENCRYPTED" in (key or certificate).read_bytes():
            raise UserError(
                f"{key or certificate}: the key is encrypted, and a server has nobody to ask for "
                "its password: `openssl pkey -in KEY -out FILE` writes it without one"
            )
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"{certificate}, {key or 'without --keyfile'}: no certificate with its key "
            f"({error.strerror or error}); both are PEM files"
        ) from None
    return uvicorn.Server(config)


def _other_models(source: Source) -> list[Recognizer]:
    """Load the workspace's other models; name those that cannot be loaded."""
    models = []
    for folder in sorted(Path("models").glob("*")):
        if (folder / "model.onnx").exists():
            try:
                models.append(replace(source, model=str(folder), threshold=None).load())
            except UserError as error:
                print(f"digits: left out: {printable(str(error))}", file=sys.stderr, flush=True)
    return models


def _announce(name: str, url: str, token: str | None, is_local: bool) -> None:
    """Say where the server is found; on a terminal, also to a slate's camera."""
    if token:
        url = f"{url}/?{access.query(token)}"
    elif not is_local:
        print("digits: no token is asked for: whoever reaches the address may use it", flush=True)
    print(f"{name} answers on {url}", flush=True)
    if not is_local and sys.stdout.isatty():
        segno.make(url, error="l").terminal(compact=True, border=2)


def _allow_files(count: int) -> None:
    """Let the process open as many files as it needs, as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count and soft != resource.RLIM_INFINITY:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
