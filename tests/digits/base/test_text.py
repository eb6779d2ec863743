from digits.base.text import one_line, without_password


def test_a_foreign_message_loses_its_colours_and_lines() -> None:
    assert one_line("a \x1b[1mbold\x1b[0m\n  [text]\x07") == "a bold [text]"


def test_it_is_bounded() -> None:
    assert one_line("x" * 1000, 10) == "x" * 9 + "…"


def test_a_url_loses_its_password_and_nothing_else() -> None:
    said = "from s3://key:secret@host/a and postgresql://me@host/b to a@b"
    assert without_password(said) == "from s3://host/a and postgresql://host/b to a@b"
