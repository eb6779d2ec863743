"""MLflow's store: restored from the pipeline's files, and after a kill."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from mlflow.entities import Run

from digits.data.splits import Split
from tests.pipeline.content import curves, predictions
from tests.small_project import (
    LIMIT,
    MODELS,
    TRAIN_IMAGES,
    Command,
    edited,
    ran,
    runs,
    wait_for,
)

pytestmark = pytest.mark.slow


class TestStore:
    def test_a_models_run_is_restored_from_its_files(
        self,
        repo: Path,
        copy: Callable[[], Path],
        run: Command,
        load_model: Callable[[Path, Run], Any],
        handwriting: Split,
    ) -> None:
        folder = copy()
        run(folder, "dvc", "repro", "--force", "--single-item", "evaluate@cnn")
        _, original = runs(repo)[MODELS]
        (restored,) = runs(folder)[MODELS]
        assert restored.data.tags["restored"] == "true"
        assert "restored" not in original.data.tags
        assert restored.info.run_name == "cnn"
        assert restored.info.status == "FINISHED"
        assert restored.data.params == original.data.params
        before, after = curves(repo, original), curves(folder, restored)
        assert after.keys() == before.keys()
        for name in before:  # from files, which hold six decimals
            np.testing.assert_allclose(after[name], before[name], atol=1e-6, err_msg=name)
        scores = load_model(folder, restored).predict(handwriting.images[TRAIN_IMAGES:])
        assert np.argmax(scores, axis=1).tolist() == predictions(repo, "cnn")
        assert run(folder, "git", "status", "--porcelain").stdout == ""

    def test_another_revision_is_registered_without_a_checkout(
        self, copy: Callable[[], Path], run: Command
    ) -> None:
        folder = copy()
        run(folder, "git", "rm", "--quiet", "-r", "--cached", "reports")
        shutil.rmtree(folder / "models")
        shutil.rmtree(folder / "reports")
        told = run(folder, "digits", "sync", code=1).stderr
        assert told.startswith("digits: workspace: models/mlp of train@mlp is neither here nor in")
        run(folder, "digits", "sync", "--rev", "main")
        commit = run(folder, "git", "rev-parse", "main").stdout.strip()
        assert {found.data.tags["git.commit"] for found in runs(folder)[MODELS]} == {commit}
        assert all("test_accuracy" in found.data.metrics for found in runs(folder)[MODELS])
        assert not (folder / "models").exists()

    def test_a_killed_training_leaves_nothing_half_done(
        self, copy: Callable[[], Path], run: Command, environment: dict[str, str]
    ) -> None:
        folder = copy()
        with edited(folder / "params.yaml") as params:
            params["train"]["mlp"]["epochs"] = 60
        command = ("dvc", "repro", "train@mlp")
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=folder, env=environment, stdout=pipe, stderr=pipe
        ) as repro:
            wait_for((folder / "mlflow.db").exists)
            # An epoch is over, 59 are to come.
            wait_for(lambda: any(r.data.metrics for r in runs(folder).get(MODELS, [])))
            below = psutil.Process(repro.pid).children(recursive=True)
            (training,) = (p for p in below if p.cmdline()[1:] == ["-m", "stages.train", "mlp"])
            training.send_signal(signal.SIGKILL)
            _, errors = repro.communicate(timeout=LIMIT)
        assert repro.returncode == 255
        assert b"failed to reproduce 'train@mlp'" in errors
        assert b"Traceback" not in errors
        assert not (folder / "models/mlp").exists()
        assert "partial" not in run(folder, "git", "status", "--porcelain").stdout
        (killed,) = runs(folder)[MODELS]
        assert killed.info.status == "RUNNING"  # nobody was left to say otherwise

        assert ran(run(folder, *command)) == ["train@mlp"]
        files = sorted(path.name for path in (folder / "models/mlp").iterdir())
        assert files == ["model.keras", "model.onnx"]
        assert [found.info.status for found in runs(folder)[MODELS]] == ["KILLED", "FINISHED"]
        assert list(folder.rglob("*.partial")) == []
