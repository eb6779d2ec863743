"""The page of a server that collects: it says so, can be told not to, and takes corrections."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks import browser
from digits.collection import records
from tests.page.visits import DESK, POINTS, Server, Visit, violations
from tests.small_project import wait_for

pytestmark = pytest.mark.slow  # tests/digits/serving/test_collecting.py asks the same routes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("collected")


@pytest.fixture(scope="module")
def collecting(
    workspace: Path,
    clean_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    folder: Path,
) -> Iterator[Server]:
    cache = str(tmp_path_factory.mktemp("cache"))
    server = Server(
        workspace, clean_environment | {"DIGITS_CACHE": cache}, "--collect", str(folder)
    )
    yield server
    server.end()


@pytest.fixture
def page(chromium: Browser, collecting: Server) -> Iterator[Page]:
    page = chromium.new_context(viewport=DESK).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda told: told.type == "error" and complaints.append(told.text))
    page.goto(collecting.url)
    expect(page.locator("#collection")).to_be_visible()
    yield page
    page.context.close()
    assert not complaints


def kept(folder: Path, session: str, count: int = 0) -> list[records.Record]:
    """What is kept of a session, once it has so many digits: they are written in a moment."""

    def found() -> list[records.Record]:
        with records.opened(folder) as connection:
            return [each for each in records.select(connection) if each.session == session]

    wait_for(lambda: len(found()) >= count)
    return found()


def write(page: Page, text: str) -> str:
    """Write digits: the name of the visit, once the server has kept them."""
    with page.expect_response(lambda answer: "session=" in answer.url):
        Visit(page).write(text)
    return page.locator("#visit").inner_text()


def test_the_page_says_what_is_kept(page: Page) -> None:
    text = page.locator("#collection").inner_text()
    assert "The server keeps the digits, for 90 days" in text
    assert violations(page) == []


def test_a_digit_is_corrected_by_two_taps(page: Page, folder: Path) -> None:
    session = write(page, "203")
    expect(page.locator("#keypad")).to_be_hidden()
    page.locator("#digits button").nth(1).click()
    page.locator("#classes button", has_text="6").click()
    expect(page.locator("#result")).to_have_text("2 6 3", use_inner_text=True)
    expect(page.locator("#digits button").nth(1)).to_contain_text("you: 6")
    assert violations(page) == []
    states = sorted((each.digit, each.state, each.label) for each in kept(folder, session, 3))
    assert states == [("0", "corrected", "6"), ("2", "open", None), ("3", "open", None)]
    # It is another digit's turn when that is chosen; what was said stays.
    page.locator("#digits button").nth(0).click()
    expect(page.locator("#classes [aria-pressed=true]")).to_have_count(0)
    page.locator("#digits button").nth(1).click()
    expect(page.locator("#classes [aria-pressed=true]")).to_have_text("6")
    page.locator("#takeback").click()
    expect(page.locator("#result")).to_have_text("2 0 3", use_inner_text=True)
    assert {each.state for each in kept(folder, session)} == {"open"}


def test_a_digit_is_corrected_by_the_keyboard(page: Page, folder: Path) -> None:
    session = write(page, "25")
    page.locator("#digits button").nth(0).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#keypad")).to_be_visible()
    page.keyboard.press("7")
    expect(page.locator("#result")).to_have_text("7 5", use_inner_text=True)
    page.keyboard.press("Backspace")
    expect(page.locator("#result")).to_have_text("2 5", use_inner_text=True)
    page.keyboard.press("n")
    expect(page.locator("#result")).to_have_text("5", use_inner_text=True)
    assert {each.digit: each.state for each in kept(folder, session)} == {
        "2": "no digit",
        "5": "open",
    }


def test_a_correction_stays_while_more_is_written(page: Page, folder: Path) -> None:
    session = write(page, "2")
    page.locator("#digits button").nth(0).click()
    page.locator("#classes button", has_text="4").click()
    expect(page.locator("#result")).to_have_text("4", use_inner_text=True)
    with page.expect_response(lambda answer: "session=" in answer.url):
        browser.write(page, "3", 145, 40, 100, points=POINTS)
    expect(page.locator("#result")).to_have_text("4 3", use_inner_text=True)
    assert {each.digit: each.state for each in kept(folder, session, 2)} == {
        "2": "corrected",
        "3": "open",
    }


def test_whoever_switches_it_off_is_not_kept(page: Page, folder: Path) -> None:
    page.locator("#keep").uncheck()
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    Visit(page).write("203")
    expect(page.locator("#result")).to_have_text("2 0 3", use_inner_text=True)
    page.wait_for_timeout(2500)  # longer than until a drawing counts as finished
    page.locator("#digits button").nth(1).click()
    expect(page.locator("#keypad")).to_be_hidden()
    assert all("collect=false" in url for url in urls if "strokes?" in url)
    assert kept(folder, page.locator("#visit").inner_text()) == []
    page.reload()
    expect(page.locator("#keep")).not_to_be_checked()


def test_a_server_that_keeps_nothing_says_nothing(open_page: Callable[..., Visit]) -> None:
    visit = open_page()
    visit.write("203")
    visit.expect("2 0 3")
    expect(visit.page.locator("#collection")).to_be_hidden()
    visit.page.locator("#digits button").nth(1).click()
    expect(visit.page.locator("#keypad")).to_be_hidden()


def test_the_review_takes_one_key_for_each(
    page: Page, chromium: Browser, collecting: Server, folder: Path
) -> None:
    session = write(page, "2035")
    page.locator("#digits button").nth(3).click()
    page.locator("#classes button", has_text="8").click()
    expect(page.locator("#result")).to_have_text("2 0 3 8", use_inner_text=True)
    review = chromium.new_context(viewport=DESK).new_page()
    review.goto(f"{collecting.url}/review")
    review.locator("#reviewer").fill("anna")
    review.keyboard.press("Enter")
    expect(review.locator("#said")).to_contain_text("Read as")
    assert violations(review) == []
    seen = 0
    while not review.locator("#crop").is_hidden():
        seen += 1
        left = review.locator("#left").inner_text()
        others = review.locator("#others").inner_text()
        review.keyboard.press("5" if others == "Others say: writer: 8" else "Enter")
        expect(review.locator("#left")).not_to_have_text(left)
        if seen == 1:  # take it back, and say it again
            review.keyboard.press("Backspace")
            expect(review.locator("#left")).to_have_text(left)
            review.keyboard.press("5" if others == "Others say: writer: 8" else "Enter")
            expect(review.locator("#left")).not_to_have_text(left)
    assert seen >= 4
    states = {each.digit: each.state for each in kept(folder, session)}
    assert states == {"2": "confirmed", "0": "confirmed", "3": "confirmed", "5": "disputed"}
    review.context.close()


def test_what_comes_after_a_hundred_skipped_digits_is_reviewed(
    chromium: Browser, collecting: Server, folder: Path
) -> None:
    with records.opened(folder) as connection:
        crop = bytes(records.SIDE**2)
        rest = ("many", 1.0, crop, "1", 0.1, 1, 1, '{"cnn": {"digit": "1"}}', "cnn", None, "", None)
        records.insert(connection, [(f"{n:024x}", *rest) for n in range(120)])
        connection.commit()
        total = len(records.to_review(connection, "bob", 1000))
    review = chromium.new_context(viewport=DESK).new_page()
    review.goto(f"{collecting.url}/review")
    review.locator("#reviewer").fill("bob")
    review.keyboard.press("Enter")
    expect(review.locator("#left")).to_have_text("100 to look at")
    for number in range(1, 101):
        review.keyboard.press(" ")
        left = 100 - number or total - 100
        expect(review.locator("#left")).to_have_text(f"{left} to look at")
    for _ in range(total - 100):
        review.keyboard.press(" ")
    expect(review.locator("#left")).to_have_text("Nothing is left to look at.")
    review.context.close()
