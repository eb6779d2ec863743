"""Downloads from real servers on loopback, from folders and from an npm package."""

import contextlib
import errno
import functools
import gzip
import hashlib
import http.server
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from digits.base.errors import UserError
from digits.data.catalogue import FILES, DataSet, FileName
from digits.intake import download as module
from digits.intake import idx
from digits.intake.download import download
from digits.params import Data
from tests.small_project import PROMPT

LIMITS = Data(name="small", extra=[], timeout=1.0, file_timeout=5.0, retries=0)
REFUSED = "http://127.0.0.1:9/"  # the discard port: nothing listens


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; under /silent/ never answers, under /slow/ sends without end."""

    def do_GET(self) -> None:
        if self.path.startswith("/silent/"):
            time.sleep(3)
        elif self.path.startswith("/slow/"):
            self.send_response(200)
            self.send_header("Content-Length", str(10**9))
            self.end_headers()
            try:
                while True:
                    self.wfile.write(bytes(2**16))
                    time.sleep(0.05)
            except OSError:
                pass  # the client has had enough
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def originals(tmp_path: Path) -> dict[FileName, bytes]:
    """The four files of a tiny data set."""
    rng = np.random.default_rng(0)
    contents = {}
    for name, shape in zip(FILES, [(6, 28, 28), (6,), (4, 28, 28), (4,)], strict=True):
        idx.write(tmp_path / name, rng.integers(0, 256, shape, np.uint8))
        contents[name] = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
    return contents


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the URL it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def dataset(originals: dict[FileName, bytes]) -> Callable[..., DataSet]:
    """Make the data set's catalogue entry with given mirrors."""
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in originals.items()}

    def make(*mirrors: str) -> DataSet:
        return DataSet(
            title="small",
            classes=["a", "b"],
            rows={"train": 6, "test": 4},
            image_shape=[28, 28],
            mean_ink=[0.0, 1.0],
            mirrors=list(mirrors),
            sha256=sha256,
            licence="none",
            citation="none",
        )

    return make


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def put(contents: dict[FileName, bytes], folder: Path, *, zipped: bool) -> None:
    for name, content in contents.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


def found(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_gzip_files_come_over_http(originals, served, dataset, target) -> None:
    put(originals, served[0], zipped=True)
    sources = download(dataset(served[1]), target, LIMITS)
    assert found(target) == originals
    assert sources == dict.fromkeys(FILES, served[1])


@pytest.mark.parametrize("zipped", [True, False])
def test_files_come_from_a_folder(originals, tmp_path, dataset, target, zipped) -> None:
    folder = tmp_path / "by hand"
    folder.mkdir()
    put(originals, folder, zipped=zipped)
    download(dataset(f"dir:{folder}"), target, LIMITS)
    assert found(target) == originals


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_files_come_from_an_npm_package(originals, tmp_path, dataset, target) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "package.json").write_text('{"name": "digits-test", "version": "1.0.0"}')
    put(originals, package, zipped=False)
    archive = tmp_path / "digits-test@1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(package, "package")
    download(dataset(f"npm:{archive}"), target, LIMITS.model_copy(update={"file_timeout": 60.0}))
    assert found(target) == originals


def test_a_wrong_checksum_is_refused_and_the_next_mirror_tried(
    originals, tmp_path, served, dataset, target, capsys
) -> None:
    put({name: content[:-1] + b"?" for name, content in originals.items()}, served[0], zipped=True)
    put(originals, tmp_path, zipped=False)
    sources = download(dataset(served[1], f"dir:{tmp_path}"), target, LIMITS)
    assert found(target) == originals
    assert set(sources.values()) == {f"dir:{tmp_path}"}
    assert f"{FILES[0]} has SHA-256" in capsys.readouterr().out


def test_a_mirror_with_half_the_files_gives_those(
    originals, tmp_path, served, dataset, target
) -> None:
    put(dict(list(originals.items())[:2]), served[0], zipped=True)
    put(originals, tmp_path, zipped=False)
    sources = download(dataset(served[1], f"dir:{tmp_path}"), target, LIMITS)
    assert found(target) == originals
    assert list(sources.values()) == [served[1]] * 2 + [f"dir:{tmp_path}"] * 2


def test_when_all_fail_each_is_named_with_its_reason(
    originals, tmp_path, served, dataset, target
) -> None:
    put({FILES[0]: b"not gzip"}, served[0], zipped=False)
    (served[0] / FILES[0]).rename(served[0] / f"{FILES[0]}.gz")
    mirrors = {
        served[1]: "Not a gzipped file",
        f"{served[1]}nothing/": "404",
        f"{served[1]}silent/": "timed out",
        REFUSED: "refused",
        f"dir:{tmp_path}/nowhere": f"neither {FILES[0]} nor {FILES[0]}.gz is in the folder",
    }
    with pytest.raises(UserError) as raised:
        download(dataset(*mirrors), target, LIMITS)
    first, *reasons, last = str(raised.value).splitlines()
    assert first == f"no mirror had {FILES[0]}:"
    for line, (mirror, reason) in zip(reasons, mirrors.items(), strict=True):
        assert line.startswith(f"  {mirror}: ")
        assert reason in line
        assert len(line) < 300
    assert "dir:FOLDER" in last
    assert found(target) == {}


def test_a_mirror_that_sends_without_end_is_left(served, dataset, target) -> None:
    started = time.monotonic()
    limits = LIMITS.model_copy(update={"file_timeout": 0.5})
    with pytest.raises(UserError, match=r"took longer than data\.file_timeout allows"):
        download(dataset(f"{served[1]}slow/"), target, limits)
    assert time.monotonic() - started < PROMPT


def test_a_head_that_trickles_is_left(served, dataset, target, monkeypatch) -> None:
    def trickle(self: Handler) -> None:
        with contextlib.suppress(OSError):
            for _ in range(600):
                self.wfile.write(b"H")
                self.wfile.flush()
                time.sleep(0.1)

    monkeypatch.setattr(Handler, "do_GET", trickle)
    started = time.monotonic()
    limits = LIMITS.model_copy(update={"file_timeout": 1.0})
    with pytest.raises(UserError, match=r"took longer than data\.file_timeout allows"):
        download(dataset(served[1]), target, limits)
    assert time.monotonic() - started < PROMPT


def test_an_archive_is_unpacked_no_further_than_it_should_be(
    originals, served, dataset, target, tmp_path
) -> None:
    bomb = {name: content + bytes(10**7) for name, content in originals.items()}
    put(bomb, served[0], zipped=True)
    put(bomb, tmp_path, zipped=True)
    with pytest.raises(UserError) as raised:
        download(dataset(served[1], f"dir:{tmp_path}"), target, LIMITS)
    assert str(raised.value).count("unpacks to more than") == 2


def test_a_mirrors_password_is_told_to_nobody(served, dataset, target, capsys) -> None:
    url = served[1].replace("//", "//me:secret@")
    with pytest.raises(UserError) as raised:
        download(dataset(url, "http://you:hidden@127.0.0.1:1/"), target, LIMITS)
    assert not any(word in str(raised.value) for word in ("secret", "hidden"))
    printed = "".join(capsys.readouterr())
    assert not any(word in printed for word in ("secret", "hidden"))


def test_a_failed_try_is_repeated(originals, served, dataset, target, monkeypatch) -> None:
    put(originals, served[0], zipped=True)
    requests = []

    def fail_once(self: Handler) -> None:
        requests.append(self.path)
        if len(requests) == 1:
            self.send_error(503)
        else:
            http.server.SimpleHTTPRequestHandler.do_GET(self)

    monkeypatch.setattr(Handler, "do_GET", fail_once)
    download(dataset(served[1]), target, LIMITS.model_copy(update={"retries": 1}))
    assert found(target) == originals
    assert requests[0] == requests[1]


def test_a_full_disk_is_not_the_mirrors_fault(
    originals, tmp_path, dataset, target, monkeypatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    put(originals, tmp_path, zipped=False)
    monkeypatch.setattr(module.shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        download(dataset(f"dir:{tmp_path}"), target, LIMITS)


def test_without_npm_the_reason_says_so(dataset, target, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"npm:some@1\.0: npm is not installed"):
        download(dataset("npm:some@1.0"), target, LIMITS)


def test_what_npm_says_is_the_reason() -> None:
    error = subprocess.CalledProcessError(
        1, "npm", stderr="npm error code E404\nnpm error 404 Gone\n"
    )
    assert module._reason(error) == "npm error 404 Gone"
