"""A standalone cluster of two workers."""

from collections.abc import Iterator

import pytest

from digits.spark import cluster as clusters


@pytest.fixture(scope="module")
def cluster() -> Iterator[clusters.Cluster]:
    with clusters.start(2) as started:
        yield started
