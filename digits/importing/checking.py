"""Data that is no catalogue entry yet, held against the suite of expectations.

Great Expectations judges one table with a row for each image. With Spark, tasks describe the
images block by block and write their rows as Parquet; the same expectations then run on that
table where it lies, so that no machine needs the memory for it.
"""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from digits.base.errors import UserError
from digits.data.catalogue import FILES, DataSet, Rows
from digits.data.splits import Split
from digits.intake import expectations, idx, image_statistics
from digits.intake.suites import Result
from digits.params import Validate
from digits.spark import jobs

if TYPE_CHECKING:  # an extra
    from pyspark.sql import DataFrame

EMBEDDED = "local"  # the engine that is no engine
TASK_IMAGES = 50_000  # described by one task, and the rows of one file
TEST_IN_TRAIN = "splits"  # the column that Spark computes by itself

SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class Task:
    """Some images of a split, to be described."""

    split: SplitName
    first: int
    count: int


def check(
    folder: Path, settings: Validate, engine: str, workers: int, scratch: Path
) -> list[Result]:
    """Check the four IDX files of a folder.

    Without an entry of the catalogue the number of images, the size and the classes are those
    that the files have; everything else is asked as of an entry: that the files fit together,
    labels without gaps, ink on paper, balance, no image twice.

    Args:
        folder: with the files, by MNIST's names.
        settings: of the validation.
        engine: `local`, or the URL of a Spark master.
        workers: cores of the cluster at most.
        scratch: a folder that every worker reaches by this path; removed at the end.

    Raises:
        UserError: a file is missing or not IDX, or the engine has no workers.
    """
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise UserError(f"{folder}: has no {', '.join(missing)}")
    names: tuple[SplitName, SplitName] = ("train", "test")
    splits: dict[str, Split] = {name: idx.read_split(folder, name) for name in names}
    data_set = _entry(folder, splits)
    files = image_statistics.describe_files(folder, splits["train"], splits["test"])
    results = expectations.check_files(files, data_set)
    if not all(result.success for result in results):
        return results
    labels = {name: pd.DataFrame({"label": split.labels}) for name, split in splits.items()}
    table = pd.concat(labels, names=["split"]).reset_index("split")
    classes = image_statistics.describe_classes(table, data_set.classes)
    if engine == EMBEDDED:
        images = image_statistics.describe_images(splits, settings.ink_threshold)
        results += expectations.check_images(images, data_set, settings)
    else:
        tasks = [
            Task(name, first, min(TASK_IMAGES, len(splits[name].labels) - first))
            for name in names
            for first in range(0, len(splits[name].labels), TASK_IMAGES)
        ]
        describe = partial(_describe, folder.resolve(), settings.ink_threshold, scratch.resolve())
        if scratch.exists():  # of a killed check, whose rows would be read with these
            shutil.rmtree(scratch)
        scratch.mkdir(parents=True)
        try:
            with jobs.session(engine, "digits validate", workers) as session:
                for _ in jobs.run(session, tasks, describe):
                    pass
                rows = session.read.parquet(str(scratch.resolve()))
                results += expectations.check_images(_counted(rows), data_set, settings)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return results + expectations.check_classes(classes, settings)


def _entry(folder: Path, splits: dict[str, Split]) -> DataSet:
    """What the catalogue would say, as far as the files tell."""
    train, test = splits["train"], splits["test"]
    last = max((int(split.labels.max(initial=0)) for split in splits.values()), default=0)
    return DataSet.model_construct(
        title=folder.name,
        classes=[str(label) for label in range(last + 1)],
        rows=Rows.model_construct(train=len(train.images), test=len(test.images)),
        image_shape=list(train.images.shape[1:]),
        mean_ink=[0.0, 1.0],
    )


def _describe(folder: Path, ink_threshold: int, scratch: Path, task: Task) -> None:
    """Write the rows of a task; a second attempt writes the same file."""
    split = idx.read_split(folder, task.split)
    chosen = slice(task.first, task.first + task.count)
    part: dict[str, Split] = {task.split: Split(split.images[chosen], split.labels[chosen])}
    frame = image_statistics.describe_images(part, ink_threshold).drop(columns=TEST_IN_TRAIN)
    frame["index"] += task.first
    path = scratch / f"{task.split}-{task.first:012}.parquet"
    frame.to_parquet(path.with_suffix(".partial"), index=False)
    path.with_suffix(".partial").rename(path)


def _counted(rows: "DataFrame") -> "DataFrame":
    """The table with the number of splits in which the pixels of an image occur."""
    from pyspark.sql import functions

    splits = functions.countDistinct("split").cast("int").alias(TEST_IN_TRAIN)
    return rows.join(rows.groupBy("hash").agg(splits), "hash").cache()
