"""What is said of an error."""

import errno
import os

import pytest

from digits.base.errors import UserError, explain


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EDQUOT, "make room within the quota"),
        (errno.EACCES, "make it readable and writable"),
        (errno.EROFS, "the disk is read-only"),
    ],
)
def test_the_systems_come_with_the_way_out(number: int, way: str) -> None:
    told = explain(OSError(number, os.strerror(number), "data/processed"))
    assert "'data/processed'" in told
    assert f"; {way}" in told


def test_others_stay_as_they_are() -> None:
    assert explain(UserError("no such model")) == "no such model"
    assert explain(OSError("odd")) == "odd"
