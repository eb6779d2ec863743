from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits.base import tables
from digits.base.errors import UserError

PROBABILITIES = np.array([[0.25, 0.75], [0.5, 0.5], [2 / 3, 1 / 3]], np.float32)
LABELS = np.array([1, 1, 0], np.uint8)
TEXT = "index,label,predicted,confidence\n0,1,1,0.750000\n1,1,0,0.500000\n2,0,0,0.666667\n"


def test_predictions_csv_byte_by_byte(tmp_path: Path) -> None:
    tables.write(
        tables.tabulate_predictions(PROBABILITIES, LABELS), tmp_path / "new" / "predictions.csv"
    )
    assert (tmp_path / "new" / "predictions.csv").read_bytes() == TEXT.encode()


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1)), min_size=1))
def test_what_write_writes_read_predictions_reads(
    tmp_path_factory: pytest.TempPathFactory, rows: list
) -> None:
    path = tmp_path_factory.getbasetemp() / "predictions.csv"
    table = pd.DataFrame([(i, *row) for i, row in enumerate(rows)], columns=[*tables.PREDICTIONS])
    tables.write(table.astype(tables.PREDICTIONS), path)
    pd.testing.assert_frame_equal(
        tables.read_predictions(path), table.astype(tables.PREDICTIONS), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\0",
        b"index,label\n0,1\n",
        TEXT.replace("0.5", "half").encode(),
        TEXT.replace("\n0,", f"\n{10**20},").encode(),
        b"a" * 999,
    ],
)
def test_any_other_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "predictions.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"predictions\.csv: not what `evaluate` writes: ") as error:
        tables.read_predictions(tmp_path / "predictions.csv")
    assert len(str(error.value).splitlines()) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        tables.read_predictions(tmp_path / "predictions.csv")
