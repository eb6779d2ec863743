"""Short texts for messages and tables."""

import re
import reprlib
from collections.abc import Iterable

MESSAGE_LENGTH = 200  # characters of a foreign message that are worth quoting
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # for a terminal, as Keras' messages have it


def one_line(message: object, limit: int = MESSAGE_LENGTH) -> str:
    """Make a foreign message fit to print: one line, bounded, without control characters.

    Args:
        message: an exception or a text.
        limit: characters to keep.
    """
    plain = COLOUR.sub("", str(message)[: 10 * limit])
    words = "".join(c if c.isprintable() else " " for c in plain).split()
    text = " ".join(words)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def without_password(text: str) -> str:
    """Leave out of every URL in a text the name and the password before its host."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def shape_text(shape: Iterable[int]) -> str:
    """Write a shape as people do, such as "28 x 28"."""
    return " x ".join(map(str, shape))


def printable(text: str) -> str:
    """Replace control characters, which could change a terminal, line by line."""
    lines = text.splitlines()
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines)


def quote(value: object) -> str:
    """Write a foreign value as Python does, bounded also where it is deep or refers to itself."""
    return one_line(_SHORT.repr(value))


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 150
