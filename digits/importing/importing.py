"""Making a data set of the pipeline from what a source has: images of one size, two splits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digits.base.errors import UserError
from digits.base.text import shape_text
from digits.data.splits import Split
from digits.importing import checks, shaping
from digits.importing.pictures import Pictures
from digits.intake import digests, splitting
from digits.params import Cnn, Params

FEWEST_STEPS = 8  # of an epoch, where a batch as large as the parameters say has too few images


@dataclass(frozen=True)
class Wishes:
    """What the user may choose.

    Attributes:
        size: of the images, height and width; None: see `shaping.choose`.
        ink: whether it is light or dark in the source.
        test_share: of the pictures, held out where the source has no test split.
        seed: of the choice of these.
        classes: names for the sorted labels; empty: the labels are the names.
        skip_bad: whether to go on without pictures that cannot be used.
        replace: whether an entry of this name may be replaced.
        title, licence, citation: for the catalogue.
        validation: the last so many of train are held out, whoever uses it.
    """

    size: tuple[int, int] | None = None
    ink: str = "auto"
    test_share: float = 0.15
    seed: int = 0
    classes: Sequence[str] = ()
    skip_bad: bool = False
    replace: bool = False
    title: str = ""
    licence: str = "unknown"
    citation: str = ""
    validation: int = 0


@dataclass(frozen=True)
class DataSet:
    """What is to be written.

    Attributes:
        classes: their names, by label.
        train, test: the splits.
        notes: what was done, a line each.
    """

    classes: list[str]
    train: Split
    test: Split
    notes: list[str]

    @property
    def splits(self) -> tuple[Split, Split]:
        return self.train, self.test


def prepare(train: Pictures, test: Pictures | None, wishes: Wishes, ink_threshold: int) -> DataSet:
    """Make splits of what a source has.

    Args:
        train, test: the pictures of the source.
        wishes: what the user chose.
        ink_threshold: the present parameter; another is taken where it fits more pictures.

    Raises:
        UserError: pictures cannot be used, names them; or too few are left.
    """
    parts = [train] if test is None else [train, test]
    notes = [note for part in parts for note in part.notes]
    notes += checks.refuse_bad(
        [each for part in parts for each in part.bad], "that cannot be used", wishes.skip_bad
    )
    everything = [image for part in parts for image in part.images]
    if not everything:
        raise UserError("no picture is left")
    shape = shaping.choose(everything, wishes.size, wishes.ink)
    notes += shape.notes
    if coloured := sum(part.coloured for part in parts):
        notes.append(f"colour became grey: {coloured:,} pictures")
    labels = sorted({label for part in parts for label in part.labels}, key=checks.natural)
    checks.check_classes(labels, wishes.classes)
    made = [shaping.apply(part, shape) for part in parts]
    ranges = [shaping.value_ranges(images) for images in made]
    threshold = shaping.ink_threshold(np.concatenate(ranges), ink_threshold)
    pale = [
        each
        for part, values in zip(parts, ranges, strict=True)
        for each in checks.name_pale(part.names, values, threshold)
    ]
    notes += checks.refuse_bad(pale, "without ink or without paper", wishes.skip_bad)
    known: set[bytes] = set()
    splits = []
    # Test first: what it has is taken from train.
    for part, images, values in reversed([*zip(parts, made, ranges, strict=True)]):
        empty = np.flatnonzero(values[:, 0] == values[:, 1])
        rest = np.flatnonzero(shaping.have_both(values, threshold))
        kept = rest[digests.first_seen(images[rest], known)]
        notes += checks.left_out("of one colour alone", [part.names[i] for i in empty])
        twice = np.setdiff1d(rest, kept)
        notes += checks.left_out("equal to another picture", [part.names[i] for i in twice])
        numbers = np.array([labels.index(part.labels[i]) for i in kept], np.uint8)
        splits.append(Split(images[kept], numbers))
    checks.check_counts(splits, labels)
    if test is None:
        train_split, test_split = _hold_out(splits[0], labels, wishes)
        held = len(test_split.labels)
        notes.append(f"held out for the test: {held:,} pictures, the classes in proportion")
    else:
        test_split, train_split = splits
    return DataSet(list(wishes.classes) or labels, train_split, test_split, notes)


def _hold_out(whole: Split, labels: Sequence[str], wishes: Wishes) -> tuple[Split, Split]:
    """Part the pictures of a source in train and test, each with enough of every class.

    Raises:
        UserError: the share leaves too few to train, or a class too few in one of the two.
    """
    images = len(whole.labels)
    size = max(round(images * wishes.test_share), len(labels))
    if images - size < (least := checks.LEAST_TRAIN * len(labels)):
        raise UserError(
            f"--test-share {wishes.test_share} leaves {images - size} of {images} pictures to "
            f"train, at least {least} are needed: take a smaller share"
        )
    train, test = splitting.hold_out(whole, size, wishes.seed)
    checks.check_counts([test, train], labels)
    return train, test


def settings(data_set: DataSet, params: Params) -> dict[str, int]:
    """The parameters that this data set needs otherwise than they are, by dotted key."""
    needed = {}
    images, classes = len(data_set.train.labels), len(data_set.classes)
    held = params.preprocess.validation_size
    if not classes <= held <= images // 4:
        held = needed["preprocess.validation_size"] = max(images // 6, classes)
    for model in params.models:
        if params.train.recipe(model).batch_size > images - held:
            needed[f"train.{model}.batch_size"] = max((images - held) // FEWEST_STEPS, 1)
    ranges = [shaping.value_ranges(split.images) for split in data_set.splits]
    present = params.validate_.ink_threshold
    if (fitting := shaping.ink_threshold(np.concatenate(ranges), present)) != present:
        needed["validate.ink_threshold"] = fitting
    return needed


def too_small_for(data_set: DataSet, params: Params) -> list[str]:
    """Name the models whose layers would leave nothing of images of this size."""
    shape = data_set.train.images.shape[1:]
    return [
        model
        for model in params.models
        if isinstance(recipe := params.train.recipe(model), Cnn)
        and any(_left_of(side, recipe) < 1 for side in shape)
    ]


def _left_of(side: int, recipe: Cnn) -> int:
    """How many pixels of an image's side reach the end of the convolutions."""
    layers = (recipe.kernel_sizes, recipe.strides, recipe.padding, recipe.pool_sizes)
    for kernel, stride, padding, pool in zip(*layers, strict=True):
        side = (-(-side // stride) if padding == "same" else (side - kernel) // stride + 1) // pool
    return side


def describe(name: str, data_set: DataSet) -> str:
    """One line about the data set."""
    size = shape_text(data_set.train.images.shape[1:])
    return (
        f"{name}: {len(data_set.classes)} classes, {len(data_set.train.labels):,} train and "
        f"{len(data_set.test.labels):,} test images of {size}"
    )
