"""Every way to store images gives the same images; a row that cannot be read says why."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from digits.base.errors import UserError
from digits.intake import idx
from digits.scoring import inputs, pixels

SHAPE = (28, 28)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


FORMS: dict[str, Callable[[np.ndarray], dict]] = {
    "pictures": lambda images: {"image": [png(image) for image in images]},
    "structs": lambda images: {"image": [{"bytes": png(i), "path": "a.png"} for i in images]},
    "bytes": lambda images: {"image": pa.array([i.tobytes() for i in images], pa.binary(784))},
    "lists": lambda images: {"image": images.reshape(-1, 784).tolist()},
    "floats": lambda images: {"image": images.reshape(-1, 784).astype(float).tolist()},
    "rows": lambda images: {"image": images.tolist()},
    "columns": lambda images: {f"p{i}": images.reshape(-1, 784)[:, i] for i in range(784)},
}


def all_of(source: inputs.Source) -> list[pa.RecordBatch]:
    parts = [inputs.read(source.place, part, source.columns) for part in source.parts]
    return [batch for part in parts for batch in part]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_parquet(form: str, images: np.ndarray, workspace: Path) -> None:
    few = images[:50]
    pq.write_table(pa.table({"label": [0] * 50, **FORMS[form](few)}), "a.parquet")
    (batch,) = all_of(inputs.plan(str(workspace / "a.parquet")))
    found, errors = pixels.images_of(batch["picture"], SHAPE)
    assert np.array_equal(found, few)
    assert set(errors) == {None}
    assert batch["id"].to_pylist() == list(range(50))


def test_idx_is_read_in_parts(images: np.ndarray, workspace: Path) -> None:
    idx.write(workspace / "images", images)
    source = inputs.plan(str(workspace / "images"))
    assert [part.rows for part in source.parts] == [400, 400, 400, 400, 197]
    batches = all_of(source)
    found = np.concatenate([pixels.images_of(batch["picture"], SHAPE)[0] for batch in batches])
    assert np.array_equal(found, images)
    ids = [number for batch in batches for number in batch["id"].to_pylist()]
    assert ids == list(range(len(images)))


def test_pictures_of_a_folder_and_of_a_glob(images: np.ndarray, workspace: Path) -> None:
    (workspace / "inner").mkdir()
    for name in ("a.png", "inner/b.png"):
        (workspace / name).write_bytes(png(images[0]))
    (workspace / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match="of one kind"):
        inputs.plan(str(workspace))
    assert inputs.plan(str(workspace / "inner")).rows == 1
    source = inputs.plan(f"{workspace}/*.png")
    assert [batch["id"][0].as_py() for batch in all_of(source)] == [str(workspace / "a.png")]


@pytest.mark.parametrize(
    ("column", "error"),
    [
        (pa.array([None, [0] * 784], pa.list_(pa.int64())), pixels.MISSING),
        (pa.array([[0] * 783, [0] * 784]), pixels.WRONG_SIZE),
        (pa.array([[[0] * 56] * 14, [[0] * 28] * 28]), pixels.WRONG_SIZE),
        (pa.array([[None, *[[0] * 28] * 27], [[0] * 28] * 28]), pixels.WRONG_SIZE),
        (pa.array([[256] + [0] * 783, [0] * 784]), pixels.OUT_OF_RANGE),
        (pa.array([[0.5] + [0.0] * 783, [0.0] * 784]), pixels.OUT_OF_RANGE),
        (pa.array([[float("nan")] + [0.0] * 783, [0.0] * 784]), pixels.OUT_OF_RANGE),
        (pa.array([[None] + [0] * 783, [0] * 784]), pixels.OUT_OF_RANGE),
        (pa.array([b"GIF89a but no more", png(np.zeros(SHAPE, np.uint8))]), pixels.UNREADABLE),
        (
            pa.array([png(np.zeros((9, 9), np.uint8)), png(np.zeros(SHAPE, np.uint8))]),
            pixels.WRONG_SIZE,
        ),
    ],
)
def test_a_row_that_cannot_be_read_says_why(column: pa.Array, error: str) -> None:
    found, errors = pixels.images_of(column, SHAPE)
    assert list(errors) == [error, None]
    assert found.shape == (2, *SHAPE)


def test_a_slice_of_bytes_begins_where_it_says(images: np.ndarray) -> None:
    column = pa.array([image.tobytes() for image in images[:10]], pa.binary(784))[3:7]
    assert np.array_equal(pixels.images_of(column, SHAPE)[0], images[3:7])


def test_mistakes_are_named(workspace: Path, parquet: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        inputs.plan(str(workspace / "nothing"))
    with pytest.raises(UserError, match="has no column image; it has id, pixels"):
        inputs.plan(str(parquet), column="image")
    pq.write_table(pa.table({"a": [1]}), workspace / "b.parquet")
    with pytest.raises(UserError, match="name it with --column; there are a"):
        inputs.plan(str(workspace / "b.parquet"))
    with pytest.raises(UserError, match="column id holds string: must be picture files, bytes"):
        inputs.plan(str(parquet), column="id")


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["a"] * 784, pa.list_(pa.string())),
        ([True] * 784, pa.list_(pa.bool_())),
        ([[[0]] * 28] * 28, pa.list_(pa.list_(pa.list_(pa.int64())))),
        ({"bytes": 1}, pa.struct([("bytes", pa.int64())])),
    ],
)
def test_lists_of_no_numbers_are_refused(
    workspace: Path, values: object, type_: pa.DataType
) -> None:
    pq.write_table(pa.table({"image": pa.array([values], type_)}), "a.parquet")
    with pytest.raises(UserError, match="which column holds the pictures"):
        inputs.plan(str(workspace / "a.parquet"))
    with pytest.raises(UserError, match=r"column image holds (list|struct)"):
        inputs.plan(str(workspace / "a.parquet"), column="image")


@pytest.mark.parametrize("other", [{"image": [[0] * 784]}, {"id": [0], "pixels": [[0] * 784]}])
def test_files_with_different_columns_are_refused_before_any_work(
    workspace: Path, other: dict
) -> None:
    (workspace / "in").mkdir()
    pq.write_table(pa.table({"pixels": [[0] * 784]}), "in/a.parquet")
    pq.write_table(pa.table(other), "in/b.parquet")
    with pytest.raises(UserError, match=r"b.parquet: has its pictures or ids in other columns"):
        inputs.plan(str(workspace / "in"))


def test_a_damaged_page_is_told_with_its_file(workspace: Path, parquet: Path) -> None:
    content = bytearray(parquet.read_bytes())
    with pq.ParquetFile(parquet) as file:
        start = file.metadata.row_group(0).column(1).dictionary_page_offset
    content[start : start + 20] = b"\xff" * 20
    parquet.write_bytes(content)
    source = inputs.plan(str(parquet))
    with pytest.raises(UserError, match=r"images.parquet: not Parquet that can be read"):
        all_of(source)
