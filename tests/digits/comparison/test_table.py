import numpy as np
import pandas as pd

from digits.comparison import table as comparison_table
from digits.comparison.paired import Comparison

SCORE = {
    "accuracy": 0.9917,
    "accuracy_low": 0.9897,
    "accuracy_high": 0.9933,
    "error_rate": 0.0083,
    "log_loss": 0.02512,
    "ece": 0.0031,
    "parameters": 20490,
    "multiply_adds": 1234567,
}
COMPARISON = Comparison(
    difference=0.0012,
    low=-0.0004,
    high=0.0028,
    p_value=0.000123,
    agreement=0.9876,
    fixed=np.arange(30),
    broken=np.array([], int),
)
CLASSES = pd.DataFrame({"class": ["7", "boot"], "images": [5, 6], "mlp": [1, 2], "cnn": [0, 3]})


def test_markdown() -> None:
    text = comparison_table.markdown(
        {"mlp": SCORE, "cnn": SCORE}, {"cnn": COMPARISON}, CLASSES, 0.95
    )
    lines = text.splitlines()
    measured = "99.17% | 98.97% to 99.33% | 0.83% | 0.0251 | 0.0031 | 20,490 | 1,234,567 |"
    assert f"| mlp | {measured}" in lines
    assert f"| cnn | {measured}" in lines
    differs = "+0.12 points | -0.04 to +0.28 | 0.00012 | 30 | 0 | 98.76% |"
    assert f"| cnn | **better** | {differs}" in lines
    assert "| boot | 6 | 2 | 3 |" in lines
    assert f"- only cnn right, 30: {', '.join(map(str, range(20)))}, ..." in lines
    assert "- only mlp right, 0: none" in lines
    assert "exact p is below 0.05." in text
    assert "paired bootstrap, at 0.95." in text


def test_every_row_has_as_many_cells_as_its_header() -> None:
    text = comparison_table.markdown(
        {"mlp": SCORE, "cnn": SCORE}, {"cnn": COMPARISON}, CLASSES, 0.9
    )
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def test_one_model_has_nothing_to_be_compared_with() -> None:
    text = comparison_table.markdown({"mlp": SCORE}, {}, CLASSES[["class", "images", "mlp"]], 0.95)
    assert "99.17%" in text
    assert "McNemar" not in text
