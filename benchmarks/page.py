"""How long the page takes from the pen to the answer, in Chromium without a screen.

A mouse writes at the pace of a hand; each of its moves waits until an answer that includes it
is painted. The models are the workspace's; what they read must be what was written.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks import browser, measuring

WAYS = {  # text: height of its digits, pixels
    "one digit": [(digit, 250) for digit in "0123456789"],
    "five digits": [("01234", 100), ("56789", 100)],
}
PAUSE = 16  # milliseconds between two moves, as of a mouse or a screen at 60 Hz
WARM_UP = "8"


def main() -> None:
    measuring.parser("page", __doc__ or "").parse_args()
    if not browser.CHROMIUM:
        sys.exit("Chromium is missing: install it, on Debian `chromium`")
    rows = []
    with serving() as url, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.CHROMIUM)
        for way, texts in WAYS.items():
            for with_maps in (True, False):
                waited = np.array(
                    [
                        ms
                        for text, size in texts
                        for ms in waits(chromium, url, text, size, with_maps)
                    ]
                )
                rows.append(
                    {
                        "written": way,
                        "feature maps": "shown" if with_maps else "hidden",
                        "moves": len(waited),
                        "median ms": np.median(waited),
                        "p95 ms": np.percentile(waited, 95),
                        "most ms": waited.max(),
                    }
                )
        chromium.close()
    note = "From a move of the pen to the next paint with an answer that includes it."
    measuring.write("page", pd.DataFrame(rows), note)


@contextmanager
def serving() -> Iterator[str]:
    """The server with the workspace's models: its URL."""
    command = [sys.executable, "-m", "digits.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            if not line:
                sys.exit("the server did not start")
            yield line.split()[-1]
        finally:
            process.terminate()


def waits(chromium: Browser, url: str, text: str, size: float, with_maps: bool) -> list[float]:
    """Milliseconds that each move waited.

    Raises:
        SystemExit: the page read something else.
    """
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(url)
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
