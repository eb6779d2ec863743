"""From the bytes of a picture file to its pixels, whoever sent them."""

import io

import numpy as np
from PIL import Image, ImageOps

from digits.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MOST_PIXELS = 50_000_000  # a large camera's; 150 MB once decoded
WIDE_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")  # more than 8 bits of grey


def decode(content: bytes, most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """The pixels of a picture file, the right way up; of an animation, its first picture.

    What is transparent becomes the paper: white, or black under light ink.

    Args:
        content: PNG, JPEG, WebP, BMP, GIF, TIFF or PNM.
        most_pixels: more are refused by the file's header, before anything is unpacked.

    Returns:
        `uint8 (height, width, 3)`, red, green, blue.

    Raises:
        UserError: it is not such a file, damaged, or too large.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > most_pixels:
                raise UserError(
                    f"{image.width} x {image.height} pixels: at most {most_pixels:,} are read; "
                    "make the picture smaller"
                )
            upright = ImageOps.exif_transpose(image)
            if upright.mode in WIDE_MODES:
                return _grey(np.asarray(upright, np.float64))
            if upright.has_transparency_data:
                return _on_paper(np.asarray(upright.convert("RGBA")))
            return np.asarray(upright.convert("RGB"))
    except UserError:
        raise
    except Exception as error:  # Pillow's readers raise errors of a dozen kinds
        reason = " ".join(str(error).split()).partition(" <_io")[0]
        raise UserError(
            f"not a picture that can be read ({reason}); send PNG, JPEG, WebP or BMP"
        ) from None


def _grey(values: np.ndarray) -> np.ndarray:
    """Grey of any range, `(height, width)`, as `uint8 (height, width, 3)`.

    A file of 16 bits that uses few of them, as scanners write, keeps its proportions.
    """
    finite = np.nan_to_num(values, posinf=0, neginf=0).clip(0)
    full = 255 if finite.max(initial=0) <= 255 else max(65535.0, finite.max())
    return np.repeat(np.rint(finite * (255 / full)).astype(np.uint8)[..., None], 3, axis=2)


def _on_paper(pixels: np.ndarray) -> np.ndarray:
    """Lay `uint8 (height, width, 4)` on white, or on black if what is opaque is light."""
    colours, opacity = pixels[..., :3].astype(np.float32), pixels[..., 3:] / np.float32(255)
    ink = (colours * opacity).sum() / max(3 * opacity.sum(), 1)
    # A picture without a transparent pixel has its own ground.
    paper = 0 if ink > 127 and opacity.mean() < 0.5 else 255
    return np.rint(colours * opacity + paper * (1 - opacity)).astype(np.uint8)
