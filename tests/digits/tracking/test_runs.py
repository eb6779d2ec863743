"""Runs: what one takes, and how one is found."""

import functools
import time
from pathlib import Path

import mlflow
import pytest

from digits.base import files
from digits.tracking import runs, store
from tests.digits.tracking.conftest import Enter, ended, opened, stored


class TestRun:
    def test_takes_more_than_mlflow_takes_at_once(self, workspace: Path) -> None:
        (workspace / "curves.csv").write_text(
            "epoch,loss,accuracy\n" + "".join(f"{i},{1 / (i + 1)},0.5\n" for i in range(700))
        )
        many = {f"key-{i}": str(i) for i in range(150)}
        run = opened("long")
        run.log_params(many)
        run.log_tags(many)
        run.log_metrics({f"metric-{i}": i for i in range(1100)})
        run.log_metrics({"loss": 1.0}, step=650)  # as it was reached
        run.log_curves(workspace / "curves.csv")
        found = stored(run)
        assert found.data.params == many
        assert found.data.tags.items() >= many.items()
        assert found.data.metrics.items() >= {f"metric-{i}": i for i in range(1100)}.items()
        history = mlflow.MlflowClient().get_metric_history(run.run_id, "loss")
        expected = {i: 1 / (i + 1) for i in range(700)} | {650: 1.0}
        assert {m.step: m.value for m in history} == expected
        assert len(history) == 700

    def test_takes_files_and_metrics_after_its_end(self, workspace: Path) -> None:
        (workspace / "report" / "inner").mkdir(parents=True)
        (workspace / "report" / "inner" / "a.txt").write_text("a")
        (workspace / "b.txt").write_text("b")
        run = ended()
        run.log_metrics({"test_accuracy": 0.9})
        run.log_files(workspace / "report", workspace / "b.txt", folder="evaluate")
        assert stored(run).data.metrics["test_accuracy"] == 0.9
        assert stored(run).info.status == "FINISHED"
        client = mlflow.MlflowClient()
        names = {f.path for f in client.list_artifacts(run.run_id, "evaluate")}
        assert names == {"evaluate/inner", "evaluate/b.txt"}
        where = workspace / "mlruns" / store.PIPELINE / run.run_id
        assert (where / "artifacts" / "evaluate" / "inner" / "a.txt").read_text() == "a"

    def test_shows_a_number_alike_however_it_is_written(self, workspace: Path) -> None:
        run = opened()
        run.log_params({"timeout": 20.0, "rate": 1e-3, "filters": [16, 32], "on": True})
        expected = {"timeout": "20", "rate": "0.001", "filters": "[16, 32]", "on": "True"}
        assert stored(run).data.params == expected


class TestFindModelRun:
    def test_finds_the_newest_run_of_the_same_bytes(self, workspace: Path, tmp_path: Path) -> None:
        model = tmp_path / "models/cnn"
        model.mkdir(parents=True)
        (model / "model.keras").write_bytes(b"weights")
        assert runs.find_model_run(files.md5(model)) is None
        for _ in range(2):
            run = opened("cnn", store.MODELS)
            run.log_tags({runs.MODEL_MD5: files.md5(model)})
            run.end("FINISHED")
            time.sleep(0.01)  # runs start in different milliseconds
        found = runs.find_model_run(files.md5(model))
        assert found is not None
        assert found.run_id == run.run_id
        (model / "model.keras").write_bytes(b"other weights")
        assert runs.find_model_run(files.md5(model)) is None

    def test_passes_over_a_training_that_has_not_ended(self, workspace: Path) -> None:
        md5 = "0f" * 16 + ".dir"
        run = opened("cnn", store.MODELS)
        run.log_tags({runs.MODEL_MD5: md5})
        assert runs.find_model_run(md5) is None
        run.end("FINISHED")
        assert runs.find_model_run(md5) is not None


class TestKnown:
    def test_is_what_finished_runs_are_of(self, tmp_path: Path, enter: Enter) -> None:
        enter(tmp_path)
        assert runs.known() == set()
        training, comparison = opened("cnn", store.MODELS), opened("compare")
        training.log_tags({runs.MODEL_MD5: "a.dir", runs.CONTENT: "b"})
        comparison.log_tags({runs.CONTENT: "c"})
        assert runs.known() == set()
        training.end("FINISHED")
        comparison.end("FINISHED")
        ended()
        assert runs.known() == {"a.dir", "b", "c"}


def test_a_search_gives_every_run(
    tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(tmp_path)
    ids = [ended("one").run_id, ended("two").run_id, ended("three").run_id]
    search = mlflow.MlflowClient.search_runs
    paged = functools.partialmethod(search, max_results=2)
    monkeypatch.setattr(mlflow.MlflowClient, "search_runs", paged)
    assert {run.info.run_id for run in runs.search(store.PIPELINE)} == set(ids)
    found = runs.search(store.MODELS, store.PIPELINE, condition="run_name = 'two'")
    assert [run.info.run_id for run in found] == ids[1:2]
