"""What validation looks at: tables about the files, the images and the classes.

Each number is a quotient of whole numbers at most, so it is the same on every machine.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from digits.base.text import shape_text
from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.intake import digests

BLOCK = 10_000  # images looked at at a time


def describe_files(folder: Path, train: Split, test: Split) -> pd.DataFrame:
    """Describe the four files in `folder`, from which the splits were read.

    Returns:
        One row a file, in the order of `FILES`: file; content (images or labels); magic
        (the first four bytes, hexadecimal); dtype; count and that of the other file of the
        split, partner_count; image_shape (of images only); bytes; declared_bytes (that the
        header announces).
    """
    arrays = (train.images, train.labels, test.images, test.labels)
    counts = [len(array) for array in arrays]
    return pd.DataFrame(
        {
            "file": FILES,
            "content": ["images", "labels"] * 2,
            "magic": [_first_bytes(folder / name) for name in FILES],
            "dtype": [str(array.dtype) for array in arrays],
            "count": counts,
            "partner_count": [counts[i] for i in (1, 0, 3, 2)],
            "image_shape": [
                shape_text(train.images.shape[1:]),
                None,
                shape_text(test.images.shape[1:]),
                None,
            ],
            "bytes": [(folder / name).stat().st_size for name in FILES],
            "declared_bytes": [4 + 4 * array.ndim + array.size for array in arrays],
        }
    )


def describe_images(splits: Mapping[str, Split], ink_threshold: int) -> pd.DataFrame:
    """Describe each image.

    Args:
        splits: by name; images of one shape, as many labels as images.
        ink_threshold: a pixel counts as ink from this value on.

    Returns:
        One row an image: split; index in it, from 0; label; min, max (pixel values);
        mean_ink (mean pixel value / 255); ink_fraction (share of pixels that are ink);
        centre_row, centre_column (centre of mass in pixels from the first; NaN where all
        pixels are 0); hash (of the pixels, 64 bits: of ten million different images two have
        the same with a probability of 3 in a million); splits (in how many the same pixels
        occur).
    """
    frames = [_of_split(name, split, ink_threshold) for name, split in splits.items()]
    images = pd.concat(frames, ignore_index=True)
    images["splits"] = images.groupby("hash")["split"].transform("nunique")
    return images


def describe_classes(images: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Count the images of each class; labels beyond the classes belong to none.

    Args:
        images: from `describe_images`.
        classes: their names, by label.

    Returns:
        One row a split and class: split, class, images, share (of the split's images).
    """
    frames = []
    for split, labels in images.groupby("split", sort=False)["label"]:
        counts = np.bincount(labels, minlength=len(classes))[: len(classes)]
        frames.append(
            pd.DataFrame(
                {"split": split, "class": classes, "images": counts, "share": counts / len(labels)}
            )
        )
    return pd.concat(frames, ignore_index=True)


def summarize(images: pd.DataFrame, classes: pd.DataFrame) -> dict[str, float]:
    """Summarize the tables in numbers that are worth comparing between versions of the data.

    Args:
        images: from `describe_images`, of the splits train and test.
        classes: from `describe_classes`.
    """
    train, test = (images[images["split"] == split] for split in ("train", "test"))
    return {
        "train_images": len(train),
        "test_images": len(test),
        "mean_ink_train": round(float(train["mean_ink"].mean()), 6),
        "mean_ink_test": round(float(test["mean_ink"].mean()), 6),
        "smallest_class_share": round(float(classes["share"].min()), 6),
        "largest_class_share": round(float(classes["share"].max()), 6),
        "duplicates_within_splits": int(images.duplicated(["split", "hash"]).sum()),
        "test_images_in_train": int((test["splits"] > 1).sum()),
    }


def _first_bytes(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(4).hex()


def _of_split(name: str, split: Split, ink_threshold: int) -> pd.DataFrame:
    """The rows of a split, its pixels looked at in blocks: sums as int64 are 8 times as large."""
    cuts = range(0, len(split.images), BLOCK) or [0]
    blocks = [_of_block(split.images[start : start + BLOCK], ink_threshold) for start in cuts]
    columns = {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}
    index = np.arange(len(split.images))
    return pd.DataFrame({"split": name, "index": index, "label": split.labels, **columns})


def _of_block(images: np.ndarray, ink_threshold: int) -> dict[str, np.ndarray]:
    count, height, width = images.shape
    pixels = images.reshape(count, height * width)
    mass = pixels.sum(axis=1, dtype=np.int64)
    with np.errstate(invalid="ignore"):  # an image without mass has no centre
        centre_row = images.sum(axis=2, dtype=np.int64) @ np.arange(height) / mass
        centre_column = images.sum(axis=1, dtype=np.int64) @ np.arange(width) / mass
    hashes = b"".join(digests.digest(image)[:8] for image in pixels)
    return {
        "min": pixels.min(axis=1),
        "max": pixels.max(axis=1),
        "mean_ink": mass / (255 * height * width),
        "ink_fraction": np.count_nonzero(pixels >= ink_threshold, axis=1) / (height * width),
        "centre_row": centre_row,
        "centre_column": centre_column,
        "hash": np.frombuffer(hashes, "<i8"),
    }
