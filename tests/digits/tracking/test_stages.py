"""A run for each stage: what it says, and that a store which fails costs no stage."""

import errno
import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from digits.base import files
from digits.tracking import contents, lock, provenance, runs, stages, store
from tests.digits.tracking.conftest import all_runs


@pytest.fixture
def metrics(workspace: Path) -> Path:
    """What the stage `compare` writes: its metrics, and another file."""
    reports = workspace / "reports/compare"
    files.write_json(reports / "metrics.json", {"cnn": {"difference": 0.5}})
    (reports / "table.md").write_text("| a |")
    return reports / "metrics.json"


def newest(experiment: str = store.PIPELINE) -> mlflow.entities.Run:
    return runs.search(experiment)[0]


def test_no_password_of_the_command_reaches_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["digits", "sweep", "--storage", "postgresql://me:secret@host/sweeps"]
    monkeypatch.setattr("sys.orig_argv", command)
    assert provenance.tags("train")["command"] == "digits sweep --storage postgresql://host/sweeps"


def test_a_run_says_what_the_stage_read_and_wrote(workspace: Path, metrics: Path) -> None:
    (workspace / "data").mkdir(exist_ok=True)
    (workspace / "data/images.npz").write_bytes(b"abc")
    with stages.stage_run("compare", {"resamples": 2}, [Path("data/images.npz")]) as run:
        run.log_metrics({"live": 0.5}, step=1)
        assert newest().info.status == "RUNNING"
    found = newest()
    assert (found.info.status, found.info.run_name) == ("FINISHED", "compare")
    assert found.data.params == {"resamples": "2"}
    assert found.data.metrics.items() >= {"live": 0.5, "cnn_difference": 0.5}.items()
    assert found.data.metrics["wall_seconds"] > 0
    assert found.data.metrics["cpu_seconds"] > 0
    artifacts = mlflow.MlflowClient().list_artifacts(found.info.run_id)
    assert [file.path for file in artifacts] == ["metrics.json", "table.md"]
    (data,) = found.inputs.dataset_inputs
    assert data.dataset.digest == files.md5(workspace / "data/images.npz")
    assert json.loads(data.dataset.source) == {"uri": "data/images.npz"}
    assert [(tag.key, tag.value) for tag in data.tags] == [("mlflow.data.context", "images")]


def test_a_run_says_where_it_comes_from(
    workspace: Path, metrics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_STAGE", "compare")
    monkeypatch.setenv("DVC_EXP_NAME", "pious-sale")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123abc")
    entry = lock.Stage("compare", {}, {}, {"reports/compare": "0123.dir"})
    monkeypatch.setattr(lock, "of_workspace", {"compare": entry}.__getitem__)
    with stages.stage_run("compare", {}):
        pass
    tags = newest().data.tags
    assert tags["content"] == entry.content
    assert tags["dvc.stage"] == "compare"
    assert tags["dvc.experiment"] == "pious-sale"
    assert tags["dvc.baseline"] == "0123abc"
    assert tags["host"] == socket.gethostname()
    assert tags["process"].startswith(f"{os.getpid()}:")
    assert tags["mlflow"] == mlflow.__version__
    assert "git.commit" not in tags  # the folder is no repository


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_store(
    workspace: Path,
    metrics: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: str) -> lock.Stage:
        raise OSError(errno.EROFS, "Read-only file system", ".dvc/cache")

    monkeypatch.setenv("DVC_STAGE", "compare")
    monkeypatch.setattr(lock, "of_workspace", fail)
    with stages.stage_run("compare", {}):
        pass
    assert newest().info.status == "FINISHED"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("compare: DVC cannot hash what was written")
    assert "Read-only file system: '.dvc/cache'; once that is mended, `digits sync`" in line


def test_a_run_says_which_commit_and_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        return subprocess.check_output(["git", *identity, *arguments], text=True).strip()

    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    Path("dvc.lock").touch()
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    Path("dvc.lock").write_text("changed by the stages before")
    Path("reports").mkdir()
    Path("reports/metrics.json").touch()
    tags = provenance.tags("compare")
    assert (tags["git.commit"], tags["git.dirty"]) == (git("rev-parse", "HEAD"), "False")
    Path("code.py").touch()
    assert provenance.tags("compare")["git.dirty"] == "True"


def test_a_run_fails_with_its_stage(workspace: Path, metrics: Path) -> None:
    with pytest.raises(ValueError, match="diverged"), stages.stage_run("compare", {}):
        raise ValueError("diverged")
    assert newest().info.status == "FAILED"
    assert "wall_seconds" not in newest().data.metrics


def test_a_stage_that_is_to_fail_may_log_before(workspace: Path, metrics: Path) -> None:
    def fail() -> None:
        with stages.stage_run("compare", {}) as run:
            run.log_outputs()
            raise ValueError("unsound")

    with pytest.raises(ValueError, match="unsound"):
        fail()
    assert newest().info.status == "FAILED"
    assert newest().data.metrics["cnn_difference"] == 0.5


class TestAStoreThatFailsLater:
    """It costs the stage nothing but its run, which is then not one that looks whole."""

    @pytest.mark.parametrize("call", ["log_batch", "log_artifact", "set_terminated"])
    def test_leaves_the_stage_alone(
        self,
        workspace: Path,
        metrics: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        call: str,
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError("database or disk is full")

        with monkeypatch.context() as patch:
            with stages.stage_run("compare", {}):
                patch.setattr(mlflow.MlflowClient, call, fail)
            (run,) = [r for r in all_runs(workspace)[store.PIPELINE] if r.info.status == "RUNNING"]
        assert capsys.readouterr().err == (
            "compare: MLflow lacks some of this run: database or disk is full; "
            "once its store works again, `digits sync` adds what is missing\n"
        )
        mlflow.MlflowClient().set_terminated(run.info.run_id, "KILLED")

    def test_is_asked_once_more_and_never_again(
        self, workspace: Path, metrics: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = []

        def fail(*_: object, **__: object) -> None:
            calls.append(1)
            raise OSError("gone")

        with monkeypatch.context() as patch, stages.stage_run("compare", {}) as run:
            patch.setattr(mlflow.MlflowClient, "log_batch", fail)
            for epoch in range(3):
                run.log_metrics({"loss": 1.0}, epoch)
        assert len(calls) == 1
        mlflow.MlflowClient().set_terminated(newest().info.run_id, "KILLED")

    def test_does_not_hide_how_the_stage_failed(
        self, workspace: Path, metrics: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError("gone")

        with pytest.raises(ValueError, match="diverged"), monkeypatch.context() as patch:  # noqa: PT012, SIM117
            with stages.stage_run("compare", {}):
                patch.setattr(mlflow.MlflowClient, "set_terminated", fail)
                raise ValueError("diverged")
        mlflow.MlflowClient().set_terminated(newest().info.run_id, "KILLED")


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (lambda tag: tag, False),
        (lambda tag: tag.replace(str(os.getpid()), "1", 1), True),  # another one's creation
        (lambda tag: ":".join([*tag.split(":")[:4], "4026539999"]), False),  # in a container
        (
            lambda tag: ":".join([*tag.split(":")[:2], "another-machine", *tag.split(":")[3:]]),
            False,
        ),
        (lambda tag: ":".join([*tag.split(":")[:3], "another-boot", *tag.split(":")[4:]]), True),
    ],
)
def test_a_process_is_gone_only_where_that_can_be_told(
    change: Callable[[str], str], gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("machine", "boot", "4026531836")
    monkeypatch.setattr(provenance, "_place", lambda: place)
    tag = provenance.tags("compare")[provenance.PROCESS]
    assert provenance.is_gone(change(tag)) is gone


def test_the_parameters_of_a_run_are_those_of_its_section() -> None:
    params = {"train.seed": 0, "train.cnn": {"epochs": 2, "augmentation": {"shift": 1.0}}}
    params["data.name"] = "mnist"
    deps = {"data/processed/train.npz": "a", "digits/training": "b.dir"}
    stage = lock.Stage("train@cnn", {"params.yaml": params}, deps, {})
    facts = contents.facts_of(stage)
    assert facts.params == {
        "seed": 0,
        "epochs": 2,
        "augmentation.shift": 1.0,
        "data.name": "mnist",
    }
    assert facts.data == {"data/processed/train.npz": "a"}
    assert (facts.experiment, facts.run_name) == (store.MODELS, "cnn")
    download = lock.Stage("download", {"params.yaml": {"data": {"retries": 2}}}, {}, {})
    assert contents.facts_of(download).params == {"retries": 2}
