"""The page on slow networks, on e-paper, and with very many strokes."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.page.visits import Visit

SLATE, READER = {"width": 1404, "height": 1872}, {"width": 600, "height": 800}
BITS = 20_000  # a second
MANY = """async (count) => {
  const canvas = document.querySelector("#paper");
  const { left, top } = canvas.getBoundingClientRect();
  const MOVE = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove"; // as in pens.js
  const times = [];
  const point = (type, x, y) =>
    canvas.dispatchEvent(
      new PointerEvent(type, {
        pointerId: 7, pointerType: "mouse", button: 0, buttons: 1, bubbles: true,
        clientX: left + x, clientY: top + y,
      }),
    );
  canvas.setPointerCapture = () => {};
  for (let i = 0; i < count; i += 1) {
    const [x, y] = [10 + 12 * (i % 50), 10 + 20 * Math.floor(i / 50)];
    const start = performance.now();
    point("pointerdown", x, y);
    for (let step = 1; step < 6; step += 1) point(MOVE, x, y + 2 * step);
    point("pointerup", x, y + 10);
    times.push(performance.now() - start);
    if (i % 10 === 9) await new Promise((resolve) => setTimeout(resolve));
  }
  return times;
}"""


def test_a_digit_travels_in_5_kilobytes(visit: Visit) -> None:
    visit.page.locator("summary").click()  # the feature maps are no digit
    visit.write("8", size=300)
    visit.expect("8")
    visit.settle()
    sizes = visit.requests[-1].sizes()
    assert sum(sizes.values()) <= 5000


@pytest.mark.slow
def test_on_a_slow_network_the_page_says_that_it_waits(visit: Visit) -> None:
    visit.page.locator("summary").click()
    devtools = visit.page.context.new_cdp_session(visit.page)
    devtools.send("Network.enable")
    speed = {"downloadThroughput": BITS / 8, "uploadThroughput": BITS / 8}
    devtools.send("Network.emulateNetworkConditions", {"offline": False, "latency": 800, **speed})
    visit.write("3")
    expect(visit.page.locator("#time")).to_contain_text("waiting for the server")
    visit.expect("3")
    expect(visit.page.get_by_role("alert")).to_be_empty()


def test_no_answer_to_an_older_drawing_is_shown(visit: Visit) -> None:
    visit.write("3")
    visit.expect("3")
    visit.settle()
    held: list[Any] = []
    visit.page.route("**/strokes?*", lambda route: held.append(route), times=1)
    visit.write("5", top=250)
    visit.page.wait_for_timeout(300)
    visit.page.get_by_role("button", name="Clear").click()
    visit.expect("")
    seen = """() => {
      window.seen = [];
      const look = () => window.seen.push(document.querySelector("#result").textContent);
      new MutationObserver(look).observe(document.querySelector("#result"), { childList: true });
    }"""
    visit.page.evaluate(seen)
    held[0].continue_()
    visit.settle()
    assert visit.page.evaluate("window.seen") == []


@pytest.mark.parametrize(
    "viewport",
    [pytest.param(SLATE, id="slate", marks=pytest.mark.slow), pytest.param(READER, id="reader")],
)
def test_on_e_paper_the_paper_takes_most_of_the_screen(
    open_page: Callable[..., Visit], viewport: dict[str, int]
) -> None:
    visit = open_page(viewport=viewport)
    paper = visit.page.locator("#paper").bounding_box()
    assert paper
    share = paper["width"] * paper["height"] / (viewport["width"] * viewport["height"])
    assert share > 0.5
    answer = visit.page.locator("#result").bounding_box()
    assert answer
    assert answer["y"] + answer["height"] <= viewport["height"]


def test_where_nothing_may_move_nothing_changes_while_the_pen_is_down(
    open_page: Callable[..., Visit],
) -> None:
    visit = open_page(reduced_motion="reduce")
    visit.page.wait_for_timeout(300)
    mouse = visit.page.mouse
    mouse.move(200, 200)
    mouse.down()
    mouse.move(200, 220)  # the first stroke takes the hint away
    watch = """() => {
      window.changes = 0;
      const count = (several) => (window.changes += several.length);
      const all = { subtree: true, childList: true, attributes: true, characterData: true };
      new MutationObserver(count).observe(document.body, all);
    }"""
    visit.page.evaluate(watch)
    for step in range(10):
        mouse.move(200, 240 + 10 * step)
    visit.page.wait_for_timeout(300)
    assert visit.page.evaluate("window.changes") == 0
    mouse.up()
    assert len(visit.settle()["digits"]) == 1


@pytest.mark.slow
def test_the_thousandth_stroke_costs_no_more_than_the_first_ones(visit: Visit) -> None:
    visit.page.locator("summary").click()
    times = visit.page.evaluate(MANY, 1000)
    first, last = (sorted(part)[len(part) // 2] for part in (times[:50], times[-50:]))
    print(f"median of a stroke: {first:.2f} ms first, {last:.2f} ms last")
    assert last < 3 * first + 1
    visit.complaints.clear()
