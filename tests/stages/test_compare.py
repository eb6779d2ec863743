import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest

from digits import params
from digits.base import tables
from digits.base.errors import UserError
from digits.evaluation import metrics
from digits.tracking import store
from stages import compare

CLASSES = [str(number) for number in range(10)]
OUTPUTS = ["comparison.png", "metrics.json", "table.md"]
IMAGES = 1000


def write_evaluation(model: str, wrong: range, images: int = IMAGES) -> None:
    """What `evaluate` leaves of a model that gets the images of `wrong` wrong."""
    labels = (np.arange(images) % 10).astype(np.uint8)
    predicted = np.where(np.isin(np.arange(images), wrong), (labels + 1) % 10, labels)
    probabilities = (np.eye(10)[predicted] * 0.9 + 0.01).astype(np.float32)
    folder = Path("reports/evaluate") / model
    folder.mkdir(parents=True, exist_ok=True)
    tables.write(tables.tabulate_predictions(probabilities, labels), folder / "predictions.csv")
    scores = metrics.score(probabilities, labels, len(CLASSES), 15, 0.95)
    costs = {"parameters": 20490, "multiply_adds": 1234567}
    (folder / "metrics.json").write_text(json.dumps(scores | costs))


@pytest.fixture
def checked(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> params.Params:
    """The repository's parameters, in a workspace with the evaluations of both models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(root / "datasets.yaml", tmp_path)
    write_evaluation("mlp", wrong=range(40))
    write_evaluation("cnn", wrong=range(30, 45))
    return params.load(root / "params.yaml")


def test_compare(checked: params.Params, capsys: pytest.CaptureFixture[str]) -> None:
    compare.main(checked)
    assert sorted(path.name for path in compare.REPORTS.iterdir()) == OUTPUTS
    result = json.loads((compare.REPORTS / "metrics.json").read_text())
    assert list(result) == ["cnn"]
    measured = result["cnn"]
    assert measured["accuracy_difference"] == 0.025
    assert 0 < measured["difference_low"] < 0.025 < measured["difference_high"]
    assert measured["only_cnn_right"] == 30
    assert measured["only_mlp_right"] == 5
    assert measured["mcnemar_p"] < 0.001
    assert measured["agreement"] == 0.965
    assert "| cnn | **better** |" in (compare.REPORTS / "table.md").read_text()
    assert "cnn against mlp: better; accuracy +2.50 points" in capsys.readouterr().out

    before = {name: (compare.REPORTS / name).read_bytes() for name in OUTPUTS}
    compare.main(checked)
    assert before == {name: (compare.REPORTS / name).read_bytes() for name in OUTPUTS}

    runs = mlflow.search_runs(experiment_names=[store.PIPELINE], output_format="list")
    assert len(runs) == 2
    assert runs[0].info.run_name == "compare"
    assert runs[0].info.status == "FINISHED"
    assert runs[0].data.metrics["cnn_accuracy_difference"] == 0.025
    assert runs[0].data.params["resamples"] == "10000"
    artifacts = Path(runs[0].info.artifact_uri.removeprefix("file://"))
    assert sorted(path.name for path in artifacts.iterdir()) == OUTPUTS


def test_one_model_alone_is_an_empty_comparison(checked: params.Params) -> None:
    compare.main(checked.model_copy(update={"models": ["mlp"]}))
    assert sorted(path.name for path in compare.REPORTS.iterdir()) == OUTPUTS
    assert json.loads((compare.REPORTS / "metrics.json").read_text()) == {}
    assert "| mlp | 96.00% |" in (compare.REPORTS / "table.md").read_text()


def test_predictions_of_other_images_are_refused(checked: params.Params) -> None:
    write_evaluation("cnn", wrong=range(0), images=IMAGES - 1)
    with pytest.raises(UserError, match="predictions of cnn and mlp are not for the same images"):
        compare.main(checked)
    assert not compare.REPORTS.exists()
