"""Which files a path stands for."""

import os
from pathlib import Path

import pytest

from digits.base.errors import UserError
from digits.scoring import places

FILES = (
    "scans [2024]/a.png",
    "scans [2024]/inner/b.png",
    "scans [2024]/.ipynb_checkpoints/a.png",
    "scans [2024]/_temporary/0/a.png",
    "scans [2024]/_plan.json",
    "scans 2/c.png",
    "c[1].png",
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("scans [2024]", ["scans [2024]/a.png", "scans [2024]/inner/b.png"]),
        ("scans [2024]/", ["scans [2024]/a.png", "scans [2024]/inner/b.png"]),
        ("scans [2024]/*.png", ["scans [2024]/a.png"]),
        ("scans [0-9]/*.png", ["scans 2/c.png"]),
        ("scans */*.png", ["scans 2/c.png", "scans [2024]/a.png"]),
        ("c[1].png", ["c[1].png"]),
    ],
)
def test_a_path_that_exists_is_no_glob_and_what_is_hidden_is_left_out(
    tmp_path: Path, path: str, expected: list[str]
) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = places.find(*places.locate(f"{tmp_path}/{path}"))
    assert [str(Path(file.path).relative_to(tmp_path)) for file in found] == expected


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        Path(os.fsdecode(name)).write_bytes(b"")
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    with pytest.raises(UserError, match=r"caf.*png: the name of this file is not UTF-8"):
        places.find(*places.locate(str(tmp_path)))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    system, folder = places.locate(str(tmp_path))
    with pytest.raises(OSError, match="a"):
        places.write(system, f"{folder}/a", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
