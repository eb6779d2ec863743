"""Writing files so that they appear whole or not at all."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digits.base.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write a file or a folder to; rename it to `path` at the end.

    After an exception `path` is as it was before. What a killed process left behind
    is removed by the next one. A symbolic link is replaced, not what it leads to.

    Raises:
        UserError: `path` is a device, a pipe or a socket.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{path}: is neither a file nor a folder: nothing is written in its place")
    partial, former = (path.with_name(path.name + ending) for ending in (".partial", ".former"))
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        yield partial
        if partial.is_dir() and path.is_dir():
            # A folder, unlike a file, cannot be renamed over another; to remove that takes longer.
            _remove(former)
            path.rename(former)
        partial.replace(path)
        _remove(former)
    finally:
        _remove(partial)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as indented JSON. Raises ValueError where it holds NaN or infinity."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def md5(path: Path) -> str:
    """Hash a file or a folder as DVC does, so that the two can be joined.

    Returns:
        32 hex digits; of a folder, of the list of its files' hashes, with ".dir" after them.
    """
    if path.is_dir():
        inside = sorted(
            (file.relative_to(path).as_posix(), md5(file))
            for file in path.rglob("*")
            if file.is_file()
        )
        listed = json.dumps([{"md5": hashed, "relpath": name} for name, hashed in inside])
        return hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest() + ".dir"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
