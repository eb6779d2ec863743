"""The run of a scoring takes whatever the classes are called."""

from dataclasses import asdict
from pathlib import Path

import mlflow

from digits.scoring.counting import Counts
from digits.scoring.record import EXPERIMENT, Record
from digits.tracking import runs, store


def test_each_class_has_a_metric_whatever_its_name(workspace: Path) -> None:
    classes = {"3": 1, "é": 2, "left_hand": 3, "+": 4, "-": 5, "a b": 6, "/": 7, "..": 8}
    run = runs.open_run(store.connect(EXPERIMENT), "score-out", {})
    record = Record(run)
    record.log({"counts": asdict(Counts(rows=36, answers=36, classes=classes))}, 1.0)
    assert record.failure == ""
    client = mlflow.MlflowClient()
    metrics = client.get_run(run.run_id).data.metrics
    found = {name: value for name, value in metrics.items() if name.startswith("class_")}
    assert sorted(found.values()) == sorted(classes.values())
    assert (found["class_3"], found["class_left_hand"], found["class__2b"]) == (1, 3, 4)
    assert [file.path for file in client.list_artifacts(run.run_id)] == ["manifest.json"]
