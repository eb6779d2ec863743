"""A space is checked whole before anything runs."""

from pathlib import Path

import pytest
from optuna.trial import FixedTrial

from digits.base.errors import UserError
from digits.sweeping import space

RATE = "train.mlp.learning_rate"


def read(workspace: Path, text: str) -> space.Space:
    (workspace / "space.yaml").write_text(text)
    return space.read(Path("space.yaml"), "mlp")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("space: {}", "space.yaml: space = {}: must be a section of keys and values"),
        ("spaces: {}", "space.yaml: spaces: unknown key; allowed here: metric, images"),
        (f"{{metric: test_loss, space: {{{RATE}: [0.1]}}}}", "must be val_loss or val_accuracy"),
        ("space: {train.mlp.rate: [0.1]}", "space.yaml: train.mlp.rate: unknown; a sweep of mlp"),
        ("space: {train.cnn.epochs: [3]}", "space.yaml: train.cnn.epochs: unknown"),
        ("space: {evaluate.seed: [3]}", "space.yaml: evaluate.seed: unknown"),
        ("space: {train.mlp.views: [1, 5]}", "train.mlp.views: a sweep cannot see it"),
        (f"space: {{{RATE}: 0.1}}", "must be a list of values, or {low: ..., high: ...}"),
        (f"space: {{{RATE}: []}}", f"{RATE} = []: the list must have at least one value"),
        ("space: {train.mlp.optimizer: {low: 1, high: 2}}", "must be a list of values"),
        (f"space: {{{RATE}: {{low: 0.2, high: 0.1}}}}", "low = 0.2 must be below high, 0.1"),
        (f"space: {{{RATE}: {{low: 0, high: 0.1}}}}", f"{RATE} = 0.0: must be a number > 0"),
        (f"space: {{{RATE}: {{low: 0, high: 1, log: true}}}}", "log needs a low above 0"),
        (f"space: {{{RATE}: {{low: 0, hi: 1}}}}", "hi: unknown key; allowed here: low, high"),
        ("space: {train.mlp.epochs: {low: 1, high: 2.5}}", "must be whole numbers"),
        ("space: {train.mlp.epochs: {low: 0, high: 2}}", "train.mlp.epochs = 0: must be a whole"),
        ("space: {train.mlp.optimizer: [sgd, lion]}", "optimizer = 'lion': must be sgd or adam"),
        (f"{{trial: {{{RATE}: 1}}, space: {{{RATE}: [0.1]}}}}", "is in `space` and in `trial`"),
        (f"{{trial: {{train.mlp.epochs: 0}}, space: {{{RATE}: [0.1]}}}}", "epochs = 0"),
    ],
)
def test_what_is_wrong_is_a_line(workspace: Path, text: str, line: str) -> None:
    with pytest.raises(UserError) as caught:
        read(workspace, text)
    assert line in str(caught.value)
    assert str(caught.value).startswith("space.yaml: ")


def test_a_folder_is_no_space(workspace: Path) -> None:
    with pytest.raises(UserError) as caught:
        space.read(workspace, "mlp")
    assert str(caught.value) == f"{workspace}: is a folder: SPACE must be a YAML file"


def test_every_wrong_value_is_told_at_once(workspace: Path) -> None:
    text = f"space: {{{RATE}: [0.1, -1.0], train.mlp.optimizer: [lion], train.mlp.epochs: [0]}}"
    with pytest.raises(UserError) as caught:
        read(workspace, text)
    assert len(str(caught.value).splitlines()) == 3


def test_a_trial_has_the_types_of_the_schema(workspace: Path) -> None:
    found = read(
        workspace,
        """
space:
  train.mlp.learning_rate: {low: 0.01, high: 1}
  train.mlp.epochs: {low: 2, high: 6, step: 2}
  train.mlp.hidden_units: [[8], [16, 8]]
  train.mlp.batch_normalization: [true, false]
""",
    )
    told = FixedTrial(
        {
            "train.mlp.learning_rate": 0.123456,
            "train.mlp.epochs": 4,
            "train.mlp.hidden_units": "[16, 8]",
            "train.mlp.batch_normalization": "false",
        }
    )
    values = {knob.path: knob.suggest(told) for knob in found.knobs}
    recipe = found.params(values).train.mlp
    assert (recipe.learning_rate, recipe.epochs) == (0.1235, 4)  # four digits, to be read
    assert (recipe.hidden_units, recipe.batch_normalization) == ([16, 8], False)
    assert recipe.members == 1


def test_what_a_trial_leaves_out_is_told(workspace: Path) -> None:
    text = f"{{images: 500, trial: {{train.mlp.epochs: 3}}, space: {{{RATE}: [0.1]}}}}"
    assert read(workspace, text).left_out(800) == [
        "epochs = 3 instead of 28",
        "500 of 800 training images",
        "one network instead of 2",
        "the calibration",
    ]


def test_no_metric_of_a_sweep_is_of_the_test_images() -> None:
    assert {name.partition("_")[0] for name in space.Metric.__args__} == {"val"}
