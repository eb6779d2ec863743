"""ONNX Runtime's build for browsers: fetched once by npm, checked, and kept for later."""

import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch

from digits.base.errors import UserError
from digits.base.text import one_line

PACKAGE = "onnxruntime-web@1.30.0"
SECONDS = 300  # for npm
SCRIPT, WASM = "onnxruntime-1.30.0.js", "onnxruntime-1.30.0.wasm.gz"
# What is taken of the package: its name there, its SHA-256.
FILES = {
    SCRIPT: (
        "package/dist/ort.wasm.bundle.min.mjs",
        "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    ),
    WASM: (
        "package/dist/ort-wasm-simd-threaded.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
}


def folder() -> Path:
    """Return where it is kept: the user's cache, or what `DIGITS_CACHE` names."""
    return Path(os.environ.get("DIGITS_CACHE") or pooch.os_cache("digits")) / PACKAGE


def is_there() -> bool:
    """Decide whether it was fetched."""
    return all((folder() / name).exists() for name in FILES)


def fetch(package: Path | None = None) -> Path:
    """Fetch ONNX Runtime for browsers, unless it is there.

    Args:
        package: the file that `npm pack` writes, for a machine without npm.

    Returns:
        The folder with `FILES`; the WebAssembly is packed with gzip.

    Raises:
        UserError: npm is missing or fails, or the package is not the one that is known.
    """
    if is_there():
        return folder()
    with TemporaryDirectory() as scratch:
        archive = package or _pack(Path(scratch))
        try:
            with tarfile.open(archive) as packed:
                contents = {name: _checked(packed, *known) for name, known in FILES.items()}
        except (OSError, EOFError, zlib.error, tarfile.TarError, KeyError, ValueError) as error:
            raise UserError(f"{archive.name}: not {PACKAGE}: {one_line(error)}") from None
    contents[WASM] = gzip.compress(contents[WASM], mtime=0)
    folder().mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        beside = folder() / f"{name}.part"
        beside.write_bytes(content)
        beside.replace(folder() / name)
    return folder()


def _pack(scratch: Path) -> Path:
    by_hand = f"or run `npm pack {PACKAGE}` elsewhere and name its file with --runtime"
    if shutil.which("npm") is None:
        raise UserError(f"npm is missing, which fetches {PACKAGE}: install it, {by_hand}")
    command = ["npm", "pack", PACKAGE, "--pack-destination", str(scratch)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.CalledProcessError as error:
        reason = one_line(error.stderr) or "it failed"
        raise UserError(f"npm pack {PACKAGE}: {reason}; try again, {by_hand}") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"npm pack {PACKAGE}: took over {SECONDS} s; {by_hand}") from None
    return next(scratch.glob("*.tgz"))


def _checked(packed: tarfile.TarFile, name: str, sha256: str) -> bytes:
    file = packed.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    content = file.read()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ValueError(f"{name} has SHA-256 {actual}, not {sha256}")
    return content
