"""Pens, fingers and palms on the page, over plain http as well."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from benchmarks import browser
from tests.page.visits import PHONE, Server, Visit

HOST = "slate.test"  # as a name in a LAN: no secure context
Touch = dict[str, float]
DRAWN_BEFORE_POINTERMOVE = """() => {
  const canvas = document.querySelector("#paper");
  const pixel = (x, y) => String(canvas.getContext("2d").getImageData(x, y, 1, 1).data);
  window.drawn = [];
  addEventListener("pointermove", ({ clientX, clientY }) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    const [x, y] = [clientX - left, clientY - top].map((each) => (each * canvas.width) / width);
    window.drawn.push(pixel(x, y) !== pixel(1, 1));
  }, true);
}"""


class Hands:
    """Touches and pens, as the browser gets them from the system."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._devtools = visit.page.context.new_cdp_session(visit.page)
        corner = visit.page.locator("#paper").bounding_box()
        assert corner
        self.corner = np.array([corner["x"], corner["y"]])

    def touch(self, kind: str, *points: Touch) -> None:
        self._devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    def at(self, x: float, y: float, identifier: int = 0, radius: float = 5) -> Touch:
        """A touch on the paper, which is `radius` broad."""
        left, top = np.add(self.corner, [x, y]).tolist()
        size = {"radiusX": radius, "radiusY": radius}
        return {"x": left, "y": top, "id": identifier, **size}

    def pen(self, kind: str, x: float, y: float, button: str = "left", buttons: int = 1) -> None:
        left, top = np.add(self.corner, [x, y]).tolist()
        pen = {"pointerType": "pen", "button": button, "buttons": buttons, "force": 0.5}
        event = {"type": kind, "x": left, "y": top, "clickCount": 1, **pen}
        self._devtools.send("Input.dispatchMouseEvent", event)

    def strokes(self) -> int:
        """How many are on the paper."""
        return len(self.kept())

    def kept(self) -> list[Any]:
        read = """Object.keys(sessionStorage).filter(key => key.startsWith("stroke "))
            .map(key => JSON.parse(sessionStorage.getItem(key)))"""
        return self._visit.page.evaluate(read)


@pytest.fixture
def phone(open_page: Callable[..., Visit]) -> Visit:
    return open_page(viewport=PHONE, has_touch=True, is_mobile=True)


class TestPlainHttp:
    def test_the_pen_writes_and_what_is_missing_is_said(
        self, playwright: Any, server: Server
    ) -> None:
        chromium = playwright.chromium.launch(
            executable_path=browser.CHROMIUM, args=[f"--host-resolver-rules=MAP {HOST} 127.0.0.1"]
        )
        page = chromium.new_page()
        visit = Visit(page)
        page.goto(server.url.replace("127.0.0.1", HOST))
        assert not page.evaluate("isSecureContext")
        assert page.evaluate("'getCoalescedEvents' in PointerEvent.prototype") is False
        visit.write("3", size=250)
        visit.expect("3")
        with page.expect_file_chooser():
            page.get_by_role("button", name="Camera").click()
        expect(page.get_by_role("alert")).to_contain_text("over https")
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("alert")).to_be_empty()
        chromium.close()


class TestTouch:
    def test_a_stroke_follows_one_finger(self, phone: Visit) -> None:
        hands = Hands(phone)
        hands.touch("touchStart", hands.at(80, 60))
        for step in range(1, 6):
            hands.touch("touchMove", hands.at(80, 60 + 20 * step))
        # The palm lands beside it.
        palm = hands.at(250, 200, 1, radius=40)
        hands.touch("touchStart", hands.at(80, 160), palm)
        for step in range(6, 10):
            hands.touch("touchMove", hands.at(80, 60 + 20 * step), palm)
        hands.touch("touchEnd")
        (stroke,) = hands.kept()
        assert set(stroke[::3]) == {80 * 8}
        assert stroke[-2] == 240 * 8

    @pytest.mark.parametrize("radius", [40, 5], ids=["broad", "at rest"])
    def test_a_palm_that_came_first_does_not_lock_out_the_finger(
        self, phone: Visit, radius: float
    ) -> None:
        hands = Hands(phone)
        palm = hands.at(250, 200, 0, radius)
        hands.touch("touchStart", palm)
        phone.page.wait_for_timeout(400)
        hands.touch("touchStart", palm, hands.at(80, 60, 1))
        for step in range(1, 6):
            hands.touch("touchMove", palm, hands.at(80, 60 + 20 * step, 1))
        hands.touch("touchEnd", palm)
        hands.touch("touchEnd")
        (stroke,) = hands.kept()
        assert set(stroke[::3]) == {80 * 8}

    def test_a_second_finger_scrolls(self, phone: Visit) -> None:
        hands = Hands(phone)
        hands.touch("touchStart", hands.at(80, 200))
        hands.touch("touchStart", hands.at(80, 200), hands.at(180, 200, 1))
        for step in range(1, 6):
            pair = hands.at(80, 200 - 20 * step), hands.at(180, 200 - 20 * step, 1)
            hands.touch("touchMove", *pair)
        hands.touch("touchEnd")
        assert hands.strokes() == 0
        assert phone.page.evaluate("scrollY") > 50

    def test_beside_a_pen_touch_is_a_palm(self, phone: Visit) -> None:
        hands = Hands(phone)
        hands.pen("mouseMoved", 50, 50, "none", 0)
        hands.touch("touchStart", hands.at(200, 200))
        hands.touch("touchMove", hands.at(220, 220))
        hands.touch("touchEnd")
        assert hands.strokes() == 0

    def test_a_touch_that_came_before_its_pen_is_taken_back(self, phone: Visit) -> None:
        hands = Hands(phone)
        hands.touch("touchStart", hands.at(200, 200))
        hands.pen("mousePressed", 80, 60)
        hands.pen("mouseMoved", 80, 160)
        hands.pen("mouseReleased", 80, 160)
        hands.touch("touchEnd")
        (stroke,) = hands.kept()
        assert set(stroke[::3]) == {80 * 8}

    def test_a_move_is_drawn_before_the_frame_for_which_others_wait(self, visit: Visit) -> None:
        hands = Hands(visit)
        visit.page.evaluate(DRAWN_BEFORE_POINTERMOVE)
        hands.pen("mousePressed", 100, 100)
        for y in (150, 200, 250):
            hands.pen("mouseMoved", 100, y)
        hands.pen("mouseReleased", 100, 250)
        drawn = visit.page.evaluate("window.drawn")
        assert drawn
        assert all(drawn)


class TestTools:
    def test_the_barrel_button_and_the_eraser_erase(self, visit: Visit) -> None:
        hands = Hands(visit)
        for x in (100, 200, 300):
            hands.pen("mousePressed", x, 100)
            hands.pen("mouseMoved", x, 200)
            hands.pen("mouseReleased", x, 200)
        assert hands.strokes() == 3
        hands.pen("mousePressed", 90, 150, "right", 2)
        hands.pen("mouseMoved", 110, 150, "right", 2)
        hands.pen("mouseReleased", 110, 150, "right", 0)
        assert hands.strokes() == 2
        visit.page.get_by_role("button", name="Eraser").click()
        hands.pen("mousePressed", 200, 150)
        hands.pen("mouseReleased", 200, 150)
        assert hands.strokes() == 1
        visit.page.get_by_role("button", name="Undo").click()
        visit.page.get_by_role("button", name="Undo").click()
        assert hands.strokes() == 3
        visit.page.get_by_role("button", name="Redo").click()
        assert hands.strokes() == 2

    def test_redo_brings_back_what_was_undone(self, visit: Visit) -> None:
        visit.write("03")
        visit.expect("0 3")
        visit.page.keyboard.press("Control+z")
        visit.expect("0")
        visit.page.keyboard.press("Control+y")
        visit.expect("0 3")

    def test_a_broader_pen_writes_broader(self, visit: Visit) -> None:
        hands = Hands(visit)
        visit.page.locator("#width").fill("20")
        visit.page.locator("#paper").click()
        (stroke,) = hands.kept()
        assert stroke[2] == 20 * 8

    def test_a_drawing_survives_a_reload(self, visit: Visit) -> None:
        visit.write("35")
        visit.expect("3 5")
        visit.page.reload()
        visit.expect("3 5")

    def test_the_drawing_is_saved_as_a_picture(self, visit: Visit) -> None:
        visit.write("3")
        with visit.page.expect_download() as download:
            visit.page.get_by_role("button", name="Save").click()
        assert download.value.suggested_filename == "digits.png"
        assert download.value.path().read_bytes().startswith(b"\x89PNG")

    def test_the_reading_is_copied_as_text(self, visit: Visit) -> None:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit.write("35")
        visit.expect("3 5")
        visit.page.get_by_role("button", name="Copy").click()
        assert visit.page.evaluate("navigator.clipboard.readText()") == "3 5"


class TestOldBrowsers:
    def test_without_javascript_the_page_says_so(self, chromium: Browser, server: Server) -> None:
        page = chromium.new_context(java_script_enabled=False).new_page()
        page.goto(server.url)
        expect(page.locator("#scriptless")).to_contain_text("needs JavaScript")
        page.context.close()

    @pytest.mark.parametrize(
        ("change", "said"),
        [("?.(", "too old"), (None, "did not arrive")],
        ids=["syntax", "missing"],
    )
    def test_a_browser_that_cannot_start_the_page_says_so(
        self, chromium: Browser, server: Server, change: str | None, said: str
    ) -> None:
        page = chromium.new_context().new_page()
        broken = {"status": 503} if change is None else {"body": change, "status": 200}
        headers = {"content-type": "text/javascript"}
        page.route("**/pens.js", lambda route: route.fulfill(headers=headers, **broken))
        page.goto(server.url)
        expect(page.get_by_role("alert")).to_contain_text(said)
        page.context.close()
