"""Pictures as a source gives them: decoded, grey, each with its label and a name for messages."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from digits.base.errors import UserError
from digits.base.text import one_line, shape_text

COLOUR_STEP = 8  # difference between two channels, of 255, from which a picture has colour
MOST_PIXELS = 25_000_000  # of one picture; more are refused before anything is unpacked
UNREADABLE = (
    UnidentifiedImageError,
    OSError,
    ValueError,
    SyntaxError,
    TypeError,  # of a TIFF whose tags are damaged
    Image.DecompressionBombError,
)


@dataclass
class Pictures:
    """The pictures of a split.

    Attributes:
        images: each `uint8 (height, width)`, grey.
        labels: the class of each, as the source writes it.
        names: of each, for messages: a path, or a row.
        bad: the name of each picture or row that cannot be used, and why.
        coloured: how many had colour.
        notes: what of the source was not read, a line each.
    """

    images: list[np.ndarray] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    coloured: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, label: Any, content: bytes | Path) -> None:
        """Decode a picture file and add it, or note why it cannot be used."""
        if (text := label_text(label)) is None:
            self.bad.append((name, "has no label"))
            return
        try:
            image, has_colour = decode(content)
        except UNREADABLE as error:
            self.bad.append((name, f"not a picture that can be read: {one_line(error, 100)}"))
            return
        self.images.append(image)
        self.labels.append(text)
        self.names.append(name)
        self.coloured += has_colour


def label_text(label: Any) -> str | None:
    """A label as text, the same for 3, 3.0 and "3"; None where there is none."""
    if label is None or (isinstance(label, float) and not np.isfinite(label)):
        return None
    if isinstance(label, float | np.floating) and float(label).is_integer():
        label = int(label)
    return str(label).strip() or None


def decode(content: bytes | Path) -> tuple[np.ndarray, bool]:
    """Decode a picture file.

    Returns:
        The picture in grey, `uint8 (height, width)`, on white where it was transparent; and
        whether it had colour.
    """
    source = content if isinstance(content, Path) else io.BytesIO(content)
    with Image.open(source) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
        picture: Image.Image = ImageOps.exif_transpose(opened)
        if picture.mode.startswith(("I", "F")):  # 16 bits a pixel, or 32
            deep = np.asarray(picture, np.float64)
            white = 65535
            if picture.mode == "F":  # nothing says what its white is
                white = next((most for most in (1, 255) if deep.max() <= most), white)
            return (deep * 255 / white).round().clip(0, 255).astype(np.uint8), False
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        if picture.mode in ("L", "1"):
            return np.asarray(picture.convert("L")), False
        channels = np.asarray(picture.convert("RGB"), np.int16)
        return np.asarray(picture.convert("L")), bool(np.ptp(channels, axis=2).max() > COLOUR_STEP)


def of_array(
    images: np.ndarray, labels: np.ndarray, source: str, size: tuple[int, int] | None
) -> Pictures:
    """Pictures from numbers.

    Args:
        images: `(N, height, width)`, `(N, height, width, channels)` or `(N, pixels)`, numbers
            from 0 to 255, or from 0 to 1 where none is larger.
        labels: `(N,)` or `(N, 1)`.
        source: for messages.
        size: height and width, where the pixels come in one row and are no square.

    Raises:
        UserError: there are no pictures, no numbers, or the shapes do not fit.
    """
    if images.size == 0:
        raise UserError(f"{source}: has no pictures")
    if images.dtype.kind not in "buif":
        raise UserError(f"{source}: pixels of type {images.dtype}: they must be numbers")
    if labels.shape not in ((len(images),), (len(images), 1)):
        raise UserError(
            f"{source}: {labels.size} labels in {labels.ndim} dimensions for {len(images)} "
            "images: there must be one for each, in a row"
        )
    if np.nanmax(images, initial=0) <= 1:
        images = images * np.float32(255)
    grid, has_colour = _as_grids(images, source, size)
    values = grid.reshape(len(grid), -1)
    with np.errstate(invalid="ignore"):
        usable = np.all((values >= 0) & (values <= 255), axis=1)  # false for NaN
    found = Pictures(coloured=has_colour)
    for row, label in enumerate(labels.ravel().tolist()):
        name = f"{source}: row {row}"
        if not usable[row]:
            found.bad.append((name, "a pixel is no number from 0 to 255"))
        elif (text := label_text(label)) is None:
            found.bad.append((name, "has no label"))
        else:
            found.images.append(np.round(grid[row]).astype(np.uint8))
            found.labels.append(text)
            found.names.append(name)
    return found


def _as_grids(
    images: np.ndarray, source: str, size: tuple[int, int] | None
) -> tuple[np.ndarray, int]:
    """Pixels as `(N, height, width)`, and how many pictures had colour."""
    if images.ndim == 2:
        pixels = images.shape[1]
        side = round(pixels**0.5)
        height, width = size if size and size[0] * size[1] == pixels else (side, side)
        if height * width != pixels:
            raise UserError(
                f"{source}: {pixels} pixels a row are no square: say --size HEIGHTxWIDTH"
            )
        return images.reshape(-1, height, width), 0
    if images.ndim == 4 and images.shape[3] in (1, 3, 4):
        if images.shape[3] == 1:
            return images[..., 0], 0
        colour = images[..., :3].astype(np.float64)
        grey = colour @ np.array([0.299, 0.587, 0.114])  # as Pillow's convert("L")
        has_colour = int((np.ptp(colour, axis=3).reshape(len(colour), -1).max(axis=1) > 0).sum())
        return grey.round(), has_colour
    if images.ndim != 3:
        raise UserError(
            f"{source}: images of shape {shape_text(images.shape)}: must be N x "
            "height x width, with 1, 3 or 4 channels behind, or N x pixels"
        )
    return images, 0
