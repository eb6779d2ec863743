"""The loop, whole: served, drifted, corrected, exported, trained, promoted, followed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import story
from benchmarks.story import Project
from digits.base import yaml12
from tests.small_project import Command, edited

pytestmark = pytest.mark.slow


def test_what_people_correct_comes_back(
    new_project: Callable[[], Path], run: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = new_project()
    with edited(folder / "params.yaml") as params:
        params["models"] = ["cnn"]
        params["train"]["cnn"]["epochs"] = 6
        params["train"]["cnn"]["augmentation"]["styles"] = 0.0
        params["promote"] |= {"min_accuracy_low": 0.5, "max_ece": 0.5, "max_accuracy_loss": 0.2}
        params["promote"] |= {"min_corrupted_accuracy": 0.1, "max_onnx_difference": 1e-3}
        params["promote"] |= {"min_collected_accuracy": 0.5}
    run(folder, "dvc", "repro")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--message", "The first model")
    run(folder, "digits", "promote", "cnn")

    project = Project(folder, "models:/handwriting@champion", environment, run)
    told = story.tell(project, writers=60, weights=(3,))
    assert told.written >= 300
    assert told.wrong > 20, "the style is none that the model lacks"
    assert told.drift["drifted"]
    assert len(told.drift["days"]) == story.EVERYDAY_DAYS + story.STYLE_DAYS
    kept = yaml12.read(folder / "params.yaml")["preprocess"]["extra_weight"]
    assert [*told.weights] == [kept] == [3]
    assert "collected_accuracy" not in told.before
    assert told.after["collected_images"] > 50
    assert told.after["accuracy"] > told.before["accuracy"] - 0.05
    assert "## Where it serves" in (folder / "reports/model_card.md").read_text()
    assert "collected_accuracy" in told.diff
    assert "min_collected_accuracy" in told.promoted
    assert set(told.statuses) == {200}  # none was dropped while the model changed
    assert told.later_after > told.later_before + 0.02
    story.draw(told.drift, tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 5000
