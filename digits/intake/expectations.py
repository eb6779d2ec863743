"""What sound data is: expectations of the tables of `image_statistics`."""

import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.expectations.row_conditions import Column

from digits.base.text import shape_text
from digits.data.catalogue import DataSet
from digits.intake.suites import Result, run_suite
from digits.params import Validate


def check_files(files: pd.DataFrame, data_set: DataSet) -> list[Result]:
    """Check the files; only where all holds do images and labels pair up.

    Args:
        files: from `image_statistics.describe_files`.
        data_set: what the catalogue says of them.
    """
    shape = shape_text(data_set.image_shape)
    expectations = [
        gxe.ExpectTableRowCountToEqual(value=4, description="there must be four files"),
        gxe.ExpectColumnValuesToBeInSet(
            column="magic",
            value_set=["00000803"],
            row_condition=Column("content") == "images",
            description="the header must declare unsigned bytes in three dimensions",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="magic",
            value_set=["00000801"],
            row_condition=Column("content") == "labels",
            description="the header must declare unsigned bytes in one dimension",
        ),
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="bytes",
            column_B="declared_bytes",
            description="a file must be as long as its header says",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="dtype", value_set=["uint8"], description="the values must be uint8"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="image_shape",
            value_set=[shape],
            description=f"images must be {shape}, height x width",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="count", min_value=1, description="no file may be without values"
        ),
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="count",
            column_B="partner_count",
            description="a split must have as many labels as images",
        ),
    ]
    return run_suite("files", files, ["file"], expectations)


def check_images(images: pd.DataFrame, data_set: DataSet, settings: Validate) -> list[Result]:
    """Check the images.

    Args:
        images: from `image_statistics.describe_images`, of the splits train and test.
        data_set: what the catalogue says of them.
        settings: of the validation.
    """
    expectations = [
        *_of_counts_and_labels(data_set),
        *_of_pixels(data_set, settings.ink_threshold),
        *_of_places(data_set),
        *_of_duplicates(),
    ]
    return run_suite("images", images, ["split", "index"], expectations)


def _rows(data_set: DataSet) -> dict[str, int]:
    return {"train": data_set.rows.train, "test": data_set.rows.test}


def _of_counts_and_labels(data_set: DataSet) -> list[gxe.Expectation]:
    last = len(data_set.classes) - 1
    return [
        *(
            gxe.ExpectTableRowCountToEqual(
                value=count,
                row_condition=Column("split") == split,
                description=f"{split} must have {count} images",
            )
            for split, count in _rows(data_set).items()
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="label",
            min_value=0,
            max_value=last,
            description=f"a label must be one of the classes, 0 to {last}",
        ),
    ]


def _of_pixels(data_set: DataSet, ink: int) -> list[gxe.Expectation]:
    darkest, brightest = data_set.mean_ink
    return [
        gxe.ExpectColumnMinToBeBetween(
            column="min",
            min_value=0,
            max_value=ink - 1,
            description=f"the smallest must be paper, 0 to {ink - 1}",
        ),
        gxe.ExpectColumnMaxToBeBetween(
            column="max",
            min_value=ink,
            max_value=255,
            description=f"the largest must be ink, {ink} to 255",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="ink_fraction",
            min_value=0,
            max_value=1,
            strict_min=True,
            strict_max=True,
            description="no image may be empty, all ink or none",
        ),
        *(
            gxe.ExpectColumnMeanToBeBetween(
                column="mean_ink",
                min_value=darkest,
                max_value=brightest,
                row_condition=Column("split") == split,
                description=f"the mean must be {darkest} to {brightest}",
            )
            for split in _rows(data_set)
        ),
    ]


def _of_places(data_set: DataSet) -> list[gxe.Expectation]:
    height, width = data_set.image_shape
    return [
        gxe.ExpectColumnMeanToBeBetween(
            column=column,
            min_value=(pixels - 1) / 4,
            max_value=(pixels - 1) * 3 / 4,
            description=f"the mean must be in the middle half of {pixels} pixels",
        )
        for column, pixels in (("centre_row", height), ("centre_column", width))
    ]


def _of_duplicates() -> list[gxe.Expectation]:
    return [
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["split", "hash"],
            description="no image may occur twice within a split",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="splits",
            value_set=[1],
            row_condition=Column("split") == "test",
            description="no image of test may occur in train",
        ),
    ]


def check_no_test_image(images: pd.DataFrame) -> list[Result]:
    """Check that none of the images to be added is of the main data set's test split.

    Args:
        images: with a column `in_main_test`, 0 or 1.
    """
    expectation = gxe.ExpectColumnValuesToBeInSet(
        column="in_main_test",
        value_set=[0],
        description="no image may occur in the main data set's test split",
    )
    return run_suite("images", images, ["split", "index"], [expectation])


def check_classes(classes: pd.DataFrame, settings: Validate) -> list[Result]:
    """Check the balance of the classes.

    Args:
        classes: from `image_statistics.describe_classes`.
        settings: of the validation.
    """
    smallest, largest = settings.min_class_share, settings.max_class_share
    expectations = [
        gxe.ExpectColumnValuesToBeBetween(
            column="images", min_value=1, description="each class must occur in each split"
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="share",
            min_value=smallest,
            max_value=largest,
            description=f"the share of a class in a split must be {smallest} to {largest}",
        ),
    ]
    return run_suite("classes", classes, ["split", "class"], expectations)
