"""From the bytes of a picture file to its pixels, whoever sent them."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from digits.base.errors import UserError
from digits.base.text import one_line

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MOST_PIXELS = 50_000_000  # a large camera's; 150 MB once decoded
ENOUGH = 1000  # pixels of the longer side, to tell light ink from dark
WIDE_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")  # more than 8 bits of grey

Image.MAX_IMAGE_PIXELS = None  # `decode` has a lower limit, and its own words for it
# What Pillow finds odd in a file is no concern of who sees its digits: it can be read, or
# `decode` says why not.
warnings.filterwarnings("ignore", module="PIL")


def count_pages(picture: bytes | Path) -> int:
    """Count the pages of a TIFF file; of any other file, and of a damaged one, it is one."""
    try:
        with _open(picture) as file, Image.open(file, formats=["TIFF"]) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # `decode` names what is wrong
        return 1


def _open(picture: bytes | Path) -> BinaryIO:
    return picture.open("rb") if isinstance(picture, Path) else io.BytesIO(picture)


def decode(
    picture: bytes | Path,
    most_pixels: int = MOST_PIXELS,
    formats: Sequence[str] = FORMATS,
    page: int = 0,
) -> np.ndarray:
    """Decode a picture file, the right way up; of an animation, its first picture.

    What is transparent becomes the paper: white, or black under light ink.

    Args:
        picture: a file, or its content: PNG, JPEG, WebP, BMP, GIF, TIFF or PNM.
        most_pixels: more are refused by the file's header, before anything is unpacked.
        formats: of FORMATS, those that are taken.
        page: of a TIFF file, from 0 on.

    Returns:
        `uint8 (height, width, 3)`, red, green, blue.

    Raises:
        UserError: it is not such a file, damaged, or too large.
        OSError: there is no such file, or it may not be read.
    """
    with _open(picture) as file:
        return _decode(file, most_pixels, formats, page)


def _decode(file: BinaryIO, most_pixels: int, formats: Sequence[str], page: int) -> np.ndarray:
    try:
        with Image.open(file, formats=list(formats)) as image:
            if page:
                image.seek(page)
            if image.width * image.height > most_pixels:
                raise UserError(
                    f"{image.width} x {image.height} pixels: at most {most_pixels:,} are read; "
                    "make the picture smaller"
                )
            ImageOps.exif_transpose(image, in_place=True)
            if image.mode in WIDE_MODES:
                return _grey(np.array(image, np.float32), is_float=image.mode == "F")
            if image.has_transparency_data:
                return np.asarray(_on_paper(image.convert("RGBA")))
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except (UserError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise errors of a dozen kinds
        reason = one_line(error).partition(" <_io")[0]
        raise UserError(
            f"not a picture that can be read ({reason}); send PNG, JPEG, WebP or BMP"
        ) from None


def _grey(values: np.ndarray, is_float: bool) -> np.ndarray:
    """Convert grey of any range, `float32 (height, width)`, to `uint8 (height, width, 3)`.

    A file of 16 bits that uses few of them, as scanners write, keeps its proportions.

    Args:
        values: are overwritten, because a copy of a large picture is hundreds of megabytes.
        is_float: of a file of numbers with a point, which may end at 1.
    """
    np.nan_to_num(values, copy=False, posinf=0, neginf=0)
    highest = values.max(initial=0)
    usual = 1 if is_float and highest <= 1 else 255
    values *= 255 / (usual if highest <= 255 else max(65535, highest))
    grey = np.rint(values.clip(0, out=values), out=values).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _on_paper(image: Image.Image) -> Image.Image:
    """Lay red, green, blue and opacity on white, or on black if what is opaque is light."""
    few = image.reduce(-(-max(image.size) // ENOUGH))
    colours, opacity = np.split(np.asarray(few, np.float32), [3], axis=2)
    ink = (colours * opacity).sum() / max(3 * opacity.sum(), 1)
    # A picture with little that is transparent has its own ground.
    is_light = ink > 127 and opacity.mean() < 255 / 2
    paper = Image.new("RGB", image.size, "black" if is_light else "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper
