"""Files on any filesystem that pyarrow knows: a local path, s3://, gs://, hdfs://."""

import contextlib
import glob
import hashlib
import uuid
from pathlib import PurePosixPath

from pyarrow import ArrowException
from pyarrow import fs as pafs

from digits.base.errors import UserError
from digits.base.text import one_line

CHUNK = 2**22  # bytes read at a time


def locate(place: str) -> tuple[pafs.FileSystem, str]:
    """The filesystem of a place and its path there; a local path becomes absolute.

    Raises:
        UserError: pyarrow does not know such a place.
    """
    try:
        if "://" in place:
            return pafs.FileSystem.from_uri(place)
        return pafs.LocalFileSystem(), pafs.LocalFileSystem().normalize_path(place)
    except (ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"{place}: {one_line(error)}; give a local path or a URI such as s3://BUCKET/FOLDER"
        ) from None


def find(system: pafs.FileSystem, path: str) -> list[pafs.FileInfo]:
    """The files of a path, of a folder or of a glob, by name.

    Files and folders whose names begin with . or _ are left out: notebooks and Spark keep copies
    and unfinished work in such. A path that exists is no glob, whatever signs are in its name.

    Raises:
        UserError: there are none, or one has a name that is not UTF-8.
    """
    base = path
    (info,) = system.get_file_info([base])
    while info.type == pafs.FileType.NotFound and any(sign in base for sign in "*?["):
        base = str(PurePosixPath(base).parent)
        (info,) = system.get_file_info([base])
    if info.type == pafs.FileType.File:
        return [info]
    pattern = str(PurePosixPath(glob.escape(base), PurePosixPath(path).relative_to(base)))
    selector = pafs.FileSelector(base, recursive=True, allow_not_found=True)
    try:
        found = [
            each
            for each in system.get_file_info(selector)
            if each.type == pafs.FileType.File
            and not _is_hidden(PurePosixPath(each.path).relative_to(base))
            and (base == path or PurePosixPath(each.path).match(pattern))
        ]
    except UnicodeDecodeError as error:
        name = error.object.decode(errors="replace")
        raise UserError(f"{name}: the name of this file is not UTF-8: rename it") from None
    if not found:
        raise UserError(f"{path}: no such file, or nothing in it")
    return sorted(found, key=lambda each: each.path)


def is_within(path: str, folder: str) -> bool:
    """Whether `find` would give what is in a path among the files of a folder."""
    inner = PurePosixPath(path)
    return inner.is_relative_to(folder) and not _is_hidden(inner.relative_to(folder))


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def md5(system: pafs.FileSystem, path: str) -> str:
    """MD5 of a file's content, read in blocks: 32 hex digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with system.open_input_stream(path) as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def write(system: pafs.FileSystem, path: str, content: bytes) -> None:
    """Write a file whole or not at all, whoever else writes the same one.

    An object store shows an object once it is there; a local file gets its name last.
    """
    if not isinstance(system, pafs.LocalFileSystem):
        with system.open_output_stream(path) as stream:
            stream.write(content)
        return
    folder, name = PurePosixPath(path).parent, PurePosixPath(path).name
    partial = str(folder / f"_{name}.{uuid.uuid4().hex}.partial")
    try:
        with system.open_output_stream(partial) as stream:
            stream.write(content)
        system.move(partial, path)
    except OSError:
        with contextlib.suppress(OSError):  # what could not be made either
            system.delete_file(partial)
        raise


def read(system: pafs.FileSystem, path: str) -> bytes | None:
    """A file's content; None where there is no such file."""
    (info,) = system.get_file_info([path])
    if info.type != pafs.FileType.File:
        return None
    with system.open_input_stream(path) as stream:
        return bytes(stream.read())
