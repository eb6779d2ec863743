"""Visits to the page: a server of its own, a page that was opened, and what it did."""

import io
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw
from playwright.sync_api import Page, Request, expect

from benchmarks import browser
from digits.serving.strokes import parse_strokes

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
READ = "02358"  # what both small networks read well
PEN = 10  # pixels
POINTS = 10  # of a stroke: the browser takes 20 ms for each, and more only make it smoother
NAMES = ("--allowed-host", "slate.test")  # what a browser may call the server besides localhost

expect.set_options(timeout=15_000)  # a machine that does other work as well is slow


class Server:
    """`digits serve` in a workspace with two models, to be ended and started again."""

    def __init__(self, workspace: Path, environment: dict[str, str], *options: str) -> None:
        self._workspace, self._environment = workspace, environment
        self._options = options
        self._port = "0"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "digits.cli", "serve", "--port", self._port, *self._options],
            cwd=self._workspace,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().split()[-1]
        self._port = self.url.rpartition(":")[2]

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=60)


@dataclass
class Visit:
    """A page opened, and all that it asked for and complained of."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def write(self, text: str, size: float = 100, top: float = 40) -> None:
        """Write digits side by side, `size` pixels high."""
        browser.write(self.page, text, 30, top, size, points=POINTS)

    def expect(self, result: str) -> None:
        """Wait until so much is read."""
        expect(self.page.locator("#result")).to_have_text(result, use_inner_text=True)

    def settle(self) -> dict[str, Any]:
        """The server's answer to what is on the paper now."""
        seen = -1
        while seen < len(self.requests):  # the next may be sent once the last is answered
            seen = len(self.requests)
            self.page.wait_for_timeout(300)  # longer than the pause between two requests
            response = self.requests[-1].response()
        assert response
        self.page.wait_for_timeout(100)  # it is shown
        return response.json()

    def sent(self) -> np.ndarray:
        """The picture to be read that was sent last, `uint8 (height, width)`."""
        self.settle()
        request = self.requests[-1]
        query = parse_qs(urlsplit(request.url).query)
        assert request.post_data_buffer
        pixels = np.frombuffer(request.post_data_buffer, np.uint8)
        return pixels.reshape(int(query["height"][0]), int(query["width"][0]))

    def sent_strokes(self) -> list[np.ndarray]:
        """The strokes that were sent last."""
        self.settle()
        assert self.requests[-1].post_data_buffer is not None
        return parse_strokes(self.requests[-1].post_data_buffer)


def handwritten(text: str, size: int = 100, height: float = 1.6) -> Image.Image:
    """Digits side by side at the top of white paper, all in pixels but its height, in digits."""
    shape = size * (1.15 * len(text) + 0.6), size * height
    picture = Image.new("L", (round(shape[0]), round(shape[1])), "white")
    pen = ImageDraw.Draw(picture)
    for index, digit in enumerate(text):
        origin = size * np.array([0.3 + 1.15 * index, 0.3])
        for curve in browser.curves(digit):
            points = [tuple(point) for point in origin + size * curve]
            pen.line(points, "black", size // 10, joint="curve")
    return picture


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def cells(page: Page) -> list[list[str]]:
    """The table of the probabilities, its head first."""
    return [row.locator("th, td").all_inner_texts() for row in page.locator("tr").all()]


def grey(page: Page, canvas: str) -> np.ndarray:
    """The red of a canvas' pixels, `uint8 (height, width)`."""
    read = """canvas => {
      const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return [image.height, image.width, Array.from(image.data.filter((_, i) => i % 4 === 0))];
    }"""
    height, width, values = page.locator(canvas).evaluate(read)
    return np.array(values, np.uint8).reshape(height, width)


def give(page: Page, event: str, content: bytes) -> None:
    """Drop or paste a file, as the browser tells a page of it."""
    page.evaluate(
        """([event, content]) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(content)], "a file"));
          const told = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(
            event === "drop"
              ? new DragEvent("drop", { ...told, dataTransfer: data })
              : new ClipboardEvent("paste", { ...told, clipboardData: data }),
          );
        }""",
        [event, list(content)],
    )


READINGS = "**/strokes?*"  # the URLs of requests to read


def fulfil(page: Page, status: int, detail: str, times: int | None = None) -> None:
    """Answer requests to read with an error, so many times or until they are no longer routed."""
    answer = {"status": status, "json": {"detail": detail}}
    page.route(READINGS, lambda route: route.fulfill(**answer), times=times)


def violations(page: Page) -> list[str]:
    """What axe-core finds against the rules of accessibility."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
