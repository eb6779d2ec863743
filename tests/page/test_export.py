"""The page without a server: exported, installed, used with the network off."""

import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from digits.base.errors import UserError
from digits.recognition.recognizer import Recognizer
from digits.serving import export, runtime
from tests.page.visits import DESK, Visit, encoded, give, handwritten

POINTS_ASKED = """
window.asked = []; // of each question: how many points the drawing has, and whether maps are wanted
const strokes = [];
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (question) {
  if (question.changed) {
    strokes.splice(question.from, Infinity, ...question.changed.map((stroke) => stroke.length));
    const points = strokes.reduce((sum, each) => sum + each, 0);
    window.asked.push([points, question.maps !== undefined]);
  }
  return post.call(this, question);
};"""


def test_it_reads_with_the_network_off(chromium: Browser, static_url: str) -> None:
    page = chromium.new_context(viewport=DESK).new_page()
    page.goto(static_url)
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    page.context.set_offline(True)
    page.reload()
    visit = Visit(page)
    visit.write("205")
    visit.expect("2 0 5")
    expect(page.locator("#layers figure").first).to_be_visible()
    give(page, "drop", encoded(handwritten("3")))
    expect(page.get_by_role("alert")).to_contain_text("need the server")
    page.context.close()


def test_the_layers_wait_for_what_is_written(chromium: Browser, static_url: str) -> None:
    page = chromium.new_context(viewport=DESK).new_page()
    page.add_init_script(POINTS_ASKED)
    page.goto(static_url)
    visit = Visit(page)
    visit.write("35")
    visit.expect("3 5")
    expect(page.locator("#layers figure")).not_to_have_count(0)
    asked = page.evaluate("window.asked")
    with_maps = [index for index, (_, has_maps) in enumerate(asked) if has_maps]
    assert with_maps
    # The question before was about all of it.
    assert all(asked[index][0] == asked[index - 1][0] for index in with_maps)
    page.context.close()


def test_it_may_be_installed(chromium: Browser, static_url: str) -> None:
    page = chromium.new_context().new_page()
    page.goto(static_url)
    page.evaluate("navigator.serviceWorker.ready")
    devtools = page.context.new_cdp_session(page)
    errors = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Playwright's contexts are incognito windows, in which nothing is installed.
    assert [each["errorId"] for each in errors] in ([], ["in-incognito"])
    page.context.close()


def test_the_same_content_is_the_same_version(
    exported: Path, workspace: Path, tmp_path: Path
) -> None:
    recognizers = [Recognizer(workspace / "models" / name) for name in ("cnn", "mlp")]
    first = export.export(recognizers, tmp_path / "page")
    assert export.export(recognizers, tmp_path / "page") == first
    assert export.export(recognizers[:1], tmp_path / "page") != first


def test_a_folder_with_something_else_is_left_alone(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UserError, match="something else"):
        export.export([Recognizer(workspace / "models/cnn")], tmp_path)
    assert (tmp_path / "mine.txt").exists()


def test_another_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITS_CACHE", str(tmp_path))
    (tmp_path / "other.tgz").write_bytes(b"no package")
    with pytest.raises(UserError, match="not onnxruntime-web"):
        runtime.fetch(tmp_path / "other.tgz")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="npm is missing"):
        runtime.fetch()


def test_a_damaged_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITS_CACHE", str(tmp_path))
    script = tmp_path / "script.js"
    script.write_text(" ".join(map(str, range(100_000))))
    package = tmp_path / "whole.tgz"
    with tarfile.open(package, "w:gz") as archive:
        archive.add(script, runtime.FILES[runtime.SCRIPT][0])
    content = package.read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], content[:middle] + b"\xff" * 100 + content[middle + 100 :]):
        package.write_bytes(damaged)
        with pytest.raises(UserError, match=r"^whole.tgz: not onnxruntime-web"):
            runtime.fetch(package)


@pytest.mark.slow
def test_the_served_page_reads_on_the_device(
    chromium: Browser, browser_runtime: Path, workspace: Path, clean_environment: dict[str, str]
) -> None:
    from tests.page.visits import Server

    cache = str(browser_runtime.parent)
    server = Server(workspace, clean_environment | {"DIGITS_CACHE": cache})
    page = chromium.new_context(viewport=DESK).new_page()
    visit = Visit(page)
    with page.expect_response("**/device/mlp-*"):
        page.goto(server.url)
    page.wait_for_timeout(2000)
    page.on("request", lambda request: visit.requests.append(request))
    visit.write("35")
    visit.expect("3 5")
    assert visit.requests == []
    give(page, "drop", encoded(handwritten("25")))
    visit.expect("2 5")
    page.context.close()
    server.end()
