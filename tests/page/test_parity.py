"""What the browser makes of strokes is what Python makes of them."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from digits.recognition import drawing
from digits.recognition.recognizer import Recognizer
from tests.page.drawn import numbers

NEAR = 2  # grey levels
READ = """async ([folder, numbers]) => {
  const at = (file) => new URL(`${folder}/${file}`, location.href).href;
  const [{ group }, { crop, ink }, { Models }] = await Promise.all(
    ["grouping.js", "ink.js", "models.js"].map((file) => import(at(file))),
  );
  const description = await (await fetch("device.json")).json();
  const models = new Models({ ...description, base: location.href });
  await models.open();
  const found = [];
  for (const strokes of numbers) {
    const groups = await group(
      strokes.map((numbers) => ink(numbers.map((number) => number / 8))),
      (images) => models.predict(images),
    );
    const crops = groups.map(({ strokes }) => crop(strokes));
    const answers = await models.answers(crops);
    found.push(
      groups.map(({ row }, index) => ({
        row,
        crop: btoa(String.fromCharCode(...crops[index])),
        probabilities: Object.values(answers[index]).map((each) => each.probabilities),
        refused: Object.values(answers[index]).map((each) => each.refused),
      })),
    );
  }
  return found;
}"""


@pytest.mark.parametrize(
    "count", [60, pytest.param(500, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_drawn_numbers_are_read_as_by_python(
    chromium: Browser, static_url: str, exported: Path, workspace: Path, count: int, tmp_path: Path
) -> None:
    recognizers = [Recognizer(workspace / "models" / name) for name in ("cnn", "mlp")]
    models = [recognizer.network for recognizer in recognizers]
    drawn = numbers(count)
    sent = [[(8 * stroke).ravel().astype(int).tolist() for stroke in each] for _, each in drawn]
    (static,) = exported.glob("static-*")
    page = chromium.new_context().new_page()
    page.goto(static_url)
    given = page.evaluate(READ, [static.name, sent])
    page.context.close()
    pixels: list[int] = []
    differences: list[dict[str, Any]] = []
    refusals: list[tuple[bool, bool]] = []
    digits, worst = 0, 0.0
    for (text, strokes), there in zip(drawn, given, strict=True):
        here = drawing.find(strokes, models[0].predict)
        if [digit.row for digit in here] != [each["row"] for each in there]:
            differences.append({"number": text, "digits": [len(here), len(there)]})
            continue
        for digit, each in zip(here, there, strict=True):
            crop = np.frombuffer(base64.b64decode(each["crop"]), np.uint8).reshape(28, 28)
            away = np.abs(crop.astype(int) - digit.image)
            pixels += away.ravel().tolist()
            ours = np.concatenate([model.predict(digit.image[None]) for model in models])
            theirs = np.array(each["probabilities"])
            refusals += [
                (bool(recognizer.refusals(answer[None])[0]), refused)
                for recognizer, answer, refused in zip(
                    recognizers, ours, each["refused"], strict=True
                )
            ]
            worst = max(worst, float(np.abs(ours - theirs).max()))
            digits += 1
            if away.max() > NEAR or (ours.argmax(axis=1) != theirs.argmax(axis=1)).any():
                classes = [ours.argmax(axis=1).tolist(), theirs.argmax(axis=1).tolist()]
                differences.append({"number": text, "grey": int(away.max()), "classes": classes})
    report = {"numbers": count, "digits": digits, "worst probability": worst}
    (tmp_path / "differences.json").write_text(json.dumps([report, *differences], indent=1))
    print(json.dumps([report, *differences]))
    assert digits > 2 * count
    assert np.mean(np.array(pixels) <= NEAR) >= 0.99
    assert worst <= 1e-3
    assert {True, False} <= {ours for ours, _ in refusals}
    assert np.mean([ours == theirs for ours, theirs in refusals]) >= 0.998
    other = [
        each for each in differences if "digits" in each or len(set(map(str, each["classes"]))) > 1
    ]
    assert len(other) <= 0.002 * count
