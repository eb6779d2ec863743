"""The page as it is used: drawing, answers, pictures, trouble, accessibility, keyboard."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from benchmarks import browser
from tests.page.visits import (
    DESK,
    PEN,
    PHONE,
    READ,
    READINGS,
    Server,
    Visit,
    cells,
    encoded,
    fulfil,
    give,
    grey,
    handwritten,
    violations,
)


class TestDrawing:
    @pytest.mark.slow  # the next test reads the same digits, several at a time
    @pytest.mark.parametrize("digit", READ)
    def test_a_digit_is_read(self, visit: Visit, digit: str) -> None:
        visit.write(digit, size=250)
        visit.expect(digit)

    def test_many_are_read_row_by_row(self, visit: Visit) -> None:
        visit.write("205")
        visit.write("83", top=260)
        visit.expect("2 0 5\n8 3")

    def test_the_answer_comes_while_the_pen_is_down(
        self, visit: Visit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(visit.page.mouse, "up", lambda: visit.expect("3"))
        visit.write("3")

    def test_boxes_are_around_the_strokes(self, visit: Visit) -> None:
        visit.write("03")
        visit.expect("0 3")
        visit.settle()  # the same is read before the last stroke is whole
        paper = visit.page.locator("#paper").bounding_box()
        assert paper
        for index, box in enumerate(visit.page.locator("#boxes div").all()):
            stroke = np.concatenate(browser.curves("03"[index]))
            origin = np.array([paper["x"] + 30 + 115 * index, paper["y"] + 40])
            ends = [stroke.min(axis=0) * 100 - PEN / 2, stroke.max(axis=0) * 100 + PEN / 2]
            found = box.bounding_box()
            assert found
            corners = [(found["x"], found["y"])]
            corners += [(found["x"] + found["width"], found["y"] + found["height"])]
            assert np.abs(np.array(corners) - origin - ends).max() < 4

    def test_a_dot_is_ink(self, visit: Visit) -> None:
        visit.page.locator("#paper").click()
        (stroke,) = visit.sent_strokes()
        assert stroke.shape == (1, 3)

    def test_a_scribble_is_no_digit(self, visit: Visit) -> None:
        visit.page.mouse.move(100, 200)
        visit.page.mouse.down()
        visit.page.mouse.move(600, 204)  # a line
        visit.page.mouse.up()
        visit.expect("no digit found")

    def test_one_request_at_a_time_and_the_last_for_all_that_was_written(
        self, visit: Visit
    ) -> None:
        waiting, most = 0, 0

        def count(change: int) -> None:
            nonlocal waiting, most
            waiting += change
            most = max(most, waiting)

        visit.settle()  # nothing is on its way
        visit.page.on("request", lambda _: count(1))
        visit.page.on("requestfinished", lambda _: count(-1))
        visit.write("2058")
        visit.expect("2 0 5 8")
        assert most == 1

    def test_undo_and_clear(self, visit: Visit) -> None:
        undo, clear = (visit.page.get_by_role("button", name=name) for name in ("Undo", "Clear"))
        expect(undo).to_be_disabled()
        expect(clear).to_be_disabled()
        visit.write("03")
        visit.expect("0 3")
        undo.click()
        visit.expect("0")
        clear.click()
        visit.expect("")
        expect(visit.page.locator("#boxes div")).to_have_count(0)
        expect(clear).to_be_disabled()
        visit.page.keyboard.press("Control+z")
        visit.expect("0")

    def test_undo_while_the_pen_is_down_takes_its_stroke(self, visit: Visit) -> None:
        visit.write("3")
        mouse = visit.page.mouse
        mouse.move(400, 200)
        mouse.down()
        mouse.move(500, 300)
        visit.page.keyboard.press("Control+z")
        mouse.move(600, 200)
        mouse.up()
        visit.expect("3")
        assert visit.page.locator("#boxes div").count() == 1

    def test_the_time_from_the_stroke_to_the_answer_is_measured(
        self, visit: Visit, record_property: Callable[[str, object], None]
    ) -> None:
        browser.write(visit.page, "8", 30, 40, 100)  # by as many moves as a hand makes
        visit.expect("8")
        visit.settle()
        waited = visit.page.evaluate(
            "performance.getEntriesByName('stroke to answer').map(each => each.duration)"
        )
        assert len(waited) >= 20
        assert 0 < np.median(waited) < 10_000
        record_property("stroke to answer, median ms", round(float(np.median(waited)), 1))


class TestPointers:
    def test_a_finger_writes_and_does_not_scroll(self, open_page: Callable[..., Visit]) -> None:
        visit = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
        devtools = visit.page.context.new_cdp_session(visit.page)
        corner = visit.page.locator("#paper").bounding_box()
        assert corner
        points = np.array([corner["x"] + 100, corner["y"] + 60]) + 200 * browser.curves("3")[0]
        for index, (x, y) in enumerate(points):
            kind = "touchMove" if index else "touchStart"
            touch = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            devtools.send("Input.dispatchTouchEvent", touch)
        devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        visit.expect("3")
        # Else it would have written elsewhere.
        assert visit.page.evaluate("scrollY") == 0
        assert visit.page.locator("#paper").bounding_box() == corner

    def test_a_pen_writes_by_its_pressure(self, visit: Visit) -> None:
        devtools = visit.page.context.new_cdp_session(visit.page)
        widths = []
        for top, force in ((100, 0.1), (300, 0.9)):
            pen = {"button": "left", "buttons": 1, "pointerType": "pen", "force": force}
            for kind, x in (("mousePressed", 200), ("mouseMoved", 300), ("mouseReleased", 300)):
                event = {"type": kind, "x": x, "y": top, "clickCount": 1, **pen}
                devtools.send("Input.dispatchMouseEvent", event)
            widths.append(visit.sent_strokes()[-1][0, 2])
        assert widths[1] > 1.5 * widths[0]


class TestAnswer:
    def test_the_page_shows_what_the_server_says(self, visit: Visit) -> None:
        visit.write("58")
        visit.expect("5 8")
        reading, page = visit.settle(), visit.page
        *_, last = reading["digits"]
        models = ["cnn", "mlp"]
        assert list(last["answers"]) == models
        table = [["class", *models]] + [
            [name, *(f"{100 * last['answers'][m]['probabilities'][i]:.1f}" for m in models)]
            for i, name in enumerate(reading["classes"])
        ]
        assert cells(page) == table
        assert (grey(page, "#seen").tobytes()) == base64.b64decode(last["crop"])
        shown = page.locator("#digits button").all_inner_texts()
        for digit, text in zip(reading["digits"], shown, strict=True):
            for model, answer in digit["answers"].items():
                assert f"{model} {answer['digit']}, {100 * answer['confidence']:.0f} %" in text
        assert page.locator("#boxes div").evaluate_all(
            "several => several.map(box => box.dataset.digit)"
        ) == ["5", "8"]

    def test_a_digit_is_chosen_by_the_pen_and_from_the_list(self, visit: Visit) -> None:
        visit.write("58")
        visit.expect("5 8")
        buttons = visit.page.locator("#digits button")
        expect(buttons.nth(1)).to_have_attribute("aria-pressed", "true")
        buttons.nth(0).click()
        expect(buttons.nth(0)).to_have_attribute("aria-pressed", "true")
        expect(buttons.nth(1)).to_have_attribute("aria-pressed", "false")
        reading = visit.settle()
        assert reading["maps"]["digit"] == 0
        crop = base64.b64decode(reading["digits"][0]["crop"])
        assert grey(visit.page, "#seen").tobytes() == crop

    def test_the_layers_maps_are_those_of_the_digit_chosen(self, visit: Visit) -> None:
        visit.write("5")
        visit.expect("5")
        layers = visit.settle()["maps"]["layers"]
        captions = visit.page.locator("#layers figcaption").all_inner_texts()
        assert captions == [
            "convolution 1\n8 maps of 28 x 28",
            "max pooling 1\n8 maps of 14 x 14",
        ]
        convolution = np.frombuffer(base64.b64decode(layers[0]["pixels"]), np.uint8)
        first = convolution[: 28 * 28].reshape(28, 28)
        red = grey(visit.page, "#layers canvas >> nth=0")[:28, :28]
        strong = np.abs(first.astype(int) - 128) > 40
        assert strong.any()
        np.testing.assert_array_equal((red < 140)[strong], (first > 128)[strong])

    def test_maps_nobody_looks_at_are_not_asked_for(self, visit: Visit) -> None:
        visit.page.locator("summary").click()
        visit.write("5")
        visit.expect("5")
        assert "maps" not in visit.settle()
        assert not any("maps=" in request.url for request in visit.requests)
        visit.page.locator("summary").click()
        expect(visit.page.locator("#layers figure")).to_have_count(2)

    def test_what_the_model_refuses_is_a_question_mark(self, visit: Visit) -> None:
        def refuse(route: Any) -> None:
            reading = route.fetch().json()
            for digit in reading["digits"]:
                digit["answers"]["cnn"] |= {"digit": "?", "refused": True}
            route.fulfill(json=reading)

        visit.page.route("**/strokes?*", refuse)
        visit.write("5")
        visit.expect("?")
        visit.settle()


class TestPictures:
    def test_a_file_is_chosen(self, visit: Visit) -> None:
        with visit.page.expect_file_chooser() as chooser:
            visit.page.get_by_role("button", name="Picture").click()
        picture = encoded(handwritten("2058"))
        chooser.value.set_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
        visit.expect("2 0 5 8")

    @pytest.mark.parametrize("event", ["drop", pytest.param("paste", marks=pytest.mark.slow)])
    def test_a_picture_is_dropped_or_pasted(self, visit: Visit, event: str) -> None:
        give(visit.page, event, encoded(handwritten("305")))
        visit.expect("3 0 5")

    def test_a_photo_is_turned_as_it_was_taken(self, visit: Visit) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise
        turned = handwritten("35").transpose(Image.Transpose.ROTATE_90)
        give(visit.page, "drop", encoded(turned, "JPEG", exif=exif))
        visit.expect("3 5")

    def test_what_is_transparent_is_paper(self, visit: Visit) -> None:
        ink = Image.new("RGBA", handwritten("35").size, "black")
        ink.putalpha(handwritten("35").point(lambda value: 255 - value))
        give(visit.page, "drop", encoded(ink))
        visit.expect("3 5")

    def test_a_large_one_is_made_smaller(self, visit: Visit) -> None:
        give(visit.page, "drop", encoded(handwritten("205", size=1000)))
        visit.expect("2 0 5")
        assert max(visit.sent().shape) == 1600

    def test_the_pen_writes_on_it_and_undo_takes_it_away(self, visit: Visit) -> None:
        visit.write("2")
        visit.expect("2")
        give(visit.page, "drop", encoded(handwritten("30", height=3)))
        visit.expect("3 0")
        visit.write("8", size=120, top=250)
        visit.expect("3 0\n8")
        for result in ("3 0", "2", ""):
            visit.page.keyboard.press("Control+z")
            visit.expect(result)

    def test_what_is_no_picture_is_refused(self, visit: Visit) -> None:
        give(visit.page, "drop", b"no picture")
        expect(visit.page.get_by_role("alert")).to_contain_text("not a picture")

    def test_the_camera_takes_one(self, visit: Visit) -> None:
        visit.page.get_by_role("button", name="Camera").click()
        video = visit.page.locator("video")
        expect(video).to_be_visible()
        expect(video).to_have_js_property("readyState", 4)
        visit.page.get_by_role("button", name="Take the picture").click()
        visit.expect("2 5")
        assert video.evaluate("video => video.srcObject") is None

    def test_without_a_camera_it_says_so(self, open_page: Callable[..., Visit]) -> None:
        visit = open_page()
        visit.page.evaluate(
            """() => {
              const none = () => Promise.reject(new Error("none here"));
              navigator.mediaDevices.getUserMedia = none;
            }"""
        )
        visit.page.get_by_role("button", name="Camera").click()
        expect(visit.page.get_by_role("alert")).to_contain_text("none here")


class TestTrouble:
    @pytest.mark.slow
    def test_a_server_that_is_gone_and_comes_back(
        self,
        chromium: Browser,
        workspace: Path,
        clean_environment: dict[str, str],
        tmp_path: Path,
    ) -> None:
        server = Server(workspace, clean_environment | {"DIGITS_CACHE": str(tmp_path)})
        page = chromium.new_context(viewport=DESK).new_page()
        visit = Visit(page)
        alert = page.get_by_role("alert")
        page.goto(server.url)
        visit.write("5")
        visit.expect("5")
        server.end()
        visit.write("2", top=250)
        expect(alert).to_have_text(
            "The server does not answer. It will be asked again every second."
        )
        visit.expect("5")  # what was read stays
        server.start()
        visit.expect("5\n2")
        expect(alert).to_be_empty()
        server.end()
        page.context.close()

    def test_a_busy_server_is_asked_again(self, visit: Visit) -> None:
        fulfil(visit.page, 429, "64 requests wait already", times=1)
        visit.write("0")  # a broken one, if the message moved the paper
        visit.expect("0")
        expect(visit.page.get_by_role("alert")).to_be_empty()
        assert "429" in visit.complaints.pop()  # the browser's own

    def test_what_the_server_refuses_is_said(self, visit: Visit) -> None:
        fulfil(visit.page, 413, "a body of 9 bytes: at most 8")
        visit.page.locator("#paper").click(position={"x": 600, "y": 400})
        alert = visit.page.get_by_role("alert")
        expect(alert).to_have_text("The server says: a body of 9 bytes: at most 8")
        visit.page.unroute(READINGS)  # a slow machine asks twice of one click
        visit.write("5")
        visit.expect("5")
        expect(alert).to_be_empty()
        visit.complaints.clear()


class TestAccessibility:
    @pytest.mark.parametrize(
        ("viewport", "scheme"),
        [
            (DESK, "light"),
            pytest.param(PHONE, "dark", marks=pytest.mark.slow),
            pytest.param(DESK, "dark", marks=pytest.mark.slow),
            pytest.param(PHONE, "light", marks=pytest.mark.slow),
        ],
    )
    def test_axe_finds_nothing(
        self, open_page: Callable[..., Visit], viewport: dict, scheme: str
    ) -> None:
        visit = open_page(viewport=viewport, color_scheme=scheme)
        assert violations(visit.page) == []
        visit.write("25", size=80)
        visit.expect("2 5")
        visit.settle()
        assert violations(visit.page) == []

    @pytest.mark.parametrize(
        "viewport",
        [pytest.param(DESK, id="desk", marks=pytest.mark.slow), pytest.param(PHONE, id="phone")],
    )
    def test_nothing_is_wider_than_the_screen(
        self, open_page: Callable[..., Visit], viewport: dict
    ) -> None:
        visit = open_page(viewport=viewport)
        visit.write("25", size=80)
        visit.expect("2 5")
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"]


class TestKeyboard:
    def test_everything_but_the_pen_is_reached_in_order(self, visit: Visit) -> None:
        give(visit.page, "paste", encoded(handwritten("25")))
        visit.expect("2 5")
        names = []
        for _ in range(10):
            visit.page.keyboard.press("Tab")
            names.append(visit.page.evaluate("document.activeElement.innerText").split(",")[0])
        assert names == [
            *("Undo", "Eraser", "Clear", "", "Picture…", "Camera…", "Save PNG", "Copy"),
            *("cnn 2", "cnn 5"),
        ]
        visit.page.keyboard.press("Enter")
        chosen = visit.page.locator("#digits button[aria-pressed=true]")
        expect(chosen).to_contain_text("cnn 5")

    def test_the_camera_is_left_by_escape(self, visit: Visit) -> None:
        button = visit.page.get_by_role("button", name="Camera")
        button.press("Enter")
        expect(visit.page.get_by_role("dialog")).to_be_visible()
        assert violations(visit.page) == []
        visit.page.keyboard.press("Escape")
        expect(visit.page.locator("dialog")).to_be_hidden()
        expect(button).to_be_focused()
        visit.expect("")
