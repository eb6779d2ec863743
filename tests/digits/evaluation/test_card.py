import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits import params
from digits.data import catalogue
from digits.evaluation import card, metrics
from digits.promotion.candidate import DESCRIPTION_LIMIT

ROOT = Path(__file__).parents[2]
PARAMS = params.load(ROOT / "params.yaml")
DATA_SET = catalogue.find(PARAMS.data.name, ROOT / "datasets.yaml")
COMMITTED = ROOT / "reports/model_card.md"


def render(model: str, reports: Path = ROOT / "reports", **changes: Any) -> str:
    """The card that `stages.card` writes of a model by the committed parameters."""
    recipe = {key: getattr(PARAMS.train, key) for key in ("seed", "threads", "coverage")}
    arguments = {
        "baseline": PARAMS.models[0],
        "recipe": recipe | params.flatten(getattr(PARAMS.train, model)),
        "data_set": DATA_SET,
        "preprocess": PARAMS.preprocess,
        "confidence_level": PARAMS.evaluate.confidence_level,
        "corrupted_images": PARAMS.evaluate.corrupted_images,
    }
    return card.render(model, **(arguments | changes), reports=reports)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A copy of the committed reports, to be changed."""
    return Path(shutil.copytree(ROOT / "reports", tmp_path / "reports"))


def test_the_committed_card_is_that_of_the_committed_reports() -> None:
    expected = "\n\n".join(render(model) for model in PARAMS.models) + "\n"
    assert COMMITTED.read_text() == expected, "run `make repro`"


@pytest.mark.parametrize("model", PARAMS.models)
def test_a_card_fits_into_a_versions_description(model: str) -> None:
    text = card.select(COMMITTED.read_text(), model)
    assert text is not None
    assert text.strip() == render(model)
    assert len(text) <= DESCRIPTION_LIMIT


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("evaluate/cnn/metrics.json", '"accuracy": 0.', '"accuracy": 0.0', "| accuracy | 9.96% ("),
        ("evaluate/cnn/metrics.json", '"ece": 0.0', '"ece": 0.9', "accuracy are 90.16% apart"),
        ("evaluate/cnn/classes.csv", "\n0,980,", "\n0,98,", "| 0 | 98 |"),
        ("evaluate/cnn/corruptions.csv", "fog,0.9", "fog,0.1", "from the worst:\nfog 18.7%"),
        ("train/cnn/metrics.json", "4.2e-07", "4.6e-06", "from Keras by at most 4.6e-06"),
        ("train/cnn/metrics.json", '"threshold": 0.', '"threshold": 0.0', "a confidence of 0.0"),
        ("evaluate/cnn/metrics.json", '"risk": 0.00', '"risk": 0.99', "99.13% of them wrong"),
        ("validate/metrics.json", '"test_images": 10', '"test_images": 77', "77,000 test images"),
        ("compare/metrics.json", "0.0033", "-0.0033", "mlp, on the same images: -0.33 points"),
    ],
)
def test_every_number_is_read(reports: Path, file: str, old: str, new: str, line: str) -> None:
    text = (reports / file).read_text()
    assert old in text
    (reports / file).write_text(text.replace(old, new, 1))
    assert line not in render("cnn")
    assert line in render("cnn", reports)


def test_an_error_made_with_confidence_is_counted(reports: Path) -> None:
    path = reports / "evaluate/cnn/predictions.csv"
    before = render("cnn", reports)
    path.write_text(path.read_text().replace("\n0,7,7,", "\n0,7,1,"))
    (told,) = [line for line in before.splitlines() if line.startswith("Of the ")]
    assert told not in render("cnn", reports)


def test_the_intervals_of_the_classes_are_wilsons() -> None:
    text = render("cnn")
    assert "| 0 | 980 | 99.69% | 99.80% | 99.26% to 99.94% |" in text  # 978 of 980
    low, high = metrics.wilson_interval(978, 980, 0.5)
    row = f"| 0 | 980 | 99.69% | 99.80% | {low:.2%} to {high:.2%} |"
    assert row in render("cnn", confidence_level=0.5)


def test_a_class_without_an_image_is_left_out(reports: Path) -> None:
    path = reports / "evaluate/cnn/classes.csv"
    first, *rest = path.read_text().splitlines()[1:]
    path.write_text("\n".join(["class,images,precision,recall,f1", "0,0,0.5,,", *rest]))
    text = render("cnn", reports)
    assert first.startswith("0,")
    assert "| 0 | " not in text
    assert "| 1 | 1135 |" in text


def test_the_baseline_is_compared_with_nothing() -> None:
    assert "Against" not in render("mlp")


def test_nothing_is_escaped() -> None:
    changed = DATA_SET.model_copy(update={"title": "A & B's <digits>"})
    assert "images like those of A & B's <digits>:" in render("cnn", data_set=changed)


names = st.from_regex(r"[a-z]+", fullmatch=True)


@given(st.dictionaries(names, st.text("ab#\n "), max_size=4), names)
def test_a_card_is_found_among_several(texts: dict[str, str], other: str) -> None:
    cards = {name: f"# Model card: {name}\n{text}\n" for name, text in texts.items()}
    for name, text in cards.items():
        assert card.select("".join(cards.values()), name) == text
    if other not in cards:
        assert card.select("".join(cards.values()), other) is None
