"""How long the page takes from the pen to the answer, in Chromium without a screen.

A mouse writes at the pace of a hand; each of its moves waits until an answer that includes it
is painted. The models are the workspace's; what they read must be what was written.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks import browser, measuring
from digits.serving import runtime

WAYS = {  # text: height of its digits, pixels
    "one digit": [(digit, 250) for digit in "0123456789"],
    "five digits": [("01234", 100), ("56789", 100)],
}
PAUSE = 16  # milliseconds between two moves, as of a mouse or a screen at 60 Hz
WARM_UP = "8"
LOADING = 4000  # milliseconds until a device has the models and has run them once


def main() -> None:
    measuring.parser("page", __doc__ or "").parse_args()
    if not browser.CHROMIUM:
        sys.exit("Chromium is missing: install it, on Debian `chromium-headless-shell`")
    with tempfile.TemporaryDirectory() as empty:
        # Without ONNX Runtime for browsers the page has to ask the server.
        ways = {"the device": runtime.fetch().parent, "the server": Path(empty)}
        rows = [row for reader, cache in ways.items() for row in measure(reader, cache)]
    note = "From a move of the pen to the next paint with an answer that includes it."
    measuring.write("page", pd.DataFrame(rows), note)


def measure(reader: str, cache: Path) -> list[dict[str, Any]]:
    """Measure each way to write, with and without feature maps.

    Args:
        reader: who reads.
        cache: where the server looks for ONNX Runtime for browsers.
    """
    rows = []
    with serving(cache) as url, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.CHROMIUM)
        for way, texts in WAYS.items():
            for with_maps in (True, False):
                several = [waits(chromium, url, *each, with_maps) for each in texts]
                waited = np.concatenate(several)
                rows.append(
                    {
                        "read by": reader,
                        "written": way,
                        "feature maps": "shown" if with_maps else "hidden",
                        "moves": len(waited),
                        "median ms": np.median(waited),
                        "p95 ms": np.percentile(waited, 95),
                        "most ms": waited.max(),
                    }
                )
        chromium.close()
    return rows


@contextmanager
def serving(cache: Path) -> Iterator[str]:
    """Run the server with the workspace's models; give its URL."""
    command = [sys.executable, "-m", "digits.cli", "serve", "--port", "0"]
    environment = os.environ | {"DIGITS_CACHE": str(cache)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, text=True, env=environment) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            if not line:
                sys.exit("the server did not start")
            yield line.split()[-1]
        finally:
            process.terminate()


def waits(chromium: Browser, url: str, text: str, size: float, with_maps: bool) -> list[float]:
    """Return the milliseconds that each move waited.

    Raises:
        SystemExit: the page read something else.
    """
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(url)
    page.wait_for_timeout(LOADING)
    if not with_maps:
        page.locator("summary").click()
    browser.write(page, WARM_UP, 30, 40, size, PAUSE)
    expect(page.locator("#result")).to_have_text(WARM_UP)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#result")).to_be_empty()
    page.evaluate("performance.clearMeasures()")
    browser.write(page, text, 30, 40, size, PAUSE)
    page.wait_for_timeout(1000)
    result = page.locator("#result").inner_text()
    if result.split() != list(text):
        sys.exit(f"the page reads {result!r}, not {text}")
    waited = page.evaluate(
        "performance.getEntriesByName('stroke to answer').map(each => each.duration)"
    )
    page.context.close()
    return waited


if __name__ == "__main__":
    main()
