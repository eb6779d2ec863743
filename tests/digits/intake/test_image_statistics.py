"""The tables, against the definitions of their columns and slower ways to compute them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import ndimage

from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.intake import idx, image_statistics

IMAGES = npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, max_side=6))


def split_of(images: np.ndarray) -> Split:
    return Split(images, np.zeros(len(images), np.uint8))


@given(IMAGES, st.integers(1, 255))
def test_each_image_is_described(images: np.ndarray, ink_threshold: int) -> None:
    table = image_statistics.describe_images({"train": split_of(images)}, ink_threshold)
    assert list(table["index"]) == list(range(len(images)))
    for image, row in zip(images, table.itertuples(index=False), strict=True):
        assert (row.min, row.max) == (image.min(), image.max())
        assert row.mean_ink == pytest.approx(image.mean() / 255)
        assert row.ink_fraction == pytest.approx((image >= ink_threshold).mean())
        if image.any():
            centre = ndimage.center_of_mass(image.astype(float))
            assert (row.centre_row, row.centre_column) == pytest.approx(centre)
        else:
            assert np.isnan([row.centre_row, row.centre_column]).all()


@given(IMAGES, st.data())
def test_equal_images_have_equal_hashes(images: np.ndarray, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(images) - 1), min_size=1))
    splits = {"train": split_of(images), "test": split_of(images[chosen])}
    table = image_statistics.describe_images(splits, 128)
    different = np.unique(images.reshape(len(images), -1), axis=0)
    assert table["hash"].nunique() == len(different)
    assert (table.loc[table["split"] == "test", "splits"] == 2).all()


def test_images_of_one_split_are_counted_for_one() -> None:
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1)
    table = image_statistics.describe_images(
        {"train": split_of(images), "test": split_of(images[:1])}, 1
    )
    assert list(table["splits"]) == [2, 1, 1, 2]


def test_classes_are_counted_and_other_labels_left_out() -> None:
    images = np.zeros((4, 1, 1), np.uint8)
    train = Split(images, np.array([0, 0, 1, 200], np.uint8))
    test = Split(images[:1], np.array([2], np.uint8))
    table = image_statistics.describe_classes(
        image_statistics.describe_images({"train": train, "test": test}, 128), ["a", "b", "c"]
    )
    assert table.to_dict("list") == {
        "split": ["train"] * 3 + ["test"] * 3,
        "class": ["a", "b", "c"] * 2,
        "images": [2, 1, 0, 0, 0, 1],
        "share": [0.5, 0.25, 0, 0, 0, 1],
    }


def test_files_are_described(tmp_path: Path) -> None:
    train = Split(np.zeros((3, 4, 5), np.uint8), np.zeros(2, np.uint8))
    test = split_of(np.zeros((1, 4, 5), np.uint8))
    arrays = (train.images, train.labels, test.images, test.labels)
    for name, array in zip(FILES, arrays, strict=True):
        idx.write(tmp_path / name, array)
    table = image_statistics.describe_files(tmp_path, train, test)
    assert list(table["file"]) == list(FILES)
    assert list(table["magic"]) == ["00000803", "00000801"] * 2
    assert list(table["count"]) == [3, 2, 1, 1]
    assert list(table["partner_count"]) == [2, 3, 1, 1]
    assert list(table["image_shape"].dropna()) == ["4 x 5", "4 x 5"]
    assert list(table["bytes"]) == list(table["declared_bytes"]) == [76, 10, 36, 9]


def test_the_summary_counts_repeated_images() -> None:
    train = split_of(np.array([1, 1, 1, 2], np.uint8).reshape(4, 1, 1))
    test = split_of(np.array([2, 3], np.uint8).reshape(2, 1, 1))
    images = image_statistics.describe_images({"train": train, "test": test}, 128)
    assert image_statistics.summarize(
        images, image_statistics.describe_classes(images, ["a", "b"])
    ) == {
        "train_images": 4,
        "test_images": 2,
        "mean_ink_train": 0.004902,
        "mean_ink_test": 0.009804,
        "smallest_class_share": 0,
        "largest_class_share": 1,
        "duplicates_within_splits": 2,
        "test_images_in_train": 1,
    }
