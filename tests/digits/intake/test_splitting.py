import numpy as np
import pytest

from digits.base.errors import UserError
from digits.data.splits import Split
from digits.intake.splitting import hold_out


def identities(split: Split) -> set[bytes]:
    return {image.tobytes() for image in split.images}


def test_every_image_is_on_one_side_only(handwriting: Split) -> None:
    train, validation = hold_out(handwriting, 300, seed=0)
    assert len(validation.labels) == 300
    assert len(train.labels) + 300 == len(handwriting.labels)
    assert not identities(train) & identities(validation)
    assert identities(train) | identities(validation) == identities(handwriting)


def test_labels_stay_with_their_images(handwriting: Split) -> None:
    label_of = dict(zip(map(bytes, handwriting.images), handwriting.labels, strict=True))
    _, validation = hold_out(handwriting, 300, seed=0)
    for image, label in zip(validation.images, validation.labels, strict=True):
        assert label_of[bytes(image)] == label


def test_classes_are_in_proportion(handwriting: Split) -> None:
    _, validation = hold_out(handwriting, 300, seed=0)
    expected = np.bincount(handwriting.labels) * 300 / len(handwriting.labels)
    assert np.abs(np.bincount(validation.labels) - expected).max() <= 1


def test_the_seed_chooses(handwriting: Split) -> None:
    held = [identities(hold_out(handwriting, 300, seed)[1]) for seed in (0, 0, 1)]
    assert held[0] == held[1]
    assert held[0] != held[2]


@pytest.mark.parametrize("size", [5, 1797, 10_000])
def test_an_impossible_size_is_explained(handwriting: Split, size: int) -> None:
    with pytest.raises(UserError, match=f"^preprocess.validation_size = {size}: "):
        hold_out(handwriting, size, seed=0)
