"""What a model answers that is no digit, and what refusing it costs: one table.

The kinds shown here are none that a training draws: letters and signs of a printed font, where
the training has strokes of another; straight zigzags, where it has waves; drawings; textures.
The first rows hold the confidence at several temperatures to a threshold that answers 99 % of
the validation images, as the training does at one of them; each further row answers another
share of the test images.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from benchmarks import measuring
from digits.base.selection import TEMPERATURE, sureness
from digits.inference.model import Model
from digits.training import outliers, strokes
from digits.training.augmentation import move

COUNT = 1000  # pictures of each kind
VALIDATED = 0.99  # share of the validation images that is answered
TEMPERATURES = (1, TEMPERATURE, 3, 5)  # 1: the confidence itself
COVERAGES = (0.995, 0.99, 0.985, 0.98, 0.97, 0.95)  # shares of the test images that are answered
FONTS = ("DejaVuSans.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSerif-Italic.ttf")
LOOKALIKES = "OIlSZBGQgqosz"  # letters that some people write as they write a digit
LETTERS = "ACDEFHJKLMNPRTUVWXYabcdefhijkmnprtuvwxy"
SIGNS = "+-=*%$&#@?!.,:;()"
SIDE = 28


def written(text: str, rng: np.random.Generator) -> np.ndarray:
    """Draw characters of the fonts that Matplotlib brings, each moved as by another hand."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [ImageFont.truetype(str(folder / name), 96) for name in FONTS]
    drawn = [
        _printed(text[rng.integers(len(text))], fonts[rng.integers(len(fonts))])
        for _ in range(COUNT)
    ]
    return move(np.stack(drawn), outliers.HAND, rng)


def _printed(character: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """Draw a character as large as a digit, in the middle of the image."""
    canvas = Image.new("L", (240, 240))
    ImageDraw.Draw(canvas).text((70, 60), character, fill=255, font=font)
    ink = canvas.crop(canvas.getbbox())
    # A dot or a dash is small beside a digit, and is not blown up to the size of one.
    scale = 20 / max(*ink.size, 60)
    size = max(1, round(ink.width * scale)), max(1, round(ink.height * scale))
    image = Image.new("L", (SIDE, SIDE))
    small = ink.resize(size, Image.Resampling.BOX)
    image.paste(small, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return np.asarray(image)


def zigzags(rng: np.random.Generator) -> np.ndarray:
    """Draw straight strokes to and fro, between random places or along a random walk."""
    images = []
    for _ in range(COUNT):
        places = rng.random((rng.integers(5, 13), 2))
        if rng.random() < 0.5:
            places = np.cumsum(places - 0.5, axis=0)
        images.append(_fitted([places], rng))
    return np.stack(images)


def drawings(rng: np.random.Generator) -> np.ndarray:
    """Draw stars, spirals, polygons with their diagonals, and circles beside each other."""
    kinds = (_star, _spiral, _polygon, _circles)
    return np.stack([_fitted(kinds[rng.integers(len(kinds))](rng), rng) for _ in range(COUNT)])


def _circle(points: int, turns: float = 1) -> np.ndarray:
    angles = np.linspace(0, 2 * math.pi * turns, points)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star(rng: np.random.Generator) -> list[np.ndarray]:
    corners = 2 * int(rng.integers(2, 4)) + 1
    return [_circle(corners + 1)[np.arange(corners + 1) * 2 % corners]]


def _spiral(rng: np.random.Generator) -> list[np.ndarray]:
    return [_circle(80, rng.uniform(2, 3.5)) * np.linspace(0.05, 1, 80)[:, np.newaxis]]


def _polygon(rng: np.random.Generator) -> list[np.ndarray]:
    outline = _circle(int(rng.integers(5, 8)))
    return [outline, *(outline[[0, n]] for n in range(2, len(outline) - 2))]


def _circles(rng: np.random.Generator) -> list[np.ndarray]:
    count = int(rng.integers(3, 5))
    return [_circle(30) * 0.5 + _circle(count + 1)[n] for n in range(count)]


def _fitted(curves: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Draw curves as large as a digit, with a pen of random width."""
    every = np.concatenate(curves)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = 18 / (high - low).max()
    placed = [(curve - (low + high) / 2) * scale + (SIDE - 1) / 2 for curve in curves]
    return strokes.draw(placed, (SIDE, SIDE), rng.uniform(1.5, 3.5))


def textures(rng: np.random.Generator) -> np.ndarray:
    """Make blots: noise, smoothed more or less and cut at its median."""
    noise = rng.standard_normal((COUNT, SIDE, SIDE), np.float32)
    smooth = [cv2.GaussianBlur(one, (0, 0), rng.uniform(0.5, 4)) for one in noise]
    return np.stack([np.uint8(255) * (one > np.median(one)) for one in smooth])


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "letters": partial(written, LETTERS),
    "look-alikes": partial(written, LOOKALIKES),
    "signs": partial(written, SIGNS),
    "zigzags": zigzags,
    "drawings": drawings,
    "textures": textures,
}


def main() -> None:
    parser = measuring.parser("refusal", __doc__ or "")
    parser.add_argument("--model", type=Path, default=Path("models/cnn/model.onnx"))
    model = Model(parser.parse_args().model)
    validation, test = measuring.split("validation"), measuring.split("test")
    held_out, tested = model.predict(validation.images), model.predict(test.images)
    of_kinds = {
        name: model.predict(kind(np.random.default_rng(number)))
        for number, (name, kind) in enumerate(KINDS.items())
    }

    def row(temperature: float, threshold: float) -> dict[str, float]:
        """What is answered, in %, and how much of it is wrong."""
        values: dict[str, float] = {"temperature": temperature, "threshold": threshold}
        for name, answers, labels in (
            ("validation", held_out, validation.labels),
            ("test", tested, test.labels),
        ):
            answered = at(answers, temperature) >= threshold
            values[name] = 100 * answered.mean()
            wrong = answers[answered].argmax(axis=1) != labels[answered]
            values[f"wrong of {name}"] = 100 * wrong.mean()
        shares = {
            name: 100 * (at(answers, temperature) >= threshold).mean()
            for name, answers in of_kinds.items()
        }
        return values | shares

    def reached(answers: np.ndarray, temperature: float, share: float) -> float:
        return float(np.quantile(at(answers, temperature), 1 - share, method="lower"))

    rows = [row(each, reached(held_out, each, VALIDATED)) for each in TEMPERATURES]
    rows += [row(TEMPERATURE, reached(tested, TEMPERATURE, share)) for share in COVERAGES]
    note = (
        f"Answered, in %: of {len(validation.labels):,} validation and {len(test.labels):,} test "
        f"images, and of {COUNT:,} of each kind."
    )
    measuring.write("refusal", pd.DataFrame(rows), note)


def at(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The confidence at a temperature: `sureness` has one of its own."""
    return sureness(probabilities ** (TEMPERATURE / temperature))


if __name__ == "__main__":
    main()
