"""The suite of expectations on Spark's table of the images, and on pandas'."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits import params
from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.importing import checking
from digits.intake import idx
from digits.intake.suites import Result
from digits.spark import cluster as clusters
from tests.small_project import ROOT

pytestmark = pytest.mark.spark


def check(folder: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    monkeypatch.setattr(checking, "TASK_IMAGES", 300)
    settings = params.load(ROOT / "params.yaml").validate_
    scratch = folder / "scratch"
    found = checking.check(folder, settings, engine, 2, scratch)
    assert not scratch.exists()
    return found


@pytest.mark.parametrize("is_sound", [True, False])
def test_its_results_are_those_of_pandas(
    is_sound: bool,
    cluster: clusters.Cluster,
    handwriting: Split,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, labels = handwriting.images.copy(), handwriting.labels.copy()
    if not is_sound:
        images[5] = 0  # no ink
        images[7] = images[8]  # twice
        images[1500] = images[9]  # of train, in test
        labels[:300] = 1
    arrays = (images[:1400], labels[:1400], images[1400:], labels[1400:])
    for name, array in zip(FILES, arrays, strict=True):
        idx.write(tmp_path / name, np.ascontiguousarray(array))
    alone = check(tmp_path, "local", monkeypatch)
    (tmp_path / "scratch").mkdir()  # with rows that a killed check left
    left = pd.DataFrame({"split": ["train"], "index": [50_000], "hash": [0]})
    left.to_parquet(tmp_path / "scratch/train-000000050000.parquet")
    on_spark = check(tmp_path, cluster.url, monkeypatch)
    assert len(alone) > 15
    assert [unordered(result) for result in on_spark] == [unordered(result) for result in alone]
    broken = {result.expectation for result in alone if not result.success}
    assert ("expect_compound_columns_to_be_unique" in broken) is not is_sound
    assert is_sound or len(broken) >= 3


def unordered(result: Result) -> Result:
    """A result with the rows that it names in one order: Spark has none."""
    return replace(result, first_rows=sorted(result.first_rows))
