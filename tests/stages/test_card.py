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

Trained = tuple[Path, dict[str, subprocess.CompletedProcess[str]]]


@pytest.fixture
def workspace(
    trained: Trained, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Trained models, with the repository's reports of the stages after them; no store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it: restored at the end
    for name in ("models", "datasets.yaml", "params.yaml"):
        source = trained[0] / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    for name in ("compare", "evaluate", "train", "validate"):
        shutil.copytree(root / "reports" / name, tmp_path / "reports" / name)
    return tmp_path


def test_card(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs.open_run(store.connect(store.MODELS), "cnn", {})
    run.log_tags({runs.MODEL_MD5: files.md5(Path("models/cnn"))})
    run.end("FINISHED")
    card.main(params.load())
    assert capsys.readouterr().out == "reports/model_card.md: mlp, cnn\n"
    text = card.CARD.read_text()
    titles = [line for line in text.splitlines() if line.startswith("# ")]
    assert titles == ["# Model card: mlp", "# Model card: cnn"]
    assert text.count("\n- epochs: 3\n") == 2  # what the models say, not what params.yaml says

    client = mlflow.MlflowClient()
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
