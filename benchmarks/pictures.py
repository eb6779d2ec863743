"""The pictures that README and docs show, made anew from the workspace's models and runs.

The page while three digits are read, `digits predict --explain`, and MLflow's comparison of
the newest training of each model.
"""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks import browser, measuring
from benchmarks.load import answers, free_port
from benchmarks.page import serving
from digits.base import files
from digits.serving import runtime

DOCS = Path("docs")
SETTLING = 4000  # milliseconds until a page has drawn all that it loads
COLOURS = 128  # of a picture in git: a screenshot needs no more, and has a third of the bytes


def main() -> None:
    measuring.parser("pictures", __doc__ or "").parse_args()
    if not browser.CHROMIUM:
        sys.exit("Chromium is missing: install it, on Debian `chromium-headless-shell`")
    explained = ["predict", str(DOCS / "handwriting.jpg"), "--explain", str(DOCS / "explain.png")]
    subprocess.run([sys.executable, "-m", "digits.cli", *explained], check=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.CHROMIUM)
        with serving(runtime.fetch().parent) as url:
            photograph_page(chromium, url)
        with mlflow_ui() as url:
            photograph_runs(chromium, url)
        chromium.close()


def photograph_page(chromium: Browser, url: str) -> None:
    """Write three digits on the page, and keep what it shows."""
    page = chromium.new_page(viewport={"width": 1180, "height": 900})
    page.goto(url)
    page.wait_for_timeout(SETTLING)
    browser.write(page, "258", 40, 45, 150, 5)
    expect(page.locator("#result")).to_have_text("2 5 8")
    page.wait_for_timeout(SETTLING)
    _write(DOCS / "page.png", page.screenshot())
    page.close()


def photograph_runs(chromium: Browser, url: str) -> None:
    """Open MLflow's charts of all runs of the models, and keep what they show."""
    page = chromium.new_page(viewport={"width": 1280, "height": 920})
    page.goto(url)
    page.get_by_text("Model training", exact=True).click()
    page.goto(url)
    page.wait_for_timeout(SETTLING)
    if (assistant := page.get_by_role("button", name="Close")).count():
        assistant.first.click()
        page.wait_for_timeout(SETTLING)
    _write(DOCS / "mlflow.png", page.screenshot())
    page.close()


@contextmanager
def mlflow_ui() -> Iterator[str]:
    """Run MLflow's own page on the workspace's store; give the URL of the models' charts."""
    import mlflow

    from digits.tracking import store

    experiment, port = store.connect(store.MODELS), free_port()
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", mlflow.get_tracking_uri()]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=null, stderr=null, env=environment) as process:
        try:
            while not answers(f"http://127.0.0.1:{port}/health"):
                time.sleep(0.2)
            mode = "searchFilter=&compareRunsMode=CHART"
            yield f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs?{mode}"
        finally:
            for each in (*psutil.Process(process.pid).children(recursive=True), process):
                each.terminate()


def _write(path: Path, screenshot: bytes) -> None:
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    with files.replacing(path) as partial:
        picture.quantize(COLOURS).save(partial, "PNG", optimize=True)
    print(path)


if __name__ == "__main__":
    main()
