"""Does the page keep to what its oldest browsers know: Chromium 92 and Safari 15?

The scripts and styles are parsed, which finds what is no syntax at all, and searched for what
came later: syntax by its node in the tree, interfaces and properties by their names. The names
are a list kept by hand, so that a name that is missing here passes; the test of the page in
Chromium 92, where there is one (OLD_CHROMIUM names it), finds what is used in vain.
Run by `make lint`: `python .ci/old_browsers.py FILE...`.
"""

import re
import sys
from pathlib import Path

import tree_sitter_css
import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

LANGUAGES = {
    ".js": Language(tree_sitter_javascript.language()),
    ".css": Language(tree_sitter_css.language()),
}
SYNTAX = {  # node of the tree: what it is
    "class_static_block": "a static block of a class (Safari 16.4)",
    "using_declaration": "using (no Safari)",
}
# Members and functions of JavaScript and of browsers: the first versions that have them.
NAMES = {
    "any": "AbortSignal.any (Chromium 116, Safari 17.4)",
    "at": "Array.at (Safari 15.4)",
    "checkVisibility": "Chromium 105, Safari 17.4",
    "findLast": "Chromium 97, Safari 15.4",
    "findLastIndex": "Chromium 97, Safari 15.4",
    "fromAsync": "Chromium 121, Safari 16.4",
    "groupBy": "Chromium 117, Safari 17.4",
    "hasOwn": "Chromium 93, Safari 15.4",
    "intersection": "Chromium 122, Safari 17",
    "isSubsetOf": "Chromium 122, Safari 17",
    "OffscreenCanvas": "Safari 16.4",
    "randomUUID": "Safari 15.4",
    "requestIdleCallback": "no Safari",
    "scheduler": "Chromium 94, no Safari",
    "showPicker": "Chromium 99, Safari 16",
    "startViewTransition": "Chromium 111, Safari 18",
    "structuredClone": "Chromium 98, Safari 15.4",
    "timeout": "AbortSignal.timeout (Chromium 103, Safari 16)",
    "toReversed": "Chromium 110, Safari 16",
    "toSorted": "Chromium 110, Safari 16",
    "toSpliced": "Chromium 110, Safari 16",
    "toWellFormed": "Chromium 111, Safari 16.4",
    "transferToImageBitmap": "Safari 16.4",
    "try": "Promise.try (Chromium 128, Safari 18.2)",
    "union": "Chromium 122, Safari 17",
    "withResolvers": "Chromium 119, Safari 17.4",
}
STYLES = {  # pattern of a style: since when
    r"light-dark\(": "Chromium 123, Safari 17.5",
    r"color-mix\(": "Chromium 111, Safari 16.2",
    r"oklch\(|oklab\(|\blab\(|\blch\(": "Chromium 111",
    r"\d[sdl]v[hw]\b": "Chromium 108, Safari 15.4",
    r"rgba?\([^,)]+\s/": "rgb() with a slash reads worse in old parsers: write rgba(r, g, b, a)",
    r":has\(": "Chromium 105, Safari 15.4",
    r"@container|@layer|@scope|@property": "Chromium 99 to 118",
    r"@media[^{]*[<>]": "ranges in @media (Chromium 104, Safari 16.4)",
    r"text-wrap\s*:|accent-color\s*:|scrollbar-gutter\s*:": "Chromium 93 to 114",
    r"\b(?:translate|rotate|scale)\s*:": "Chromium 104",
    r"inset-area|anchor\(|interpolate-size|field-sizing": "Chromium 123 and later",
}
LOOKBEHIND = re.compile(r"\(\?<[=!]")  # in Safari since 16.4


def main() -> None:
    """Print each problem with its place; exit with 1 if there is one."""
    problems = [problem for name in sys.argv[1:] for problem in check(Path(name))]
    if problems:
        sys.exit("\n".join(problems))


def check(path: Path) -> list[str]:
    """The problems of a script or a style."""
    source = path.read_bytes()
    tree = Parser(LANGUAGES[path.suffix]).parse(source)
    found = [
        (node.start_point.row, what) for node in _nodes(tree.root_node) if (what := _new(node))
    ]
    if path.suffix == ".css":
        text = re.sub(
            r"/\*.*?\*/", lambda c: re.sub(r"[^\n]", " ", c[0]), source.decode(), flags=re.S
        )
        for pattern, since in STYLES.items():
            for match in re.finditer(pattern, text):
                found.append((text.count("\n", 0, match.start()), f"{match[0]}: {since}"))
    return [f"{path}:{row + 1}: {what}" for row, what in sorted(found)]


def _nodes(node: Node) -> list[Node]:
    return [node, *(each for child in node.children for each in _nodes(child))]


def _new(node: Node) -> str:
    """What is wrong with a node, or nothing."""
    text = (node.text or b"").decode()
    if node.type == "ERROR" or node.is_missing:
        return f"no syntax that is known: {text[:40]!r}"
    if node.type in SYNTAX:
        return SYNTAX[node.type]
    if node.type == "regex_pattern" and LOOKBEHIND.search(text):
        return "a lookbehind in a regular expression (Safari 16.4)"
    is_used = (
        node.type == "property_identifier"
        and node.parent
        and (node.parent.type == "member_expression")
    )
    if (is_used or node.type == "identifier") and text in NAMES:
        return f"{text}: {NAMES[text]}"
    return ""


if __name__ == "__main__":
    main()
