"""The tracking, on real sqlite stores, alone and with other processes."""

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import psutil
import pytest
from mlflow.entities import Run as MlflowRun

from digits.base import files
from digits.base.errors import UserError
from digits.tracking import lock, store
from digits.tracking import runs as tracking

ROOT = Path(__file__).parents[2]
AWAY = "http://127.0.0.1:9"  # the port "discard", on which nobody listens


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace for the tests that leave its store usable; to make one takes a second."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Path]]:
    """Make a folder the main workspace."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.setenv(name, "")  # MLflow sets its own: restored at the end
    for name in ("DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)

    def go(folder: Path) -> Path:
        monkeypatch.setenv("DVC_ROOT", str(folder))
        monkeypatch.chdir(folder)
        return folder

    yield go
    mlflow.end_run()


@pytest.fixture
def workspace(shared: Path, enter: Callable[[Path], Path]) -> Path:
    return enter(shared)


def stored(run: tracking.Run) -> MlflowRun:
    return mlflow.MlflowClient().get_run(run.run_id)


def all_runs(folder: Path) -> dict[str, list[MlflowRun]]:
    """Every run of the workspace's store, by the name of its experiment."""
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = client.search_experiments()
    return {e.name: client.search_runs([e.experiment_id]) for e in experiments}


def a_run(name: str = "a-stage") -> tracking.Run:
    with tracking.stage_run(store.PIPELINE, name, {}, {}) as run:
        pass
    return run


class TestRun:
    def test_says_what_it_ran_with(self, workspace: Path) -> None:
        (workspace / "images").write_bytes(b"abc")
        with tracking.stage_run(
            store.MODELS, "cnn", {"epochs": 2}, {"train": Path("images")}, {"note": "mine"}
        ) as run:
            run.log_metrics({"accuracy": 0.5}, step=1)
            assert stored(run).info.status == "RUNNING"
        found = stored(run)
        assert found.info.status == "FINISHED"
        assert found.info.run_name == "cnn"
        assert found.data.params == {"epochs": "2"}
        assert found.data.metrics["accuracy"] == 0.5
        assert found.data.metrics["wall_seconds"] > 0
        assert found.data.metrics["cpu_seconds"] > 0
        assert found.data.tags["note"] == "mine"
        (data,) = found.inputs.dataset_inputs
        assert data.dataset.digest == files.md5(workspace / "images")
        assert json.loads(data.dataset.source) == {"uri": "images"}
        assert [(tag.key, tag.value) for tag in data.tags] == [("mlflow.data.context", "train")]

    def test_says_where_it_comes_from(
        self, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DVC_STAGE", "train@cnn")
        monkeypatch.setenv("DVC_EXP_NAME", "pious-sale")
        monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123abc")
        entry = lock.Stage("train@cnn", {}, {}, {"models/cnn": "0123.dir"})
        monkeypatch.setattr(lock, "of_workspace", {"train@cnn": entry}.__getitem__)
        tags = stored(a_run()).data.tags
        assert tags["content"] == entry.content
        assert tags["dvc.stage"] == "train@cnn"
        assert tags["dvc.experiment"] == "pious-sale"
        assert tags["dvc.baseline"] == "0123abc"
        assert tags["host"] == socket.gethostname()
        assert tags["process"].startswith(f"{os.getpid()}:")
        assert tags["mlflow"] == mlflow.__version__
        assert "git.commit" not in tags  # the folder is no repository

    def test_says_which_commit_and_whether_it_was_changed(
        self, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        tags = stored(a_run()).data.tags
        assert (tags["git.commit"], tags["git.dirty"]) == (git("rev-parse", "HEAD"), "False")
        Path("code.py").touch()
        assert stored(a_run()).data.tags["git.dirty"] == "True"

    def test_fails_with_its_stage(self, workspace: Path) -> None:
        with (
            pytest.raises(ValueError, match="diverged"),
            tracking.stage_run(store.MODELS, "cnn", {}, {}) as run,
        ):
            raise ValueError("diverged")
        assert stored(run).info.status == "FAILED"
        assert "wall_seconds" not in stored(run).data.metrics

    def test_takes_more_than_mlflow_takes_at_once(self, workspace: Path) -> None:
        (workspace / "curves.csv").write_text(
            "epoch,loss,accuracy\n" + "".join(f"{i},{1 / (i + 1)},0.5\n" for i in range(700))
        )
        many = {f"key-{i}": str(i) for i in range(150)}
        with tracking.stage_run(store.MODELS, "long", many, {}) as run:
            run.log_tags(many)
            run.log_metrics({f"metric-{i}": i for i in range(1100)})
            run.log_curves(workspace / "curves.csv")
        found = stored(run)
        assert found.data.params == many
        assert found.data.tags.items() >= many.items()
        assert found.data.metrics.items() >= {f"metric-{i}": i for i in range(1100)}.items()
        history = mlflow.MlflowClient().get_metric_history(run.run_id, "loss")
        assert [(m.step, m.value) for m in history] == [(i, 1 / (i + 1)) for i in range(700)]

    def test_takes_files_and_metrics_after_its_end(self, workspace: Path) -> None:
        (workspace / "report" / "inner").mkdir(parents=True)
        (workspace / "report" / "inner" / "a.txt").write_text("a")
        (workspace / "b.txt").write_text("b")
        run = a_run()
        run.log_metrics({"test_accuracy": 0.9})
        run.log_files(workspace / "report", workspace / "b.txt", folder="evaluate")
        assert stored(run).data.metrics["test_accuracy"] == 0.9
        assert stored(run).info.status == "FINISHED"
        client = mlflow.MlflowClient()
        names = {f.path for f in client.list_artifacts(run.run_id, "evaluate")}
        assert names == {"evaluate/inner", "evaluate/b.txt"}
        where = workspace / "mlruns" / store.PIPELINE / run.run_id
        assert (where / "artifacts" / "evaluate" / "inner" / "a.txt").read_text() == "a"


class TestFindModelRun:
    def test_finds_the_newest_run_of_the_same_bytes(self, workspace: Path, tmp_path: Path) -> None:
        model = tmp_path / "models/cnn"
        model.mkdir(parents=True)
        (model / "model.keras").write_bytes(b"weights")
        assert tracking.find_model_run(files.md5(model)) is None
        for _ in range(2):
            with tracking.stage_run(store.MODELS, "cnn", {}, {}) as run:
                run.log_tags({tracking.MODEL_MD5: files.md5(model)})
            time.sleep(0.01)  # runs start in different milliseconds
        found = tracking.find_model_run(files.md5(model))
        assert found is not None
        assert found.run_id == run.run_id
        (model / "model.keras").write_bytes(b"other weights")
        assert tracking.find_model_run(files.md5(model)) is None

    def test_passes_over_a_training_that_has_not_ended(self, workspace: Path) -> None:
        md5 = "0f" * 16 + ".dir"
        with tracking.stage_run(store.MODELS, "cnn", {}, {}) as run:
            run.log_tags({tracking.MODEL_MD5: md5})
            assert tracking.find_model_run(md5) is None
        assert tracking.find_model_run(md5) is not None


class TestKnown:
    def test_is_what_finished_runs_are_of(
        self, tmp_path: Path, enter: Callable[[Path], Path]
    ) -> None:
        enter(tmp_path)
        assert tracking.known() == set()
        with tracking.stage_run(store.MODELS, "cnn", {}, {}) as run:
            run.log_tags({tracking.MODEL_MD5: "a.dir", tracking.CONTENT: "b"})
            assert tracking.known() == set()
        with tracking.stage_run(store.PIPELINE, "compare", {}, {}) as run:
            run.log_tags({tracking.CONTENT: "c"})
        a_run()
        assert tracking.known() == {"a.dir", "b", "c"}


def test_a_search_gives_every_run(
    tmp_path: Path, enter: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(tmp_path)
    ids = [a_run("one").run_id, a_run("two").run_id, a_run("three").run_id]
    search = mlflow.MlflowClient.search_runs
    paged = functools.partialmethod(search, max_results=2)
    monkeypatch.setattr(mlflow.MlflowClient, "search_runs", paged)
    assert {run.info.run_id for run in tracking.search(store.PIPELINE)} == set(ids)
    found = tracking.search(store.MODELS, store.PIPELINE, condition="run_name = 'two'")
    assert [run.info.run_id for run in found] == ids[1:2]


class TestStore:
    def test_may_lie_at_an_odd_path(self, tmp_path: Path, enter: Callable[[Path], Path]) -> None:
        folder = tmp_path / "ein schöner Ort, #1: 数字"
        folder.mkdir()
        enter(folder)
        (folder / "a.txt").write_text("a")
        run = a_run()
        run.log_files(folder / "a.txt")
        bare = mlflow.MlflowClient("sqlite:///mlflow.db")  # what MLflow itself opens there
        assert bare.get_run(run.run_id).info.status == "FINISHED"
        assert [file.path for file in bare.list_artifacts(run.run_id)] == ["a.txt"]
        assert list(tmp_path.iterdir()) == [folder]

    @pytest.mark.parametrize("name", ["100%25", "why?"])
    def test_is_refused_where_mlflow_would_misread_its_path(
        self, tmp_path: Path, enter: Callable[[Path], Path], name: str
    ) -> None:
        (tmp_path / name).mkdir()
        enter(tmp_path / name)
        with pytest.raises(UserError, match="MLflow misreads % and"):
            a_run()
        assert list(tmp_path.iterdir()) == [tmp_path / name]

    def test_is_the_main_workspaces_in_a_temporary_one(
        self, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        run = a_run("in-a-temporary-workspace")
        assert run.run_id in {r.info.run_id for r in all_runs(workspace)[store.PIPELINE]}
        assert list(tmp_path.iterdir()) == []

    def test_of_a_relative_uri_is_the_main_workspaces_too(
        self,
        tmp_path: Path,
        enter: Callable[[Path], Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        main, temporary = tmp_path / "main", tmp_path / "temporary"
        main.mkdir()
        temporary.mkdir()
        enter(main)
        monkeypatch.chdir(temporary)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///own/runs.db")
        run = a_run()
        assert (main / "own" / "runs.db").is_file()
        assert stored(run).info.artifact_uri.startswith(f"{main}/own/mlruns/")
        assert list(temporary.iterdir()) == []

    def test_is_created_whole_or_not_at_all(
        self, tmp_path: Path, enter: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        def be_killed(uri: str) -> None:
            Path(f"{uri.removeprefix('sqlite:///')}").write_text("half a database")
            raise Killed

        enter(tmp_path)
        with monkeypatch.context() as patch, pytest.raises(Killed):  # noqa: PT012
            patch.setattr(mlflow, "MlflowClient", be_killed)
            a_run()
        assert not (tmp_path / "mlflow.db").exists()
        # As after SIGKILL, when nobody cleans up:
        (tmp_path / "mlflow.db.partial").write_text("half a database")
        (tmp_path / "mlflow.db.partial-journal").write_text("half a journal")
        assert stored(a_run()).info.status == "FINISHED"
        assert not (tmp_path / "mlflow.db.partial").exists()

    def test_of_a_moved_checkout_is_refused(
        self, workspace: Path, tmp_path: Path, enter: Callable[[Path], Path]
    ) -> None:
        a_run()
        shutil.copy(workspace / "mlflow.db", tmp_path)
        enter(tmp_path)
        os.environ["MLFLOW_TRACKING_URI"] = ""
        with pytest.raises(UserError) as raised:
            a_run()
        assert str(raised.value) == (
            f"{tmp_path}/mlflow.db keeps its files in {workspace}/mlruns: MLflow stores absolute "
            "paths; move it back there, or rename it and its mlruns to begin a new store"
        )

    def test_with_a_deleted_experiment_is_explained(self, workspace: Path) -> None:
        experiment = stored(a_run()).info.experiment_id
        client = mlflow.MlflowClient()
        client.delete_experiment(experiment)
        try:
            with pytest.raises(UserError) as raised:
                a_run()
        finally:
            client.restore_experiment(experiment)
        assert str(raised.value) == (
            "MLflow's experiment digits-pipeline was deleted: restore it with "
            f"`mlflow experiments restore --experiment-id {experiment}`"
        )

    @pytest.mark.parametrize(
        ("uri", "reason"),
        [
            (AWAY, "[Errno 111] Connection refused"),
            ("http://ann:secret@127.0.0.1:9", "[Errno 111] Connection refused"),
            ("gopher://host", "got unsupported URI 'gopher://host'"),
            ("./mlruns", "The filesystem tracking backend (e.g., './mlruns') is in maintenance"),
        ],
    )
    def test_that_does_not_answer_is_told_at_once(
        self,
        workspace: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        uri: str,
        reason: str,
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        started = time.monotonic()
        with pytest.raises(UserError) as raised:
            a_run()
        assert time.monotonic() - started < 10
        message = str(raised.value)
        assert message.startswith(f"MLflow's store {uri.replace('ann:secret@', '')} does not ")
        assert reason in message
        assert message.endswith("start or correct the server, or change MLFLOW_TRACKING_URI")
        assert "\n" not in message
        assert capfd.readouterr() == ("", "")

    def test_that_is_no_database_is_told(
        self, tmp_path: Path, enter: Callable[[Path], Path]
    ) -> None:
        enter(tmp_path)
        (tmp_path / "mlflow.db").write_text("something else")
        with pytest.raises(UserError, match=r"mlflow\.db does not .* file is not a database; rena"):
            a_run()

    def test_is_asked_impatiently_only_at_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
        monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
        before = dict(os.environ)
        with pytest.raises(ValueError, match="inside"), tracking._impatient():  # noqa: PT012
            assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
            assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
            raise ValueError("inside")
        assert dict(os.environ) == before


class TestProcesses:
    """Stages as processes, which say READY with their run's id and wait for a line."""

    SCRIPT = """
import sys
from digits import tracking
from stages import runner

def main(params):
    with tracking.stage_run(tracking.PIPELINE, "a-process", {}, {}) as run:
        print(run.run_id, flush=True)
        sys.stdin.readline()

runner.run(main, "data")
"""

    @pytest.fixture
    def start(
        self, tmp_path: Path, clean_environment: dict[str, str]
    ) -> Iterator[Callable[[], subprocess.Popen[str]]]:
        shutil.copy(ROOT / "params.yaml", tmp_path)
        started: list[subprocess.Popen[str]] = []

        def start() -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", self.SCRIPT],
                cwd=tmp_path,
                env=clean_environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
            return process

        yield start
        for process in started:
            process.kill()
            process.communicate()

    @staticmethod
    def run_of(process: subprocess.Popen[str]) -> str:
        """Wait for the id of the process's run."""
        assert process.stdout is not None
        return process.stdout.readline().strip()

    @staticmethod
    def status(folder: Path, run_id: str) -> str:
        return mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").get_run(run_id).info.status

    def test_eight_that_start_at_once_lose_nothing(
        self, tmp_path: Path, start: Callable[[], subprocess.Popen[str]]
    ) -> None:
        processes = [start() for _ in range(8)]
        outputs = [process.communicate("\n", timeout=60) for process in processes]
        assert [stderr for _, stderr in outputs] == [""] * 8  # nor does MLflow chatter
        runs = all_runs(tmp_path)
        assert runs["Default"] == []
        assert {run.info.status for run in runs[store.PIPELINE]} == {"FINISHED"}
        ids = sorted(stdout.strip() for stdout, _ in outputs)
        assert sorted(run.info.run_id for run in runs[store.PIPELINE]) == ids

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_one_that_is_stopped_leaves_a_killed_run(
        self, tmp_path: Path, start: Callable[[], subprocess.Popen[str]], number: signal.Signals
    ) -> None:
        process = start()
        run_id = self.run_of(process)
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == 128 + number
        assert self.status(tmp_path, run_id) == "KILLED"

    def test_the_next_marks_the_run_of_one_that_was_killed(
        self,
        tmp_path: Path,
        start: Callable[[], subprocess.Popen[str]],
        enter: Callable[[Path], Path],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        killed, alive, zombie = start(), start(), start()
        ids = [self.run_of(process) for process in (killed, alive, zombie)]
        killed.kill()
        killed.wait(timeout=30)
        zombie.kill()  # and not waited for, as where nobody reaps the dead
        while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert {self.status(tmp_path, run_id) for run_id in ids} == {"RUNNING"}
        enter(tmp_path)
        a_run()
        statuses = [self.status(tmp_path, run_id) for run_id in ids]
        assert statuses == ["KILLED", "RUNNING", "KILLED"]
        printed = capsys.readouterr().out
        assert f"marked as killed: MLflow run {ids[0]}, its process {killed.pid} is gone" in printed
        alive.communicate("\n", timeout=30)
        assert self.status(tmp_path, ids[1]) == "FINISHED"
