"""Each expectation, broken in data that is sound but for that."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digits.data.catalogue import FILES, DataSet
from digits.data.splits import Split
from digits.intake import expectations, idx, image_statistics
from digits.intake.suites import Result
from digits.params import Validate

OPTIONS = Validate(
    min_class_share=0.05,
    max_class_share=0.15,
    ink_threshold=128,
    samples_per_class=1,
    projected_images=3,
    seed=0,
)
DATA_SET = DataSet.model_validate(
    {
        "title": "Digits",
        "classes": list("0123456789"),
        "rows": {"train": 400, "test": 100},
        "image_shape": [28, 28],
        "mean_ink": [0.16, 0.18],
        "mirrors": ["dir:elsewhere"],
        "sha256": dict.fromkeys(FILES, "0" * 64),
        "licence": "none",
        "citation": "none",
    }
)
Splits = dict[str, Split]


@pytest.fixture
def splits(handwriting: Split) -> Splits:
    images, labels = handwriting.images.copy(), handwriting.labels.copy()
    return {
        "train": Split(images[:400], labels[:400]),
        "test": Split(images[400:500], labels[400:500]),
    }


def check_content(splits: Splits) -> list[Result]:
    images = image_statistics.describe_images(splits, OPTIONS.ink_threshold)
    classes = image_statistics.describe_classes(images, DATA_SET.classes)
    return [
        *expectations.check_images(images, DATA_SET, OPTIONS),
        *expectations.check_classes(classes, OPTIONS),
    ]


def check_files(splits: Splits, folder: Path) -> list[Result]:
    train, test = splits["train"], splits["test"]
    arrays = (train.images, train.labels, test.images, test.labels)
    for name, array in zip(FILES, arrays, strict=True):
        idx.write(folder / name, array)
    return expectations.check_files(image_statistics.describe_files(folder, train, test), DATA_SET)


def broken(results: list[Result]) -> list[str]:
    return [result.explain() for result in results if not result.success]


def test_sound_data_passes(splits: Splits, tmp_path: Path) -> None:
    results = check_files(splits, tmp_path) + check_content(splits)
    assert broken(results) == []
    assert len(results) == 22
    assert all(result.error is None and not result.first_rows for result in results)


def test_equal_data_gives_equal_results(splits: Splits, tmp_path: Path) -> None:
    first = check_files(splits, tmp_path) + check_content(splits)
    assert check_files(splits, tmp_path) + check_content(splits) == first


def test_what_holds_says_what_was_observed(splits: Splits, tmp_path: Path) -> None:
    results = check_files(splits, tmp_path) + check_content(splits)
    observed = {(result.column, result.where): result.observed for result in results}
    assert observed["magic", "content is labels"] == "00000801"
    assert observed["count, partner_count", ""] == "400 / 400, 100 / 100"
    assert observed["", "split is test"] == 100
    assert observed["label", ""] == "0 to 9"
    assert observed["mean_ink", "split is train"] == 0.169895
    assert observed["split, hash", ""] == "500 different"


def label_beyond_the_classes(splits: Splits) -> None:
    splits["train"].labels[[7, 3]] = 10, 255


def empty_images(splits: Splits) -> None:
    splits["train"].images[5] = 0
    splits["train"].images[8] = 255


def many_empty_images(splits: Splits) -> None:
    # Of different shades, so that no two are the same.
    splits["train"].images[:7] = np.arange(7).reshape(7, 1, 1)


def duplicate_in_test(splits: Splits) -> None:
    splits["test"].images[9] = splits["test"].images[2]


def leak(splits: Splits) -> None:
    splits["test"].images[4] = splits["train"].images[11]


def missing_rows(splits: Splits) -> None:
    splits["train"] = Split(splits["train"].images[:-1], splits["train"].labels[:-1])


def missing_class(splits: Splits) -> None:
    labels = splits["test"].labels
    labels[labels == 3] = 8


@pytest.mark.parametrize(
    ("break_it", "complaints"),
    [
        (
            label_beyond_the_classes,
            [
                "expect_column_values_to_be_between on images.label: 2 rows: train 3, train 7; "
                "a label must be one of the classes, 0 to 9"
            ],
        ),
        (
            empty_images,
            [
                "expect_column_values_to_be_between on images.ink_fraction: "
                "2 rows: train 5, train 8; no image may be empty, all ink or none"
            ],
        ),
        (
            many_empty_images,
            [
                "expect_column_values_to_be_between on images.ink_fraction: "
                "7 rows: train 0, train 1, train 2, train 3, train 4, ...; "
                "no image may be empty, all ink or none"
            ],
        ),
        (
            duplicate_in_test,
            [
                "expect_compound_columns_to_be_unique on images.split, hash: "
                "2 rows: test 2, test 9; no image may occur twice within a split"
            ],
        ),
        (
            leak,
            [
                "expect_column_values_to_be_in_set on images.splits where split is test: "
                "1 row: test 4; no image of test may occur in train"
            ],
        ),
        (
            missing_rows,
            [
                "expect_table_row_count_to_equal on images where split is train: found 399; "
                "train must have 400 images"
            ],
        ),
        (
            missing_class,
            [
                "expect_column_values_to_be_between on classes.images: 1 row: test 3; "
                "each class must occur in each split",
                "expect_column_values_to_be_between on classes.share: 2 rows: test 3, test 8; "
                "the share of a class in a split must be 0.05 to 0.15",
            ],
        ),
    ],
)
def test_broken_content_is_named(
    splits: Splits, break_it: Callable[[Splits], None], complaints: list[str]
) -> None:
    break_it(splits)
    assert broken(check_content(splits)) == complaints


def push_up(images: np.ndarray) -> np.ndarray:
    pushed = np.zeros_like(images)
    pushed[:, :12] = images[:, 8:20]
    return pushed


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda images: images // 255,
            "expect_column_max_to_be_between on images.max: found 1; "
            "the largest must be ink, 128 to 255",
        ),
        (
            lambda images: images | 128,
            "expect_column_min_to_be_between on images.min: found 128; "
            "the smallest must be paper, 0 to 127",
        ),
        (
            lambda images: images // 2,
            "expect_column_mean_to_be_between on images.mean_ink where split is test: "
            "found 0.0885072; the mean must be 0.16 to 0.18",
        ),
        (
            push_up,
            "expect_column_mean_to_be_between on images.centre_row: found 5.42028; "
            "the mean must be in the middle half of 28 pixels",
        ),
        (
            lambda images: push_up(images).swapaxes(1, 2),
            "expect_column_mean_to_be_between on images.centre_column: found 5.42028; "
            "the mean must be in the middle half of 28 pixels",
        ),
    ],
)
def test_pixels_unlike_the_real_ones_are_noticed(
    splits: Splits, change: Callable[[np.ndarray], np.ndarray], complaint: str
) -> None:
    changed = {name: replace(split, images=change(split.images)) for name, split in splits.items()}
    assert complaint in broken(check_content(changed))


@pytest.mark.parametrize(
    ("name", "change", "complaints"),
    [
        (
            "train",
            lambda split: replace(split, labels=split.labels[1:]),
            [
                "expect_column_pair_values_to_be_equal on files.count, partner_count: "
                "2 rows: train-images-idx3-ubyte, train-labels-idx1-ubyte; "
                "a split must have as many labels as images"
            ],
        ),
        (
            "test",
            lambda split: replace(split, images=split.images[:, 2:]),
            [
                "expect_column_values_to_be_in_set on files.image_shape: "
                "1 row: t10k-images-idx3-ubyte; images must be 28 x 28, height x width"
            ],
        ),
        (
            "test",
            lambda split: Split(split.labels, split.images),
            [
                "expect_column_values_to_be_in_set on files.magic where content is images: "
                "1 row: t10k-images-idx3-ubyte; "
                "the header must declare unsigned bytes in three dimensions",
                "expect_column_values_to_be_in_set on files.magic where content is labels: "
                "1 row: t10k-labels-idx1-ubyte; "
                "the header must declare unsigned bytes in one dimension",
                "expect_column_values_to_be_in_set on files.image_shape: "
                "1 row: t10k-images-idx3-ubyte; images must be 28 x 28, height x width",
            ],
        ),
        (
            "train",
            lambda split: Split(split.images[:0], split.labels[:0]),
            [
                "expect_column_values_to_be_between on files.count: "
                "2 rows: train-images-idx3-ubyte, train-labels-idx1-ubyte; "
                "no file may be without values"
            ],
        ),
    ],
)
def test_broken_files_are_named(
    splits: Splits,
    tmp_path: Path,
    name: str,
    change: Callable[[Split], Split],
    complaints: list[str],
) -> None:
    splits[name] = change(splits[name])
    assert broken(check_files(splits, tmp_path)) == complaints


@pytest.mark.parametrize(
    ("column", "wrong", "complaint"),
    [
        ("bytes", 5, "expect_column_pair_values_to_be_equal on files.bytes, declared_bytes: 1 row"),
        ("dtype", "int32", "expect_column_values_to_be_in_set on files.dtype: 1 row"),
    ],
)
def test_what_reading_already_refuses_is_checked_too(
    splits: Splits, tmp_path: Path, column: str, wrong: object, complaint: str
) -> None:
    check_files(splits, tmp_path)
    files = image_statistics.describe_files(tmp_path, splits["train"], splits["test"])
    files.loc[1, column] = wrong
    (line,) = broken(expectations.check_files(files, DATA_SET))
    assert line.startswith(f"{complaint}: train-labels-idx1-ubyte; ")


def test_an_exception_inside_an_expectation_is_a_failure(splits: Splits) -> None:
    images = image_statistics.describe_images(splits, OPTIONS.ink_threshold)
    classes = image_statistics.describe_classes(images, DATA_SET.classes)
    results = expectations.check_classes(classes.drop(columns="images"), OPTIONS)
    assert [result.success for result in results] == [False, True]
    assert results[0].error == 'Error: The column "images" in BatchData does not exist.'
    assert results[0].error in results[0].explain()
