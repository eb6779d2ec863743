"""The page in a real browser, Chromium, against the real server with two small networks."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from benchmarks import browser
from digits.base.errors import UserError
from digits.recognition.recognizer import Recognizer
from digits.serving import export, runtime
from tests import small_model
from tests.page.visits import DESK, NAMES, Server, Visit, handwritten


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder with models."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "dvc.yaml").touch()
    for name in ("cnn", "mlp"):
        # They are seldom as sure as a network that was trained for long.
        small_model.write(folder / "models" / name, name, threshold="0.3")
    return folder


@pytest.fixture(scope="session")
def server(
    workspace: Path, clean_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One without ONNX Runtime for browsers: the page has to ask it."""
    cache = str(tmp_path_factory.mktemp("cache"))
    server = Server(workspace, clean_environment | {"DIGITS_CACHE": cache}, *NAMES)
    yield server
    server.end()


@pytest.fixture(scope="session")
def browser_runtime() -> Path:
    """ONNX Runtime for browsers, fetched once."""
    try:
        return runtime.fetch()
    except UserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def exported(
    browser_runtime: Path, workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The page as static files."""
    folder = tmp_path_factory.mktemp("exported") / "page"
    export.export([Recognizer(workspace / "models" / name) for name in ("cnn", "mlp")], folder)
    return folder


@pytest.fixture(scope="session")
def static_url(exported: Path) -> Iterator[str]:
    """Served by a plain web server."""
    handler = partial(QuietHandler, directory=str(exported))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Without a line for each request."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if not browser.CHROMIUM:
        message = (
            "no Chromium for the tests of the page: install it, on Debian `chromium-headless-shell`"
        )
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's camera sees: a 2 and a 5 on paper, as a video of one frame."""
    picture = handwritten("25", size=200)  # its sides are even, as the format wants them
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    width, height = picture.size
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\nFRAME\n".encode())
        file.write(picture.tobytes() + bytes([128]) * (width * height // 2))  # and no colour
    return path


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, camera: Path) -> Iterator[Browser]:
    chromium = playwright.chromium.launch(
        executable_path=browser.CHROMIUM,
        args=[
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ],
    )
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def kept_pages(chromium: Browser) -> dict[str, Page]:
    """Of each kind of window, by its options: one page that stays open.

    A page that is opened beside another of the same site shares its process, which takes a
    quarter of the time of a new window.
    """
    return {}


@pytest.fixture
def open_page(
    chromium: Browser, server: Server, kept_pages: dict[str, Page]
) -> Iterator[Callable[..., Visit]]:
    """Open the page, as it comes when the server has answered; no test may find it complaining."""
    visits = []

    def open_page(**options: Any) -> Visit:
        options = {"viewport": DESK, **options}
        if (kind := str(sorted(options.items()))) not in kept_pages:
            kept_pages[kind] = chromium.new_context(**options).new_page()
            kept_pages[kind].goto(f"{server.url}/health")
        kept_pages[kind].evaluate("localStorage.clear()")
        context = kept_pages[kind].context
        context.clear_cookies()
        context.clear_permissions()
        page = context.new_page()
        visit = Visit(page)
        visits.append(visit)
        page.on("request", lambda request: visit.requests.append(request))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on(
            "console",
            lambda told: told.type == "error" and visit.complaints.append(told.text),
        )
        page.goto(server.url)
        expect(page.locator("#time")).not_to_be_empty()
        return visit

    yield open_page
    for visit in visits:
        visit.page.close()
        assert not visit.complaints
        # Nothing leaves the machine.
        urls = {request.url for request in visit.requests}
        assert {url for url in urls if not url.startswith((server.url, "data:"))} == set()


@pytest.fixture
def visit(open_page: Callable[..., Visit]) -> Visit:
    return open_page()
