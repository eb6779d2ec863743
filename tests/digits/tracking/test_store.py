"""The store: where it is, how it is created, and what is said where it cannot be used."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from digits.base.errors import UserError
from digits.tracking import store
from tests.digits.tracking.conftest import Enter, all_runs, ended, stored

AWAY = "http://127.0.0.1:9"  # the port "discard", on which nobody listens


class TestStore:
    def test_may_lie_at_an_odd_path(self, tmp_path: Path, enter: Enter) -> None:
        folder = tmp_path / "ein schöner Ort, #1: 数字"
        folder.mkdir()
        enter(folder)
        (folder / "a.txt").write_text("a")
        run = ended()
        run.log_files(folder / "a.txt")
        bare = mlflow.MlflowClient("sqlite:///mlflow.db")  # what MLflow itself opens there
        assert bare.get_run(run.run_id).info.status == "FINISHED"
        assert [file.path for file in bare.list_artifacts(run.run_id)] == ["a.txt"]
        assert list(tmp_path.iterdir()) == [folder]

    @pytest.mark.parametrize("name", ["100%25", "why?"])
    def test_is_refused_where_mlflow_would_misread_its_path(
        self, tmp_path: Path, enter: Enter, name: str
    ) -> None:
        (tmp_path / name).mkdir()
        enter(tmp_path / name)
        with pytest.raises(UserError, match="MLflow misreads % and"):
            ended()
        assert list(tmp_path.iterdir()) == [tmp_path / name]

    def test_is_the_main_workspaces_in_a_temporary_one(
        self, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        run = ended("in-a-temporary-workspace")
        assert run.run_id in {r.info.run_id for r in all_runs(workspace)[store.PIPELINE]}
        assert list(tmp_path.iterdir()) == []

    def test_of_a_relative_uri_is_the_main_workspaces_too(
        self,
        tmp_path: Path,
        enter: Enter,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        main, temporary = tmp_path / "main", tmp_path / "temporary"
        main.mkdir()
        temporary.mkdir()
        enter(main)
        monkeypatch.chdir(temporary)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///own/runs.db")
        run = ended()
        assert (main / "own" / "runs.db").is_file()
        assert stored(run).info.artifact_uri.startswith(f"{main}/own/mlruns/")
        assert list(temporary.iterdir()) == []

    def test_is_created_whole_or_not_at_all(
        self, tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        def be_killed(uri: str) -> None:
            Path(f"{uri.removeprefix('sqlite:///')}").write_text("half a database")
            raise Killed

        enter(tmp_path)
        with monkeypatch.context() as patch, pytest.raises(Killed):  # noqa: PT012
            patch.setattr(mlflow, "MlflowClient", be_killed)
            ended()
        assert not (tmp_path / "mlflow.db").exists()
        # As after SIGKILL, when nobody cleans up:
        (tmp_path / "mlflow.db.partial").write_text("half a database")
        (tmp_path / "mlflow.db.partial-journal").write_text("half a journal")
        assert stored(ended()).info.status == "FINISHED"
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {"mlflow.db", "mlflow.db.lock"}

    def test_takes_the_place_of_an_empty_file(self, tmp_path: Path, enter: Enter) -> None:
        (enter(tmp_path) / "mlflow.db").touch()
        assert stored(ended()).info.status == "FINISHED"

    def test_is_locked_beside_its_database(
        self, tmp_path: Path, enter: Enter, empty_store: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        enter(tmp_path)
        (tmp_path / "shared").mkdir()
        shutil.copy(empty_store, tmp_path / "shared")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared/mlflow.db")
        ended()
        assert (tmp_path / "shared/mlflow.db.lock").exists()

    def test_of_a_moved_checkout_is_refused(
        self, workspace: Path, tmp_path: Path, enter: Enter
    ) -> None:
        ended()
        shutil.copy(workspace / "mlflow.db", tmp_path)
        enter(tmp_path)
        os.environ["MLFLOW_TRACKING_URI"] = ""
        with pytest.raises(UserError) as raised:
            ended()
        assert str(raised.value) == (
            f"{tmp_path}/mlflow.db keeps its files in {workspace}/mlruns: MLflow stores absolute "
            "paths; move it back there, or rename it and its mlruns to begin a new store"
        )

    def test_with_a_deleted_experiment_is_explained(self, workspace: Path) -> None:
        experiment = stored(ended()).info.experiment_id
        client = mlflow.MlflowClient()
        client.delete_experiment(experiment)
        try:
            with pytest.raises(UserError) as raised:
                ended()
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
            ended()
        assert time.monotonic() - started < 10
        message = str(raised.value)
        assert message.startswith(f"MLflow's store {uri.replace('ann:secret@', '')} does not ")
        assert reason in message
        assert message.endswith("start or correct the server, or change MLFLOW_TRACKING_URI")
        assert "\n" not in message
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda db: db.mkdir(), "is a folder: rename it"),
            (lambda db: db.write_text("something else" * 99), "not a database; rename it to begin"),
        ],
    )
    def test_that_is_no_store_is_told(
        self, tmp_path: Path, enter: Enter, make: Callable[[Path], object], message: str
    ) -> None:
        make(enter(tmp_path) / "mlflow.db")
        with pytest.raises(UserError, match=message) as raised:
            ended()
        assert "\n" not in str(raised.value)

    def test_that_another_process_writes_to_is_told_within_seconds(
        self, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended()
        monkeypatch.setattr(store, "LOCK_SECONDS", 0.2)
        with closing(sqlite3.connect(workspace / "mlflow.db")) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            with pytest.raises(UserError, match="is locked; another process writes to it: wait"):
                ended()

    def test_that_is_not_writable_is_told(
        self, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended()
        connect = sqlite3.connect

        def connect_to_read(database: Path, timeout: float) -> sqlite3.Connection:
            """As for a user who is not root, for whom the file's mode counts."""
            return connect(f"file:{database}?mode=ro", timeout, uri=True)

        monkeypatch.setattr(sqlite3, "connect", connect_to_read)
        with pytest.raises(UserError, match="readonly database; make it and its folder writable"):
            ended()
