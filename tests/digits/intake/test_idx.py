import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from digits.base.errors import UserError
from digits.intake import idx

HEADER = struct.pack(">HBB2I", 0, 8, 2, 2, 3)  # 2 x 3 values
CONTENT = HEADER + bytes(range(6))


@given(st.binary() | st.binary(max_size=300).map(lambda tail: b"\0\0\x08" + tail))
@example(b"\0\0\x08\xff" + b"\0" * 4 * 255)  # more dimensions than numpy has
@example(b"\0\0\x08\x03" + b"\0" * 4 + b"\xff" * 8)  # empty, of a size beyond any index
@example(b"\0\0\x08\x03" + b"\xff" * 12)  # 79 thousand million million million bytes
def test_any_bytes_give_an_array_or_a_one_line_error(content: bytes) -> None:
    try:
        array = idx.parse(content, "some-file")
    except UserError as error:
        assert str(error).startswith("some-file: ")  # noqa: PT017
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    else:
        assert array.dtype == np.uint8
        assert array.nbytes < len(content)


@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=1, max_dims=4, min_side=0)))
def test_what_write_writes_read_reads(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray
) -> None:
    path = tmp_path_factory.getbasetemp() / "array-idx"
    idx.write(path, array)
    np.testing.assert_array_equal(idx.read(path), array, strict=True)


def test_write_keeps_the_order_of_a_transposed_array(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3).T
    idx.write(tmp_path / "transposed", array)
    np.testing.assert_array_equal(idx.read(tmp_path / "transposed"), array)


def test_parse_reads_row_by_row() -> None:
    np.testing.assert_array_equal(idx.parse(CONTENT), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file: it must begin with two zero bytes"),
        (b"\x1f\x8b\x08\0gzipped", "not an IDX file: it must begin with two zero bytes"),
        (b"\0\0\x0d\x01\0\0\0\0", "values of type 0x0d, must be 0x08, unsigned bytes"),
        (b"\0\0\x08\0", "the header declares no dimension"),
        (HEADER[:-1], "ends inside its header of 12 bytes"),
        (CONTENT[:-1], "the header declares 2 x 3 values, so 18 bytes, but there are 17"),
        (CONTENT + b"\0", "the header declares 2 x 3 values, so 18 bytes, but there are 19"),
    ],
)
def test_parse_says_what_is_wrong(content: bytes, message: str) -> None:
    with pytest.raises(UserError) as raised:
        idx.parse(content, "train-images")
    assert str(raised.value) == f"train-images: {message}"


def test_write_refuses_other_types(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="float64"):
        idx.write(tmp_path / "floats", np.zeros(3))
    assert not (tmp_path / "floats").exists()
