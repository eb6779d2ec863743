"""`digits import` in a folder with a catalogue: each format, and what is wrong with each."""

import gzip
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from digits import params
from digits.base.errors import UserError
from digits.cli.main import main
from digits.data import catalogue
from digits.data.splits import Split
from digits.importing import checks, importing, pictures, shaping, sources, writing
from digits.intake import idx
from digits.training import networks
from tests.small_project import Command, edited, ran

Import = Callable[..., str]

pixel = st.integers(0, 255)


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("datasets.yaml", "params.yaml", "dvc.yaml"):
        shutil.copy(root / name, folder)
    return folder


@pytest.fixture
def digits_import(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Import:
    """Call the command in this process, which saves its imports: what it printed, or its error."""

    def digits_import(*arguments: Any, fails: bool = False) -> str:
        before = (project / "datasets.yaml").read_text()
        monkeypatch.chdir(project)
        monkeypatch.setattr(sys, "argv", ["digits", "import", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        if not fails:
            assert ended.value.code == 0
            return capsys.readouterr().out
        assert (project / "datasets.yaml").read_text() == before
        assert not (project / "data").exists()
        return str(ended.value.code)

    return digits_import


@pytest.fixture
def few(handwriting: Split) -> Split:
    """300 digits of the classes 0 to 3, the 3 rare: 9 of them."""
    chosen = np.flatnonzero(handwriting.labels < 3)[:291]
    rare = np.flatnonzero(handwriting.labels == 3)[:9]
    both = np.sort(np.concatenate([chosen, rare]))
    return Split(handwriting.images[both], handwriting.labels[both])


def in_two(split: Split) -> tuple[Split, Split]:
    """Two thirds and one third, with every class in both."""
    is_test = np.arange(len(split.labels)) % 3 == 0
    parts = (~is_test, is_test)
    train, test = (Split(split.images[part], split.labels[part]) for part in parts)
    return train, test


def png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def write_folders(folder: Path, split: Split) -> Path:
    for index, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
        path = folder / "abcd"[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    return folder


def read(project: Path, name: str) -> tuple[catalogue.DataSet, Split, Split]:
    folder = project / "data/imported" / name
    entry = catalogue.find(name, project / "datasets.yaml")
    return entry, idx.read_split(folder, "train"), idx.read_split(folder, "test")


def write_table(path: Path, split: Split, **more: Any) -> Path:
    table = pd.DataFrame(split.images.reshape(len(split.images), -1))
    table.columns = [f"pixel{column}" for column in table.columns]
    table.insert(0, "label", split.labels)
    for column, values in more.items():
        table[column] = values
    table.to_csv(path, index=False)
    return path


def test_a_folder_for_each_class_with_classes_neither_ten_nor_equal(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    done = digits_import(write_folders(tmp_path / "letters", few), "letters")
    entry, train, test = read(project, "letters")
    assert entry.classes == ["a", "b", "c", "d"]
    assert (entry.rows.train, entry.rows.test) == (len(train.labels), len(test.labels))
    assert len(train.labels) + len(test.labels) == 300
    assert entry.class_share[0] < 9 / 300 < 1 / 3 < entry.class_share[1]
    assert set(test.labels) == {0, 1, 2, 3}
    together = np.concatenate([train.images, test.images])
    assert {i.tobytes() for i in together} == {i.tobytes() for i in few.images}
    last = done.splitlines()[-1]
    assert last == "next: dvc exp run -S data.name=letters -S preprocess.validation_size=42"


def of_counts(split: Split, *counts: int) -> Split:
    """So many digits of each class, from 0 on."""
    rows = [np.flatnonzero(split.labels == label)[:count] for label, count in enumerate(counts)]
    chosen = np.concatenate(rows)
    return Split(split.images[chosen], split.labels[chosen])


def test_the_next_command_fits_a_data_set_smaller_than_a_batch(
    digits_import: Import, project: Path, handwriting: Split, tmp_path: Path
) -> None:
    source = write_folders(tmp_path / "tiny", of_counts(handwriting, 50, 50))
    command = digits_import(source, "tiny").splitlines()[-1]
    held, models = 14, params.load(project / "params.yaml").models
    wanted = [f"train.{model}.batch_size={(85 - held) // 8}" for model in models]
    assert command.split()[6:] == [
        word
        for setting in (f"preprocess.validation_size={held}", *wanted)
        for word in ("-S", setting)
    ]


@pytest.mark.parametrize(
    ("counts", "share", "complaint"),
    [
        ((3, 3), "0.9", "--test-share 0.9 leaves 1 of 6 pictures to train, at least 4 are needed"),
        ((3, 2), "0.15", "class b has 2 pictures in all, at least 3 must be there"),
        ((99, 99, 3), "0.15", "class c has 0 pictures in the test split, at least 1 must be there"),
        ((99, 99, 3), "0.5", "class c has 1 pictures in the training split, at least 2 must be"),
    ],
)
def test_too_few_pictures_for_each_split_to_have_every_class(
    digits_import: Import,
    handwriting: Split,
    tmp_path: Path,
    counts: tuple[int, ...],
    share: str,
    complaint: str,
) -> None:
    source = write_folders(tmp_path / "rare", of_counts(handwriting, *counts))
    told = digits_import(source, "rare", "--test-share", share, fails=True)
    assert complaint in told
    assert len(told.splitlines()) == 1
    assert "-S" not in told


@pytest.mark.parametrize(("side", "is_small"), [(8, True), (10, True), (11, False)])
def test_images_too_small_for_the_networks_are_told(
    digits_import: Import, few: Split, tmp_path: Path, side: int, is_small: bool
) -> None:
    """With the project's own parameters, as Keras judges."""
    small = Split(few.images[:, 8 : 8 + side, 8 : 8 + side], few.labels)
    said = digits_import(write_folders(tmp_path / "small", small), "small")
    assert ("too small for the layers of cnn: import it again with `--size 28x28" in said) is (
        is_small
    )
    recipe = params.load(Path("params.yaml")).train.cnn
    if is_small:
        with pytest.raises(UserError, match="no network can be built"):
            networks.build(recipe, (side, side), 4)
    else:
        networks.build(recipe, (side, side), 4)


def test_train_and_test_folders_stay_apart(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    train, test = in_two(few)
    write_folders(tmp_path / "both/train", train)
    write_folders(tmp_path / "both/test", test)
    digits_import(tmp_path / "both", "both")
    _, *found = read(project, "both")
    for split, expected in zip(found, (train, test), strict=True):
        assert {i.tobytes() for i in split.images} == {i.tobytes() for i in expected.images}


def test_of_another_source_the_test_split_is_the_test(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    train, test = in_two(few)
    other_train, test = in_two(test)
    write_folders(tmp_path / "train", train)
    write_folders(tmp_path / "both/train", other_train)
    write_folders(tmp_path / "both/test", test)
    digits_import(tmp_path / "train", "joined", "--test", tmp_path / "both")
    found = read(project, "joined")[2]
    assert {i.tobytes() for i in found.images} == {i.tobytes() for i in test.images}


def test_a_source_with_a_test_split_takes_no_other(
    digits_import: Import, few: Split, tmp_path: Path
) -> None:
    for name, split in zip(("train", "test"), in_two(few), strict=True):
        write_folders(tmp_path / "both" / name, split)
    told = digits_import(tmp_path / "both", "both", "--test", tmp_path / "both/test", fails=True)
    assert told.endswith("has a test split: leave out --test, or give the training part as SOURCE")


def test_a_csv_file_as_kaggles(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    digits_import(write_table(tmp_path / "train.csv", few), "kaggle", "--classes", "w,x,y,z")
    entry, train, _ = read(project, "kaggle")
    assert entry.classes == ["w", "x", "y", "z"]
    by_content = {i.tobytes(): label for i, label in zip(few.images, few.labels, strict=True)}
    assert [by_content[i.tobytes()] for i in train.images] == train.labels.tolist()


def test_a_csv_file_without_a_header(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    rows = np.column_stack([few.labels, few.images.reshape(len(few.images), -1)])
    np.savetxt(tmp_path / "mnist.csv", rows, fmt="%d", delimiter=",")
    digits_import(tmp_path / "mnist.csv", "plain")
    assert read(project, "plain")[0].classes == ["0", "1", "2", "3"]


def write_hub(path: Path, split: Split, **columns: list) -> Path:
    """A Parquet file as Hugging Face's, some of its columns changed or added."""
    images = [{"bytes": png(image), "path": None} for image in split.images]
    table = pa.table({"image": images, "label": split.labels.astype(np.int64)} | columns)
    features = {
        "image": {"_type": "Image"},
        "kind": {"names": ["round", "straight"], "_type": "ClassLabel"},
        "label": {"names": ["zero", "one", "two", "three"], "_type": "ClassLabel"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_the_names_of_the_classes_are_those_of_the_label(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    path = write_hub(tmp_path / "two.parquet", few, kind=(few.labels % 2).tolist())
    digits_import(path, "words")
    assert read(project, "words")[0].classes == ["one", "three", "two", "zero"]
    digits_import(path, "kinds", "--label", "kind")
    assert read(project, "kinds")[0].classes == ["round", "straight"]
    texts = ["abcd"[label] for label in few.labels]
    digits_import(write_hub(tmp_path / "texts.parquet", few, label=texts), "texts")
    assert read(project, "texts")[0].classes == ["a", "b", "c", "d"]


@pytest.mark.parametrize("row", [0, 7])
def test_a_row_without_picture_or_label_is_one_bad_row(
    digits_import: Import, few: Split, tmp_path: Path, row: int
) -> None:
    images: list = [{"bytes": png(image), "path": None} for image in few.images]
    labels: list = few.labels.tolist()
    images[row] = labels[row + 1] = None
    path = write_hub(tmp_path / "few.parquet", few, image=images, label=labels)
    told = digits_import(path, "nulls", fails=True).splitlines()
    assert len(told) == 3
    assert told[0].startswith(f"digits: few.parquet: row {row}: not a picture that can be read")
    assert told[1] == f"digits: few.parquet: row {row + 1}: has no label"
    digits_import(path, "nulls", "--skip-bad")


def test_a_parquet_file_as_hugging_faces(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    write_hub(tmp_path / "train.parquet", few)
    digits_import(tmp_path / "train.parquet", "hub")
    entry, train, test = read(project, "hub")
    assert sorted(entry.classes) == ["one", "three", "two", "zero"]
    named = {i.tobytes(): label for i, label in zip(few.images, few.labels, strict=True)}
    words = ["zero", "one", "two", "three"]
    for split in (train, test):
        expected = [words[named[i.tobytes()]] for i in split.images]
        assert [entry.classes[label] for label in split.labels] == expected


def write_damaged(folder: Path, few: Split) -> None:
    """Sources that cannot be read, each for a reason of its own."""
    table = write_table(folder / "few.csv", few).read_bytes()
    packed = gzip.compress(table)
    (folder / "damaged.csv.gz").write_bytes(packed[:10] + b"\xff" * 10 + packed[20:])
    np.savez(folder / "damaged.npz", x=few.images, y=few.labels)
    packed = (folder / "damaged.npz").read_bytes()
    (folder / "damaged.npz").write_bytes(packed[:1000] + b"\xff" * 10 + packed[1010:])
    np.savez(folder / "one-label.npz", x=few.images, y=np.uint8(3))
    np.savez(folder / "texts.npz", x=few.images.astype(str), y=few.labels)
    for name, images in (("cut", few.images), ("empty", few.images[:0])):
        (folder / name).mkdir()
        for file in catalogue.FILES:
            idx.write(folder / name / file, images if "images" in file else few.labels)
    cut = folder / "cut" / catalogue.FILES[0]
    cut.with_name(f"{cut.name}.gz").write_bytes(gzip.compress(cut.read_bytes())[:-20])
    cut.unlink()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("damaged.csv.gz", "damaged.csv.gz: cannot be read: "),
        ("damaged.npz", "damaged.npz: cannot be read: "),
        ("one-label.npz", "1 labels in 0 dimensions for 300 images: there must be one for each"),
        ("texts.npz", "texts.npz: x: pixels of type <U3: they must be numbers"),
        ("cut", "cut: cannot be read: Compressed file ended before the end"),
        ("empty", "train-images-idx3-ubyte: has no pictures"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_in_a_line(
    digits_import: Import, few: Split, tmp_path: Path, source: str, complaint: str
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    write_damaged(folder, few)
    told = digits_import(folder / source, "mine", fails=True)
    assert complaint in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("type_", [np.uint8, np.int8, bool, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_of_0_and_1_are_black_and_white(type_: type, channels: int) -> None:
    ink = np.arange(12).reshape(3, 2, 2, 1).repeat(channels, axis=3) % 2
    found = pictures.of_array(ink.astype(type_), np.arange(3), "ink", None)
    assert [image.tolist() for image in found.images] == [[[0, 255], [0, 255]]] * 3


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_a_picture_of_floats_keeps_its_ink(tmp_path: Path, white: int) -> None:
    grey = np.array([[0, 0.5], [0.75, 1]], np.float32)
    Image.fromarray(grey * white).save(tmp_path / "a.tif")
    image, _ = pictures.decode(tmp_path / "a.tif")
    assert image.tolist() == [[0, 128], [191, 255]]


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_transparent_ground_of_a_grey_picture_becomes_white(tmp_path: Path, mode: str) -> None:
    ink = Image.fromarray(np.array([[0, 255], [0, 255]], np.uint8)).convert(mode)
    ink.save(tmp_path / "a.png", transparency=0)
    image, has_colour = pictures.decode(tmp_path / "a.png")
    assert (image.tolist(), has_colour) == ([[255, 255], [255, 255]], False)


def test_a_tiff_with_a_damaged_tag_is_a_bad_picture(few: Split) -> None:
    content = io.BytesIO()
    Image.fromarray(few.images[0]).save(content, "TIFF")
    strip_offsets, long, text = b"\x11\x01", b"\x04\x00", b"\x02\x00"
    damaged = content.getvalue().replace(strip_offsets + long, strip_offsets + text)
    found = pictures.Pictures()
    found.add("a.tif", "a", damaged)
    assert [name for name, _ in found.bad] == ["a.tif"]


@pytest.mark.parametrize("scale", [1, 255.0])
def test_an_npz_file_as_keras_with_whole_numbers_or_shares(
    digits_import: Import, project: Path, few: Split, tmp_path: Path, scale: float
) -> None:
    train, test = in_two(few)
    pixels = [each.images if scale == 1 else each.images / scale for each in (train, test)]
    arrays = {"x_train": pixels[0], "y_train": train.labels}
    arrays |= {"x_test": pixels[1][..., None], "y_test": test.labels[:, None]}
    np.savez(tmp_path / "data.npz", **arrays)
    digits_import(tmp_path / "data.npz", "keras")
    _, *found = read(project, "keras")
    np.testing.assert_array_equal(found[0].images, train.images)
    np.testing.assert_array_equal(found[1].labels, test.labels)


def test_idx_files_come_through_to_the_byte(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    source = tmp_path / "idx"
    source.mkdir()
    parts = [part for split in in_two(few) for part in (split.images, split.labels)]
    for name, part in zip(catalogue.FILES, parts, strict=True):
        idx.write(source / name, part)
    digits_import(source, "raw")
    for name in catalogue.FILES:
        assert (project / "data/imported/raw" / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize("names", ["train-{}-idx{}-ubyte", "train-{}.idx{}-ubyte", "{}.idx{}"])
def test_a_pair_of_idx_files_has_the_labels_beside(tmp_path: Path, few: Split, names: str) -> None:
    idx.write(tmp_path / names.format("images", 3), few.images)
    idx.write(tmp_path / names.format("labels", 1), few.labels)
    found, _ = sources.read(tmp_path / names.format("images", 3))
    assert found.labels == [str(label) for label in few.labels]


def test_other_sizes_colour_and_dark_ink_are_changed_and_said(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    folder = write_folders(tmp_path / "paper", few)
    for index, path in enumerate(sorted(folder.rglob("*.png"))):
        with Image.open(path) as picture:
            blue = Image.merge(
                "RGB", [*[picture.point(lambda v: 255 - v)] * 2, Image.new("L", picture.size, 255)]
            )
        blue.resize((40 + index % 3, 60)).save(path)
    done = digits_import(folder, "paper")
    entry, train, _ = read(project, "paper")
    assert entry.image_shape == [28, 28]
    assert np.median(train.images) < 30
    assert "resized to 28 x 28: 300 of 300 pictures" in done
    assert "colour became grey: 300 pictures" in done
    assert "inverted, so that ink is light on black" in done


def test_equal_and_empty_pictures_are_left_out_and_named(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    folder = write_folders(tmp_path / "twice", few)
    shutil.copy(folder / "a/0.png", folder / "a/zero-again.png")
    (folder / "b/empty.png").write_bytes(png(np.zeros((28, 28), np.uint8)))
    done = digits_import(folder, "twice")
    assert "left out: 1 equal to another picture: a/zero-again.png" in done
    assert "left out: 1 of one colour alone: b/empty.png" in done
    assert sum(len(split.labels) for split in read(project, "twice")[1:]) == 300


def test_pictures_that_cannot_be_read_are_named_and_left_out_if_asked(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    folder = write_folders(tmp_path / "bad", few)
    (folder / "a/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    done = digits_import(folder, "bad", fails=True)
    assert done.startswith("digits: a/broken.png: not a picture that can be read: ")
    assert done.endswith("--skip-bad goes on without these")
    told = digits_import(folder, "bad", "--skip-bad")
    assert "left out: 1 that cannot be used: a/broken.png" in told


def write_on_grey(folder: Path, few: Split, paper: int) -> Path:
    """Pictures whose pixels are those of the paper and more; one is of 40 to 91."""
    grey = paper + few.images // 3
    grey[5] = 40 + few.images[5] // 5
    return write_folders(folder, Split(grey, few.labels))


def test_the_threshold_of_ink_is_that_of_most_pictures(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    folder = write_on_grey(tmp_path / "grey", few, 95)
    name = next(str(path.relative_to(folder)) for path in folder.rglob("5.png"))
    refused = digits_import(folder, "grey", "--ink", "light", fails=True).splitlines()
    assert refused == [
        f"digits: {name}: has no ink or no paper: its pixels are 40 to 91, ink is from 128 on",
        "digits: --skip-bad goes on without these",
    ]
    told = digits_import(folder, "grey", "--ink", "light", "--skip-bad")
    assert f"left out: 1 without ink or without paper: {name}" in told
    assert "ink_threshold" not in told.splitlines()[-1]
    darker = write_folders(tmp_path / "darker", Split(few.images // 4, few.labels))
    highest = few.images.max(axis=(1, 2)).min() // 4
    assert f"-S validate.ink_threshold={highest}" in digits_import(darker, "darker").split("\n")[-2]


@given(st.lists(st.tuples(pixel, pixel), min_size=1), st.integers(1, 255))
def test_no_other_threshold_fits_more_pictures_or_is_nearer(
    ranges: list[tuple[int, int]], present: int
) -> None:
    sorted_ranges = np.array([sorted(each) for each in ranges])
    low, high = sorted_ranges.T
    fitting = {value: int(((low < value) & (value <= high)).sum()) for value in range(1, 256)}
    chosen = shaping.ink_threshold(sorted_ranges, present)
    most = max(fitting.values())
    assert fitting[chosen] == most
    assert all(
        abs(value - present) >= abs(chosen - present)
        for value, count in fitting.items()
        if count == most
    )


def test_labels_of_one_value_keep_their_order() -> None:
    labels = ["1", "01", "a", "0"]
    for unsorted in (labels, labels[::-1]):
        assert sorted(unsorted, key=checks.natural) == ["0", "01", "1", "a"]


def test_a_class_of_equal_pictures_alone_is_told_what_does_not_count(
    digits_import: Import, few: Split, tmp_path: Path
) -> None:
    folder = write_folders(tmp_path / "equal", few)
    for name in "123":
        (folder / "e").mkdir(exist_ok=True)
        shutil.copy(folder / "a/0.png", folder / f"e/{name}.png")
    told = digits_import(folder, "equal", fails=True)
    assert "class e has 0 pictures in all, at least 3 must be there, without those left out" in told


def test_bad_rows_are_named(digits_import: Import, few: Split, tmp_path: Path) -> None:
    path = write_table(tmp_path / "bad.csv", few)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(",0,", ",300,", 1)
    lines[7] = lines[7].replace(",0,", ",ink,", 1)
    path.write_text("\n".join(lines))
    told = digits_import(path, "bad", fails=True).splitlines()
    assert told[:2] == [
        "digits: bad.csv: row 2: a pixel is no number from 0 to 255",
        "digits: bad.csv: row 6: a pixel is no number from 0 to 255",
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere", "mine"], "there is no such file or folder"),
        (["dvc.yaml", "mine"], "must be a folder with a folder of pictures for each class"),
        ([".", "Mine"], "a name must be of the form"),
        ([".", "mnist"], "mnist: is in datasets.yaml already; --replace writes it anew"),
        ([".", "mnist", "--replace"], "mnist: no import wrote its entry in datasets.yaml"),
        ([".", "null"], "reads it as no text: take another, such as my_null"),
        ([".", "nan"], "nan: YAML or `dvc exp run -S` reads it as no text"),
        ([".", "mine"], "has no pictures"),
        (["few.csv", "mine", "--label", "kind"], "which column is the label? --label COLUMN"),
        (["few.csv", "mine", "--classes", "a,b"], "--classes has 2 names, but there are 4 classes"),
        (["few.csv", "mine", "--classes", "a,b,a,c"], "--classes has a twice: give each class its"),
        (["odd.csv", "mine"], "785 pixels a row are no square: say --size HEIGHTxWIDTH"),
        (["odd.csv", "mine"], "HEIGHTxWIDTH, or remove the columns that are no pixels: more"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    digits_import: Import, project: Path, few: Split, arguments: list[str], complaint: str
) -> None:
    write_table(project / "few.csv", few)
    write_table(project / "odd.csv", few, more=0)
    done = digits_import(*arguments, fails=True)
    assert complaint in done
    assert len(done.splitlines()) == 1


@pytest.mark.parametrize("size", ["0x28", "28x00", "000x28", "28", "28x1000"])
def test_a_size_is_of_pixels(digits_import: Import, size: str) -> None:
    assert digits_import(".", "mine", "--size", size, fails=True) == "2"


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_is_one_that_numpy_takes(digits_import: Import, seed: int) -> None:
    assert digits_import(".", "mine", "--seed", seed, fails=True) == "2"


def test_an_entry_can_be_replaced_and_the_others_stay(
    digits_import: Import, project: Path, few: Split, tmp_path: Path
) -> None:
    original = (project / "datasets.yaml").read_text()
    source = write_table(tmp_path / "few.csv", few)
    for name in ("first", "second"):
        digits_import(source, name)
    commented = (project / "datasets.yaml").read_text().replace("\nfirst:\n", "\nfirst:  # ours\n")
    (project / "datasets.yaml").write_text(commented)
    digits_import(source, "first", "--replace", "--title", "Anew")
    text = (project / "datasets.yaml").read_text()
    assert text.startswith(original)
    assert text.count("\nfirst:\n") == text.count("\nsecond:\n") == 1
    assert read(project, "first")[0].title == "Anew"


@pytest.mark.parametrize(
    ("classes", "title", "before", "complaint"),
    [
        ("abcd", "\x7f", "", "control characters are not allowed"),
        (["a\udcff", "b", "c", "d"], "", "", "surrogates not allowed"),
        ("abcd", "", '"mine": {}\n', "key 'mine' twice"),
    ],
)
def test_an_entry_that_is_no_yaml_is_told_in_a_line(
    project: Path, few: Split, classes: str | list[str], title: str, before: str, complaint: str
) -> None:
    text = (project / "datasets.yaml").read_text() + before
    (project / "datasets.yaml").write_text(text)
    data_set = importing.DataSet(list(classes), few, few, [])
    with pytest.raises(UserError, match=complaint) as refused:
        writing.write("mine", data_set, importing.Wishes(title=title), project)
    assert len(str(refused.value).splitlines()) == 1
    assert (project / "datasets.yaml").read_text() == text
    assert not list((project / "data/imported").iterdir())


@pytest.mark.slow
def test_the_pipeline_learns_from_what_was_imported(
    new_project: Callable[[], Path], run: Command, few: Split, tmp_path: Path
) -> None:
    project = new_project()
    larger = np.pad(few.images, ((0, 0), (2, 2), (2, 2)))  # 32 x 32, and kept so
    source = write_on_grey(tmp_path / "own", Split(larger, few.labels), 130)
    done = run(project, "digits", "import", source, "own", "--skip-bad", "--ink", "light")
    assert "-S validate.ink_threshold=" in done.stdout.splitlines()[-1]
    command = done.stdout.splitlines()[-1].removeprefix("next: ").split()
    experiment = run(project, *command)
    assert ran(experiment)[-1] == "card"
    metrics = json.loads((project / "reports/evaluate/cnn/metrics.json").read_text())
    assert 0.25 < metrics["accuracy"] <= 1
    with edited(project / "params.yaml") as params:
        assert params["data"]["name"] == "own"
