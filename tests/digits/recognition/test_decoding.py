import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from digits.base.errors import UserError
from digits.recognition.decoding import decode
from tests.small_project import Command

# A red corner at the top left, so that one sees how it is turned.
PICTURE = np.full((6, 9, 3), 255, np.uint8)
PICTURE[:2, :3] = 255, 0, 0


def content(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF", "GIF", "PPM"])
def test_formats_without_loss(name: str) -> None:
    assert (decode(content(Image.fromarray(PICTURE), name)) == PICTURE).all()


@pytest.mark.parametrize("name", ["JPEG", "WEBP"])
def test_formats_with_loss(name: str) -> None:
    grey = np.full((16, 16, 3), 80, np.uint8)
    assert np.abs(decode(content(Image.fromarray(grey), name)).astype(int) - 80).max() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    pixels = decode(content(Image.fromarray(PICTURE), exif=exif))
    assert pixels.shape[:2] == ((6, 9) if orientation < 5 else (9, 6))
    right = orientation in (2, 3, 6, 7)
    below = orientation in (3, 4, 7, 8)
    assert tuple(pixels[-below, -right]) == (255, 0, 0)


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_the_transparent_becomes_paper(ink: int, paper: int) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:4, 2:4] = ink, ink, ink, 255
    decoded = decode(content(Image.fromarray(pixels)))
    assert (decoded[0, 0] == paper).all()
    assert (decoded[2, 2] == ink).all()


def test_a_transparent_colour_of_a_palette_becomes_paper() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 9, 9, 9])
    image.putpixel((1, 1), 0)
    decoded = decode(content(image, transparency=1))
    assert (decoded[0, 0] == 255).all()
    assert (decoded[1, 1] == 0).all()


def test_16_bits_keep_their_proportions() -> None:
    grey = np.array([[0, 32768, 65535]], np.uint16)
    assert decode(content(Image.fromarray(grey)))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("highest", [1, 255])
def test_numbers_with_a_point_end_at_1_or_255(highest: int) -> None:
    grey = np.array([[0, 0.2 * highest, highest]], np.float32)
    assert decode(content(Image.fromarray(grey), "TIFF"))[0, :, 0].tolist() == [0, 51, 255]


def test_cmyk() -> None:
    image = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
    assert decode(content(image, "JPEG")).max() < 10


def test_of_an_animation_the_first_picture() -> None:
    frames = [Image.new("RGB", (4, 4), (value, 0, 0)) for value in (10, 200)]
    stream = content(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert abs(int(decode(stream)[0, 0, 0]) - 10) < 5


def test_a_bomb_is_refused_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000)))):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        bomb += struct.pack(">I", len(data)) + kind + data + checksum
    with pytest.raises(UserError, match="60000 x 60000 pixels: at most 50,000,000 are read"):
        decode(bomb)


def test_the_limit_is_the_number_of_pixels() -> None:
    stream = content(Image.fromarray(PICTURE))
    assert decode(stream, most_pixels=54).shape == PICTURE.shape
    with pytest.raises(UserError, match="at most 53"):
        decode(stream, most_pixels=53)


@pytest.mark.parametrize("stream", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF"])
def test_what_is_no_picture_is_refused_in_a_line(stream: bytes) -> None:
    with pytest.raises(UserError, match="not a picture that can be read") as error:
        decode(stream)
    assert "0x" not in str(error.value)  # no address in memory
    assert "\n" not in str(error.value)


def test_what_pillow_finds_odd_is_not_shown(tmp_path: Path, python: Command) -> None:
    entry = struct.Struct("<HHI")  # tag, type, count: of the planes only one value is expected
    one, two = entry.pack(284, 3, 1), entry.pack(284, 3, 2)
    odd = content(Image.fromarray(PICTURE), "TIFF").replace(one, two)
    (tmp_path / "odd.tiff").write_bytes(odd)
    code = "import pathlib; from digits.recognition.decoding import decode; "
    code += "print(decode(pathlib.Path('odd.tiff')).shape)"
    done = python("-c", code)
    assert (done.stdout, done.stderr) == ("(6, 9, 3)\n", "")


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_damaged_picture_is_read_or_refused(name: str, data: st.DataObject) -> None:
    whole = bytearray(content(Image.fromarray(PICTURE), name))
    end = data.draw(st.integers(1, len(whole)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(bytes(whole[:end]), most_pixels=10_000)
    except UserError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
