"""Fetching a data set's files from the first mirror that has them whole."""

import errno
import gzip
import logging
import math
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch
from tqdm import tqdm

from digits.base.errors import UserError
from digits.base.text import one_line, without_password
from digits.data.catalogue import FILES, DataSet
from digits.params import Data

# What a broken mirror may raise; requests' exceptions are OSErrors.
MIRROR_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    tarfile.TarError,
    subprocess.SubprocessError,
)
LONGEST = 10**7  # seconds that a timer takes
# What no other mirror can mend.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


def download(dataset: DataSet, folder: Path, limits: Data) -> dict[str, str]:
    """Put the four files of a data set, uncompressed and checked, into a folder.

    Returns:
        The mirror that each file came from.

    Raises:
        UserError: no mirror had a file: says why for each, and how to supply it by hand.
    """
    sources: dict[str, str] = {}
    problems: list[str] = []
    sizes = _sizes(dataset)
    for mirror in dataset.mirrors:
        shown = without_password(mirror)
        try:
            with TemporaryDirectory(dir=folder) as scratch:
                with _deadline(limits.file_timeout):
                    fetch = _fetcher(mirror, Path(scratch), limits, sizes)
                for name in FILES:
                    if name not in sources:
                        print(f"{name} from {shown}")
                        with _deadline(limits.file_timeout):
                            path = fetch(name)
                        _check(path, dataset.sha256[name])
                        path.replace(folder / name)
                        sources[name] = shown
        except MIRROR_ERRORS as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise
            problems.append(f"{shown}: {_reason(error)}")
            print(f"  failed: {_reason(error)}")
    if missing := [name for name in FILES if name not in sources]:
        raise UserError(
            "\n".join(
                [
                    f"no mirror had {missing[0]}:",
                    *(f"  {problem}" for problem in problems),
                    f"by hand: put {', '.join(FILES)} (gzipped or not) into a folder and add "
                    "dir:FOLDER to the mirrors of the data set in datasets.yaml",
                ]
            )
        )
    return sources


def _sizes(dataset: DataSet) -> dict[str, int]:
    """The bytes of each uncompressed file, by what the catalogue says of it."""
    pixels = math.prod(dataset.image_shape)
    sizes: dict[str, int] = {}
    for name in FILES:
        rows = dataset.rows.train if name.startswith("train") else dataset.rows.test
        sizes[name] = 16 + rows * pixels if "images" in name else 8 + rows
    return sizes


def _fetcher(
    mirror: str, scratch: Path, limits: Data, sizes: Mapping[str, int]
) -> Callable[[str], Path]:
    """A function that fetches a file by its name and gives the path it is at, uncompressed."""
    kind, _, place = mirror.partition(":")
    if kind == "dir":
        # DVC may run this in a temporary workspace, without the user's folders.
        folder = Path(os.environ.get("DVC_ROOT", ".")) / Path(place).expanduser()
        return lambda name: _copy(folder, name, scratch, sizes[name])
    if kind == "npm":
        package = _npm_pack(place, scratch, limits)
        return lambda name: _extract(package, name, scratch, sizes[name])
    return lambda name: _http_get(mirror, name, scratch, limits, sizes[name])


def _http_get(url: str, name: str, scratch: Path, limits: Data, size: int) -> Path:
    mirror = pooch.create(
        path=scratch,
        base_url=url,
        registry={f"{name}.gz": None},  # the checksum is that of the uncompressed file
        retry_if_failed=limits.retries,  # after 1, 2, ... seconds
    )
    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(
        progressbar=_Progress(limits.file_timeout), timeout=limits.timeout, chunk_size=2**12
    )
    packed = Path(mirror.fetch(f"{name}.gz", downloader=downloader))
    return _unpack(packed, scratch / name, size)


class _OverdueError(Exception):
    """Time is over. No OSError: the libraries would take it for a fault and try again."""


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when the time is over, whatever is waited for: a head that trickles, too.

    Only the main thread can be interrupted; elsewhere the limits of each library hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _OverdueError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, min(seconds, LONGEST))
    try:
        yield
    except _OverdueError:
        raise TimeoutError("took longer than data.file_timeout allows") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _unpack(packed: Path, target: Path, size: int) -> Path:
    """Unpack a gzipped file, but no more than it should hold."""
    with gzip.open(packed) as source, target.open("wb") as file:
        for chunk in iter(lambda: source.read(2**20), b""):
            file.write(chunk)
            if file.tell() > size:
                raise ValueError(f"{target.name} unpacks to more than {size} bytes")
    return target


class _Progress(tqdm):
    """A progress bar, on a terminal only, that ends a transfer which takes too long."""

    def __init__(self, seconds: float) -> None:
        # With a total of 0 it would be false, and pooch would not call it.
        super().__init__(total=1, unit="B", unit_scale=True, leave=False, disable=None)
        self.deadline = time.monotonic() + seconds

    def update(self, n: float | None = 1) -> bool | None:
        if time.monotonic() > self.deadline:
            raise TimeoutError("took longer than data.file_timeout allows")
        return super().update(n)


def _npm_pack(package: str, scratch: Path, limits: Data) -> Path:
    """Fetch a package from the registry that the user's npm is set up for."""
    if shutil.which("npm") is None:
        raise FileNotFoundError("npm is not installed")
    subprocess.run(
        ["npm", "pack", package, "--pack-destination", scratch],
        check=True,
        capture_output=True,
        text=True,
        timeout=limits.file_timeout,
    )
    return next(scratch.glob("*.tgz"))


def _extract(package: Path, name: str, scratch: Path, size: int) -> Path:
    """Take the file of this name, in whatever folder, out of a package."""
    with tarfile.open(package) as archive:
        for member in archive:
            if member.isfile() and Path(member.name).name == name:
                if member.size > size:
                    raise ValueError(f"{name} unpacks to more than {size} bytes")
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                with (scratch / name).open("wb") as target:
                    shutil.copyfileobj(content, target)
                return scratch / name
    raise FileNotFoundError(f"{name} is not in the package")


def _copy(folder: Path, name: str, scratch: Path, size: int) -> Path:
    if (folder / name).exists():
        shutil.copyfile(folder / name, scratch / name)
    elif (folder / f"{name}.gz").exists():
        _unpack(folder / f"{name}.gz", scratch / name, size)
    else:
        raise FileNotFoundError(f"neither {name} nor {name}.gz is in the folder")
    return scratch / name


def _check(path: Path, sha256: str) -> None:
    if (actual := pooch.file_hash(str(path))) != sha256:
        raise ValueError(f"{path.name} has SHA-256 {actual}, not {sha256}")


def _reason(error: Exception) -> str:
    """Why a mirror failed, in one line of reasonable length."""
    if isinstance(error, subprocess.CalledProcessError):
        text = next((line for line in error.stderr.splitlines() if "code" not in line), "")
    else:
        text = one_line(str(error).split("Caused by ")[-1])
    return one_line(without_password(text)) or type(error).__name__
