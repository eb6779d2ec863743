import hashlib
import json
import os
from pathlib import Path

import pytest
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_data.hashfile.hash import file_md5
from dvc_objects.fs.local import LocalFileSystem

from digits.base import files
from digits.base.errors import UserError


def read(path: Path) -> str:
    """The text of a file, or of the file `inner` in a folder."""
    return (path / "inner" if path.is_dir() else path).read_text()


def write(path: Path, text: str, *, folder: bool) -> None:
    if folder:
        path.mkdir()
    (path / "inner" if folder else path).write_text(text)


@pytest.mark.parametrize("folder", [False, True])
class TestReplacing:
    def test_a_new_output_appears_at_the_end(self, tmp_path: Path, folder: bool) -> None:
        path = tmp_path / "new" / "output"
        with files.replacing(path) as partial:
            write(partial, "new", folder=folder)
            assert not path.exists()
        assert read(path) == "new"
        assert list(path.parent.iterdir()) == [path]

    def test_an_output_is_replaced_whole(self, tmp_path: Path, folder: bool) -> None:
        path = tmp_path / "output"
        write(path, "old", folder=folder)
        if folder:
            (path / "stale").touch()
        with files.replacing(path) as partial:
            write(partial, "new", folder=folder)
            assert read(path) == "old"
        assert read(path) == "new"
        assert not (path / "stale").exists()

    @pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, SystemExit])
    def test_an_exception_keeps_the_old_output(
        self, tmp_path: Path, folder: bool, exception: type[BaseException]
    ) -> None:
        path = tmp_path / "output"
        write(path, "old", folder=folder)
        with pytest.raises(exception), files.replacing(path) as partial:  # noqa: PT012
            write(partial, "half", folder=folder)
            raise exception
        assert read(path) == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_link_is_replaced_and_what_it_leads_to_stays(
        self, tmp_path: Path, folder: bool
    ) -> None:
        path, cached = tmp_path / "output", tmp_path / "cached"
        write(cached, "old", folder=folder)
        path.symlink_to(cached)
        with files.replacing(path) as partial:
            write(partial, "new", folder=folder)
        assert (read(path), read(cached)) == ("new", "old")
        assert not path.is_symlink()
        assert sorted(tmp_path.iterdir()) == [cached, path]

    @pytest.mark.parametrize("left_folder", [False, True])
    def test_what_a_killed_process_left_is_removed(
        self, tmp_path: Path, folder: bool, left_folder: bool
    ) -> None:
        path = tmp_path / "output"
        write(tmp_path / "output.partial", "half", folder=left_folder)
        with files.replacing(path) as partial:
            assert not partial.exists()
            write(partial, "new", folder=folder)
        assert read(path) == "new"


def test_write_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    files.write_text(tmp_path / "text", "größer\n")
    assert (tmp_path / "text").read_bytes() == "größer\n".encode()


def test_write_json_ends_with_a_newline(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"accuracy": 0.5})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"accuracy": 0.5}
    assert text.endswith("}\n")


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: is neither a file nor a folder"):
        files.write_text(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_write_json_refuses_what_json_has_not(tmp_path: Path, value: float) -> None:
    files.write_json(tmp_path / "a.json", {"loss": 1})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"loss": value})
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": 1}


@pytest.mark.parametrize("content", [b"", b"\r\nlines\r\n", bytes(range(256)) * 9000])
def test_md5_is_the_one_dvc_computes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert files.md5(path) == hashlib.md5(content).hexdigest()  # noqa: S324
    assert files.md5(path) == file_md5(str(path), LocalFileSystem())


def test_md5_of_a_folder_is_the_one_dvc_computes(tmp_path: Path) -> None:
    for name in ("b", "a", "inner/ö", "inner-1/c", "Z"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    odb = LocalHashFileDB(LocalFileSystem(), str(tmp_path.with_suffix(".cache")))
    _, _, tree = build(odb, str(tmp_path), LocalFileSystem(), "md5")
    assert files.md5(tmp_path) == tree.hash_info.value
