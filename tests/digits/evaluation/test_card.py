"""The model card: of reports made up for the purpose, so that each number can be told apart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits import params
from digits.data import catalogue
from digits.data.catalogue import DataSet
from digits.evaluation import card, metrics
from digits.promotion.candidate import DESCRIPTION_LIMIT
from tests import small_reports

ROOT = Path(__file__).parents[3]
PARAMS = params.load(ROOT / "params.yaml")
DATA_SET = catalogue.find(PARAMS.data.name, ROOT / "datasets.yaml")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """What the stages before the card write, to be changed."""
    small_reports.write(tmp_path)
    return tmp_path


def render(
    model: str,
    reports: Path,
    data_set: DataSet = DATA_SET,
    parameters: params.Params = PARAMS,
) -> str:
    """The card that `stages.card` writes of a model by the real parameters."""
    return card.render(model, PARAMS.train.flat_of(model), data_set, parameters, reports)


def test_the_committed_card_is_that_of_the_committed_reports() -> None:
    expected = "\n\n".join(render(model, ROOT / "reports") for model in PARAMS.models) + "\n"
    assert (ROOT / "reports/model_card.md").read_text() == expected, "run `make repro`"


@pytest.mark.parametrize("model", PARAMS.models)
def test_a_card_fits_into_a_versions_description(model: str, reports: Path) -> None:
    text = render(model, reports)
    assert card.select(f"{text}\n\n# Model card: other\n", model) == f"{text}\n\n"
    assert len(text) <= DESCRIPTION_LIMIT


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("evaluate/cnn/metrics.json", '"accuracy": 0.9961', '"accuracy": 0.0996', "| 9.96% ("),
        (
            "evaluate/cnn/metrics.json",
            '"ece": 0.0016',
            '"ece": 0.9016',
            "accuracy are 90.16% apart",
        ),
        ("evaluate/cnn/metrics.json", '"risk": 0.0013', '"risk": 0.9913', "99.13% of them wrong"),
        ("evaluate/cnn/classes.csv", "\n0,980,", "\n0,98,", "| 0 | 98 |"),
        ("evaluate/cnn/corruptions.csv", "fog,0.987", "fog,0.187", "from the worst:\nfog 18.7%"),
        ("train/cnn/metrics.json", "4.2e-07", "4.6e-06", "from Keras by at most 4.6e-06"),
        (
            "train/cnn/metrics.json",
            '"threshold": 0.87',
            '"threshold": 0.1',
            "is below 0.1",
        ),
        ("validate/metrics.json", '"test_images": 10000', '"test_images": 77000', "77,000 test im"),
        ("compare/metrics.json", "0.0033", "-0.0033", "mlp, on the same images: -0.33 points"),
    ],
)
def test_every_number_is_read(reports: Path, file: str, old: str, new: str, line: str) -> None:
    assert line not in render("cnn", reports)
    text = (reports / file).read_text()
    assert old in text
    (reports / file).write_text(text.replace(old, new, 1))
    assert line in render("cnn", reports)


def test_an_error_made_with_confidence_is_counted(reports: Path) -> None:
    assert "Of the 1 errors 0 are made with a confidence above 90%" in render("cnn", reports)
    path = reports / "evaluate/cnn/predictions.csv"
    path.write_text(path.read_text().replace("\n0,7,7,", "\n0,7,1,"))
    assert "Of the 2 errors 1 are made with a confidence above 90%" in render("cnn", reports)


def test_the_intervals_of_the_classes_are_wilsons(reports: Path) -> None:
    start = "| 0 | 980 | 99.69% | 99.80% |"
    assert f"{start} 99.26% to 99.94% |" in render("cnn", reports)  # 978 of 980
    low, high = metrics.wilson_interval(978, 980, 0.5)
    half = PARAMS.evaluate.model_copy(update={"confidence_level": 0.5})
    parameters = PARAMS.model_copy(update={"evaluate": half})
    row = f"{start} {low:.2%} to {high:.2%} |"
    assert row in render("cnn", reports, parameters=parameters)


def test_a_class_without_an_image_is_left_out(reports: Path) -> None:
    path = reports / "evaluate/cnn/classes.csv"
    path.write_text(path.read_text().replace("0,980,0.996900,0.998000,0.997400", "0,0,0.5,,"))
    text = render("cnn", reports)
    assert "| 0 | " not in text
    assert "| 1 | 1135 |" in text


def test_the_images_of_added_data_are_named(reports: Path) -> None:
    added = PARAMS.model_copy(update={"data": PARAMS.data.model_copy(update={"extra": ["a", "b"]})})
    assert "also those of a, b, each image to train several times" in render(
        "cnn", reports, parameters=added
    )
    assert "also those of" not in render("cnn", reports)


def test_a_class_may_be_called_na(reports: Path) -> None:
    path = reports / "evaluate/cnn/classes.csv"
    path.write_text(path.read_text().replace("\n0,", "\nNA,"))
    assert "| NA | 980 |" in render("cnn", reports)


def test_the_baseline_is_compared_with_nothing(reports: Path) -> None:
    assert "Against" in render("cnn", reports)
    assert "Against" not in render("mlp", reports)


def test_nothing_is_escaped(reports: Path) -> None:
    changed = DATA_SET.model_copy(update={"title": "A & B's <digits>"})
    assert "images like those of A & B's <digits>:" in render("cnn", reports, changed)


names = st.from_regex(r"[a-z]+", fullmatch=True)


@given(st.dictionaries(names, st.text("ab#\n "), max_size=4), names)
def test_a_card_is_found_among_several(texts: dict[str, str], other: str) -> None:
    cards = {name: f"# Model card: {name}\n{text}\n" for name, text in texts.items()}
    for name, text in cards.items():
        assert card.select("".join(cards.values()), name) == text
    if other not in cards:
        assert card.select("".join(cards.values()), other) is None
