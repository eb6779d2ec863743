import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from digits import Recognizer
from digits.serving import addresses, app, running
from digits.serving.limits import Limits
from tests import small_model

Serve = Callable[..., httpx.Client]


@contextmanager
def serving(application: ASGIApp, limits: Limits | None = None) -> Iterator[httpx.Client]:
    """A real server on a free loopback port, and a client that knows its address."""
    listener = addresses.listen("127.0.0.1", 0)
    server = running.server(application, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = listener.getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, `cnn` and `mlp`, as good as each other but of other probabilities."""
    folder = tmp_path_factory.mktemp("models")
    small_model.write(folder / "cnn")
    small_model.write(folder / "mlp", "mlp", sharpness=2)
    return folder


@pytest.fixture(scope="session")
def recognizers(models: Path) -> list[Recognizer]:
    return [Recognizer(models / "cnn"), Recognizer(models / "mlp")]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!DOCTYPE html><title>digits</title>")
    (folder / "page.js").write_text("'use strict'")
    (folder.parent / "secret").write_text("not to be served")
    return folder


@pytest.fixture(scope="session")
def client(recognizers: list[Recognizer], page: Path) -> Iterator[httpx.Client]:
    """A server as it comes."""
    with serving(app.build(recognizers, page=page)) as client:
        yield client


@pytest.fixture
def serve(recognizers: list[Recognizer]) -> Iterator[Serve]:
    """Start another server."""
    with ExitStack() as stack:
        yield lambda *others, **options: stack.enter_context(
            serving(app.build(others or recognizers, **options), options.get("limits"))
        )
