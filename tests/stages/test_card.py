import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from digits import params
from digits.base import files
from digits.tracking import runs, store
from stages import card
from tests import small_model, small_reports

MODELS = ("mlp", "cnn")
RECIPE = json.dumps({"members": 1, "epochs": 3})


@pytest.fixture
def workspace(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small models and what the stages before said of them; no store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it: restored at the end
    for name in MODELS:
        small_model.write(tmp_path / "models" / name, name, recipe=RECIPE, data="{}")
    for name in ("datasets.yaml", "params.yaml"):
        shutil.copy(root / name, tmp_path)
    small_reports.write(tmp_path / "reports")
    return tmp_path


def test_card(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainings = {name: runs.open_run(store.connect(store.MODELS), name, {}) for name in MODELS}
    for name, run in trainings.items():
        run.log_tags({runs.MODEL_MD5: files.md5(Path("models") / name)})
        run.end("FINISHED")
    card.main(params.load())
    assert capsys.readouterr().out == "reports/model_card.md: mlp, cnn\n"
    text = card.CARD.read_text()
    titles = [line for line in text.splitlines() if line.startswith("# ")]
    assert titles == ["# Model card: mlp", "# Model card: cnn"]
    assert text.count("\n- epochs: 3\n") == 2  # what the models say, not what params.yaml says

    client = mlflow.MlflowClient()
    for run in trainings.values():
        assert [file.path for file in client.list_artifacts(run.run_id)] == ["model_card.md"]
    (own,) = mlflow.search_runs(experiment_names=[store.PIPELINE], output_format="list")
    assert (own.info.run_name, own.info.status) == ("card", "FINISHED")
    assert [file.path for file in client.list_artifacts(own.info.run_id)] == ["model_card.md"]

    card.main(params.load())
    assert card.CARD.read_text() == text


def test_help_names_the_stage(python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = python("-m", "stages.card", "--help")
    assert done.returncode == 0
    assert "Write the model card of each model" in done.stdout
