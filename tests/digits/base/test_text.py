from digits.base.text import one_line


def test_a_foreign_message_loses_its_colours_and_lines() -> None:
    assert one_line("a \x1b[1mbold\x1b[0m\n  [text]\x07") == "a bold [text]"


def test_it_is_bounded() -> None:
    assert one_line("x" * 1000, 10) == "x" * 9 + "…"
