import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from digits.base import tables
from digits.base.errors import UserError
from digits.cli.main import app
from digits.comparison import paired
from digits.params import Compare as Settings
from digits.review import movements, review
from digits.review.review import Change
from digits.tracking import revisions

LABELS = [number % 10 for number in range(100)]
PARAMS = {
    "data": {"name": "toy"},
    "train": {"cnn": {"epochs": 4, "filters": [8, 16]}},
    "compare": {"confidence_level": 0.95, "resamples": 1000, "seed": 0},
}
DATASETS = {"toy": {"classes": ["zero", "one", *"23456789"], "rows": {"train": 10}}}


def predictions(wrong: Sequence[int], labels: Sequence[int] = LABELS) -> str:
    """A predictions.csv; the images `wrong` are taken for the next class."""
    probabilities = np.full((len(labels), 10), 0.01, np.float32)
    predicted = [(c + 1) % 10 if i in wrong else c for i, c in enumerate(labels)]
    probabilities[np.arange(len(labels)), predicted] = 0.91
    table = tables.tabulate_predictions(probabilities, np.array(labels, np.uint8))
    return table.to_csv(index=False, float_format="%.6f")


def project(
    wrong: Mapping[str, Sequence[int]], params: Any = PARAMS, datasets: Any = DATASETS
) -> dict[str, str]:
    """The files of a project whose models take these images for the next class."""
    files = {
        "dvc.yaml": "stages: {}\n",
        "params.yaml": yaml.safe_dump(params),
        "datasets.yaml": yaml.safe_dump(datasets),
        "reports/validate/metrics.json": json.dumps({"train_images": 60000, "mean_ink": 0.13}),
    }
    for model, indices in wrong.items():
        metrics = {"accuracy": 1 - len(indices) / 100, "parameters": 1000, "recall": {"0": 0.9}}
        files[f"reports/evaluate/{model}/metrics.json"] = json.dumps(metrics)
        files[f"reports/evaluate/{model}/predictions.csv"] = predictions(indices)
    return files


Compare = Callable[..., review.Review]


@pytest.fixture
def compare(repository: Any) -> Compare:
    """Review the change from some files to others, committed one after the other."""

    def run(old: Mapping[str, str], new: Mapping[str, str], head: str = "main") -> review.Review:
        base = repository.commit(old)
        for path in old.keys() - new.keys():
            (repository.root / path).unlink()
        repository.commit(new)
        return review.review(
            revisions.find(base, repository.root), revisions.find(head, repository.root)
        )

    return run


@pytest.fixture
def diff(repository: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`digits diff` in the repository."""
    monkeypatch.chdir(repository.root)
    return lambda *arguments: CliRunner().invoke(app, ["diff", *arguments])


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (range(20), [], "better"),
        ([], range(20), "worse"),
        ([1, 2, 3], [2, 3], "within noise"),
        ([1, 2], [1, 2], "unchanged"),
    ],
)
def test_the_verdict(compare: Compare, old: Sequence, new: Sequence, verdict: str) -> None:
    found = compare(project({"cnn": old}), project({"cnn": new}))
    assert found.models["cnn"].verdict == verdict
    assert found.is_worse == (verdict == "worse")


def test_reports_of_an_earlier_model_are_refused(compare: Compare) -> None:
    files = project({"cnn": [1]})
    entry = "stages:\n  {}:\n    {}:\n    - path: models/cnn\n      md5: {}\n"
    training = entry.format("train@cnn", "outs", "new")
    old, new = (
        training + entry.format("evaluate@cnn", "deps", md5).removeprefix("stages:\n")
        for md5 in ("old", "new")
    )
    assert compare(files, files | {"dvc.lock": new}).models["cnn"].verdict == "unchanged"
    with pytest.raises(UserError, match=r"^main: cnn: trained since last evaluated"):
        compare(files, files | {"dvc.lock": old})


def test_the_verdicts_are_corrected_for_the_number_of_models_that_changed(
    compare: Compare,
) -> None:
    # 6 of 6: p = 0.031, better by itself; the second of two tests doubles it.
    alone = compare(project({"cnn": range(6), "mlp": [9]}), project({"cnn": [], "mlp": [9]}))
    assert alone.models["mlp"].verdict == "unchanged"
    assert alone.models["mlp"].comparison is None
    assert alone.models["cnn"].verdict == "better"
    both = compare(project({"cnn": range(6), "mlp": [9]}), project({"cnn": [], "mlp": [8]}))
    assert both.models["mlp"].verdict == "within noise"
    assert both.models["cnn"].verdict == "within noise"
    assert both.models["cnn"].comparison is not None
    assert both.models["cnn"].comparison.p_value == pytest.approx(2 * 2 / 2**6)


def test_the_same_answers_with_other_confidences_are_a_change_within_noise(
    compare: Compare,
) -> None:
    old = project({"cnn": [1]})
    path = "reports/evaluate/cnn/predictions.csv"
    found = compare(old, old | {path: old[path].replace("0.91", "0.92", 1)})
    assert found.models["cnn"].verdict == "within noise"


def test_models_of_one_side_only(compare: Compare) -> None:
    found = compare(project({"cnn": [1], "mlp": [1]}), project({"mlp": [1], "resnet": [2]}))
    assert {name: model.verdict for name, model in found.models.items()} == {
        "cnn": "removed",
        "mlp": "unchanged",
        "resnet": "added",
    }
    assert not found.is_worse


def test_parameters_and_data_that_changed(compare: Compare) -> None:
    params = PARAMS | {"train": {"cnn": {"epochs": 5, "filters": [8, 16], "pooling": "max"}}}
    datasets = {"toy": DATASETS["toy"] | {"rows": {"train": 20}}}
    new = project({"cnn": [1]}, params, datasets)
    new["reports/validate/metrics.json"] = json.dumps({"train_images": 20, "mean_ink": 0.13})
    found = compare(project({"cnn": [1]}), new)
    assert found.parameters == [
        Change("train.cnn.epochs", "4", "5"),
        Change("train.cnn.pooling", None, '"max"'),
        Change("datasets.yaml:toy.rows.train", "10", "20"),
    ]
    assert found.data == [Change("train_images", 60000, 20)]


def test_the_workspace_is_the_head(repository: Any) -> None:
    repository.commit(project({"cnn": [1]}))
    repository.write(project({"cnn": range(30)}))
    found = review.review(*(revisions.find(n, repository.root) for n in ("main", "workspace")))
    assert found.is_worse


def test_another_data_set_is_refused(compare: Compare) -> None:
    new = project({"cnn": [1]}, PARAMS | {"data": {"name": "letters"}})
    with pytest.raises(UserError, match="has results of toy, main of letters, and models are"):
        compare(project({"cnn": [2]}), new)


@pytest.mark.parametrize("labels", [LABELS[:50], [*LABELS[1:], 5]])
def test_another_test_split_is_refused(compare: Compare, labels: list[int]) -> None:
    new = {"reports/evaluate/cnn/predictions.csv": predictions([], labels)}
    with pytest.raises(
        UserError, match=r"^the predictions of cnn at main .*not for the same images"
    ):
        compare(project({"cnn": [1]}), project({"cnn": [1]}) | new)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("params.yaml", "a: [1"),
        ("params.yaml", "just text"),
        ("datasets.yaml", "a: 1\na: 2\n"),
        ("reports/evaluate/cnn/metrics.json", "{"),
        ("reports/evaluate/cnn/metrics.json", "[1]"),
        ("reports/evaluate/cnn/metrics.json", '{"accuracy": "high"}'),
        ("reports/benchmarks/seeds.json", '{"commit": "a", "rows": [{"model": "cnn"}]}'),
        ("reports/benchmarks/seeds.json", "[1]"),
        ("reports/benchmarks/seeds.json", "[" * 10**5),
        ("reports/evaluate/cnn/predictions.csv", "index,label\n1,2\n"),
        ("reports/evaluate/cnn/predictions.csv", ""),
    ],
)
def test_a_file_that_is_not_what_it_must_be(compare: Compare, path: str, content: str) -> None:
    with pytest.raises(
        UserError,
        match=f"^main: {path}: not what (it must be|`evaluate` writes|its stage writes): ",
    ) as error:
        compare(project({"cnn": [1]}), project({"cnn": [2]}) | {path: content})
    assert len(str(error.value).splitlines()) == 1


def test_a_change_cannot_loosen_its_own_test(compare: Compare) -> None:
    loose = PARAMS | {"compare": {"confidence_level": 0.9999999, "resamples": 1000, "seed": 0}}
    found = compare(project({"cnn": []}), project({"cnn": range(20)}, loose))
    assert found.is_worse


def test_a_change_may_introduce_the_test(compare: Compare) -> None:
    before = {key: value for key, value in PARAMS.items() if key != "compare"}
    assert compare(project({"cnn": []}, before), project({"cnn": range(20)})).is_worse
    with pytest.raises(UserError, match=r"params\.yaml: compare: seed: missing; must be a whole"):
        compare(project({}, before), project({}, before))


def test_the_seeds_that_head_has(compare: Compare) -> None:
    row = {"model": "cnn", "metric": "accuracy", "n": 5, "mean": 99.6, "sd": 0.02}
    once = row | {"model": "mlp", "n": 1, "sd": math.nan}
    seeds = {"commit": "abcdef0", "rows": [row, row | {"metric": "ece", "mean": 0.1}, once]}
    new = project({"cnn": [1]}) | {review.SEEDS: json.dumps(seeds)}
    found = compare(project({"cnn": [1]}), new)
    assert found.spreads == {"cnn": review.Spread(5, 99.6, 0.02)}
    assert found.spreads_commit == "abcdef0"


def test_two_seeds_differ_by_less_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(99, 0.1, (20_000, 7))
    chances = [
        abs(row[5] - row[6]) < review.Spread(5, row[:5].mean(), row[:5].std(ddof=1)).chance(0.9)
        for row in draws
    ]
    assert np.mean(chances) == pytest.approx(0.9, abs=0.01)


answers = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40)


@given(answers)
def test_every_image_whose_answer_changed_is_accounted_for(rows: list) -> None:
    labels, old, new = (np.array(column) for column in zip(*rows, strict=True))
    sides = [
        pd.DataFrame({"index": range(len(rows)), "label": labels, "predicted": predicted})
        for predicted in (old, new)
    ]
    result = paired.compare(*sides, Settings(confidence_level=0.95, resamples=100, seed=0))
    model = review.ModelReview("within noise", *sides, {}, {}, result)
    fixed, broken = movements.flips(model)["fixed"], movements.flips(model)["broken"]
    assert fixed["index"].tolist() == np.flatnonzero((old != labels) & (new == labels)).tolist()
    assert broken["index"].tolist() == np.flatnonzero((old == labels) & (new != labels)).tolist()
    assert (fixed["new"] == fixed["label"]).all()
    assert (broken["old"] == broken["label"]).all()
    cells = movements.confusions(model)
    assert (cells["old"] != cells["new"]).all()
    assert (cells["label"] != cells["predicted"]).all()
    errors = [int((predicted != labels).sum()) for predicted in (old, new)]
    assert (cells["new"] - cells["old"]).sum() == errors[1] - errors[0]
    assert (cells["new"] - cells["old"]).abs().is_monotonic_decreasing


values = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(values, values)
def test_changes_are_what_turns_old_into_new(old: dict, new: dict) -> None:
    changed = review.changes(old, new)
    turned = old | {change.key: change.new for change in changed}
    assert {key: value for key, value in turned.items() if value is not None} == new
    assert all(change.old == old.get(change.key) != change.new for change in changed)


class TestCommand:
    def test_it_compares_the_workspace_with_main(
        self, repository: Any, diff: Callable[..., Result]
    ) -> None:
        repository.commit(project({"cnn": range(20)}))
        repository.write(project({"cnn": []}))
        result = diff()
        assert result.exit_code == 0
        assert result.output.startswith(
            "cnn: better, accuracy 80.00 → 100.00 % (+20.00 points, +12.00 to +28.00; "
            "20 fixed, 0 broken; p = 1.9e-06)\n\nFrom main ("
        )

    @pytest.mark.parametrize(
        ("wrong", "code"), [(range(20), 3), (range(3), 0), ([], 0)], ids=["worse", "noise", "same"]
    )
    def test_only_worse_beyond_noise_fails(
        self, repository: Any, diff: Callable[..., Result], wrong: Sequence, code: int
    ) -> None:
        repository.commit(project({"cnn": []}))
        repository.write(project({"cnn": wrong}))
        result = diff("--fail-if", "worse", "--md", "out/review.md")
        assert result.exit_code == code
        assert diff().exit_code == 0
        assert (
            (repository.root / "out" / "review.md").read_text().startswith("<!-- digits diff -->")
        )

    def test_a_typo_is_refused(self, repository: Any, diff: Callable[..., Result]) -> None:
        repository.commit(project({}))
        assert diff("--fail-if", "worst").exit_code == 2

    def test_markdown_to_standard_output_stands_alone(
        self, repository: Any, diff: Callable[..., Result]
    ) -> None:
        repository.commit(project({"cnn": []}))
        first = diff("main", "main", "--md", "-").output
        assert first.startswith("<!-- digits diff -->\n- cnn: **unchanged**\n\nFrom main (")
        assert not (repository.root / "-").exists()

    def test_pictures_lie_beside_the_file(
        self, repository: Any, diff: Callable[..., Result]
    ) -> None:
        repository.commit(project({"cnn": [3, 4]}))
        repository.write(project({"cnn": [4, 7]}))
        (repository.root / "data" / "processed").mkdir(parents=True)
        with (repository.root / "data" / "processed" / "test.npz").open("wb") as file:
            np.savez(file, images=np.zeros((100, 28, 28), np.uint8), labels=np.uint8(LABELS))
        assert diff("--md", "out/my review.md").exit_code == 0
        text = (repository.root / "out" / "my review.md").read_text()
        assert "](my%20review-cnn-fixed.png)" in text
        assert sorted(path.name for path in (repository.root / "out").iterdir()) == [
            "my review-cnn-broken.png",
            "my review-cnn-fixed.png",
            "my review.md",
        ]

    def test_the_file_is_relative_to_where_the_user_is(
        self, repository: Any, diff: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repository.commit(project({"cnn": []}) | {"sub/file": ""})
        monkeypatch.chdir(repository.root / "sub")
        assert diff("HEAD", "HEAD", "--md", "out.md").exit_code == 0
        assert (repository.root / "sub" / "out.md").exists()
        assert not (repository.root / "out.md").exists()

    def test_a_users_mistake_is_one_line(self, repository: Any, python: Any) -> None:
        repository.commit(project({}))
        done = python("-m", "digits.cli", "diff", "nope", cwd=repository.root)
        assert done.returncode == 1
        expected = "digits: nope: no branch, tag, commit or DVC experiment has that name\n"
        assert (done.stdout, done.stderr) == ("", expected)

    def test_what_is_piped_has_no_colour_and_loses_nothing(
        self, repository: Any, python: Any
    ) -> None:
        long = PARAMS | {"train": {"cnn": {"filters": list(range(100, 200))}}}
        repository.commit(project({"cnn": []}))
        repository.write(project({"cnn": range(20)}, long))
        done = python("-m", "digits.cli", "diff", "--fail-if=worse", cwd=repository.root)
        assert done.returncode == 3
        assert done.stderr == ""
        assert "\x1b" not in done.stdout
        assert json.dumps(list(range(100, 200))) in done.stdout


def test_the_projects_own_history_is_read(root: Path) -> None:
    workspace = revisions.find("workspace", root)
    found = review.review(workspace, workspace)
    assert {model.verdict for model in found.models.values()} == {"unchanged"}
    assert found.parameters == found.data == []
    for name, model in found.models.items():
        expected = pd.read_csv(
            io.StringIO(workspace.text(f"{review.EVALUATIONS}/{name}/predictions.csv"))
        )
        pd.testing.assert_frame_equal(model.new, expected)
        assert (
            model.new_metrics["accuracy"] == (model.new["label"] == model.new["predicted"]).mean()
        )
