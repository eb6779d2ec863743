"""What was found in pictures as a table, JSON or CSV, printed picture by picture."""

import csv
import io
import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Protocol

from digits.recognition.answers import TOP, Answer, corners
from digits.recognition.recognizer import Recognizer


class Printer(Protocol):
    """A format that needs no more than one picture at a time."""

    def begin(self) -> str:
        """Return what stands before all pictures."""

    def picture(self, name: str, answers: Sequence[Answer]) -> str:
        """Return the digits of a picture."""

    def end(self) -> str:
        """Return what stands after all pictures, however many they are."""


class Table:
    """For a terminal. A column grows with what is put into it, and never shrinks."""

    HEADS = ("picture", "row", "box", "digit", "confidence", f"top {TOP}")

    def __init__(self, names: Iterable[str]) -> None:
        """Make room for the longest name of the pictures."""
        longest = max(map(len, names), default=0)
        first, *others = (len(head) + 2 for head in self.HEADS)
        self._widths = [max(first, longest), *others]
        self._is_begun = False

    def begin(self) -> str:
        """Nothing: the head waits for the first digits, which are as broad as others are."""
        return ""

    def picture(self, name: str, answers: Sequence[Answer]) -> str:
        """Return a line for each digit."""
        if not answers:
            return f"{name}: no digit found\n"
        rows = [self._cells(name, answer) for answer in answers]
        longest = [max(map(len, column)) for column in zip(*rows, strict=True)]
        self._widths = [max(pair) for pair in zip(self._widths, longest, strict=True)]
        if not self._is_begun:
            rows = [self.HEADS, tuple("-" * width for width in self._widths), *rows]
            self._is_begun = True
        return "".join(self._line(row) for row in rows)

    def end(self) -> str:
        """Nothing."""
        return ""

    def _cells(self, name: str, answer: Answer) -> tuple[str, ...]:
        top = "  ".join(f"{each} {value:.4f}" for each, value in answer.top)
        box = " ".join(map(str, _box(answer)))
        return name, str(answer.row), box, answer.digit, f"{answer.confidence:.4f}", top

    def _line(self, row: Sequence[str]) -> str:
        cells = (cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))
        return "  ".join(cells).rstrip() + "\n"


class Json:
    """The model, and each picture's digits as the server's /predict has them."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._model = recognizer.as_json()
        self._separator = "\n"

    def begin(self) -> str:
        """Return the model, and the head of the list."""
        model = textwrap.indent(json.dumps(self._model, indent=2), "  ").lstrip()
        return f'{{\n  "model": {model},\n  "pictures": ['

    def picture(self, name: str, answers: Sequence[Answer]) -> str:
        """Return an element of the list."""
        found = {"picture": name, "digits": [answer.as_json() for answer in answers]}
        text = self._separator + textwrap.indent(json.dumps(found, indent=2), "    ")
        self._separator = ",\n"
        return text

    def end(self) -> str:
        """Return what ends the list and the object."""
        return "\n  ]\n}\n"


class Csv:
    """A row for each digit."""

    def begin(self) -> str:
        """Return the header."""
        top = [f"{what}_{rank}" for rank in range(1, TOP + 1) for what in ("class", "probability")]
        box = ("left", "top", "width", "height")
        return _csv([["picture", "row", *box, "digit", "confidence", "refused", *top]])

    def picture(self, name: str, answers: Sequence[Answer]) -> str:
        """Return a row for each digit."""
        return _csv(
            [
                *(name, answer.row, *_box(answer)),
                *(answer.digit, answer.confidence, answer.refused),
                *(value for pair in answer.top for value in pair),
            ]
            for answer in answers
        )

    def end(self) -> str:
        """Nothing."""
        return ""


def _box(answer: Answer) -> list[int]:
    assert answer.box is not None  # it was found in a picture
    return corners(answer.box)


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
