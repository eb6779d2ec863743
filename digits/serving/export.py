"""The page as a folder of static files, which read without a server and without a network."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson
from PIL import Image, ImageDraw

from digits.base.errors import UserError
from digits.recognition.recognizer import Recognizer
from digits.serving import device, runtime

PAGE = Path(__file__).parent / "page"
WORKER = Path(__file__).with_name("offline.js")
MARK = device.DESCRIPTION  # a folder with it was written by this, and may be replaced
ICONS = (192, 512)  # pixels, as installing asks for
BLUE = "#0072b2"
MANIFEST = {
    "name": "Handwritten digits",
    "short_name": "Digits",
    "description": "Reads digits as they are written, on the device.",
    "start_url": "./",
    "scope": "./",
    "display": "standalone",
    "background_color": "#f6f7f9",
    "theme_color": BLUE,
    "icons": [
        {"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"}
        for side in ICONS
    ],
}
HEAD = '  <link rel="manifest" href="manifest.webmanifest">\n</head>'


def export(recognizers: Sequence[Recognizer], target: Path, package: Path | None = None) -> str:
    """Write the page, the models and ONNX Runtime into a folder.

    Args:
        recognizers: the main one first.
        target: is made, or replaced if it is empty or holds an older page.
        package: of ONNX Runtime, see `runtime.fetch`.

    Returns:
        The version: other files have another one.

    Raises:
        UserError: the folder holds something else, or ONNX Runtime cannot be had.
    """
    if target.exists() and (not target.is_dir() or _holds_something_else(target)):
        raise UserError(f"{target}: holds something else than an older page; name another folder")
    fetched = runtime.fetch(package)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / "page"
        (folder / device.FOLDER).mkdir(parents=True)
        for name in runtime.FILES:
            shutil.copyfile(fetched / name, folder / device.FOLDER / name)
        for recognizer in recognizers:
            path = folder / device.FOLDER / device.file_name(recognizer)
            path.write_bytes(recognizer.network.content)
        description = device.describe(recognizers, has_server=False)
        (folder / device.DESCRIPTION).write_bytes(orjson.dumps(description))
        _write_page(folder)
        version = _write_worker(folder)
        if target.exists():
            shutil.rmtree(target)
        folder.chmod(0o755)
        folder.rename(target)
    return version


def _holds_something_else(target: Path) -> bool:
    return any(target.iterdir()) and not (target / MARK).exists()


def _write_page(folder: Path) -> None:
    """Write the page's own files in a folder named by their content: no two versions mix."""
    files = sorted(path for path in PAGE.iterdir() if path.name != "index.html")
    digest = _digest([path.read_bytes() for path in files])
    static = folder / f"static-{digest}"
    static.mkdir()
    for path in files:
        shutil.copyfile(path, static / path.name)
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    index = index.replace('"static/', f'"{static.name}/').replace("</head>", HEAD)
    (folder / "index.html").write_text(index, encoding="utf-8")
    manifest = json.dumps(MANIFEST, indent=2)
    (folder / "manifest.webmanifest").write_text(manifest, encoding="utf-8")
    for side in ICONS:
        _icon(side).save(folder / f"icon-{side}.png")


def _write_worker(folder: Path) -> str:
    """Write the service worker, which names every file: its version is that of them all."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    version = _digest([path.read_bytes() for path in paths])
    files = ["./", *(path.relative_to(folder).as_posix() for path in paths)]
    worker = WORKER.read_text(encoding="utf-8")
    worker = worker.replace("{{ version }}", version).replace('"{{ files }}"', json.dumps(files))
    (folder / "offline.js").write_text(worker, encoding="utf-8")
    return version


def _digest(contents: Sequence[bytes]) -> str:
    parts = b"".join(hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(parts).hexdigest()[:12]


def _icon(side: int) -> Image.Image:
    """Draw a white 7 on blue."""
    icon = Image.new("RGB", (side, side), BLUE)
    points = [(side * x, side * y) for x, y in ((0.28, 0.26), (0.72, 0.26), (0.42, 0.78))]
    ImageDraw.Draw(icon).line(points, "white", side // 9, joint="curve")
    return icon
