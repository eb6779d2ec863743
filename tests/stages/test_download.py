"""The stage as a user runs it. The mirrors themselves: tests/digits/test_download.py."""

import hashlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from ruamel.yaml import YAML

from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.intake import idx
from tests.small_project import LIMIT

Command = Callable[..., subprocess.CompletedProcess[str]]
REFUSED = "http://127.0.0.1:9/"  # the port "discard", on which nobody listens
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, root: Path, handwriting: Split) -> Path:
    """The real parameters without retries, and a data set of our own in a folder."""
    folder = tmp_path_factory.mktemp("workspace")
    params = re.sub(r"retries: \d+", "retries: 0", (root / "params.yaml").read_text())
    (folder / "params.yaml").write_text(params)
    (folder / "mine").mkdir()
    images, labels = handwriting.images, handwriting.labels
    arrays = images[:400], labels[:400], images[400:500], labels[400:500]
    for name, array in zip(FILES, arrays, strict=True):
        idx.write(folder / "mine" / name, array)
    return folder


@pytest.fixture
def mirrors(workspace: Path, root: Path) -> Callable[..., None]:
    """Let our data set stand for MNIST, with these mirrors."""

    def write(*urls: str) -> None:
        catalogue = YAML(typ="safe").load(root / "datasets.yaml")
        sha256 = {
            name: hashlib.sha256((workspace / "mine" / name).read_bytes()).hexdigest()
            for name in FILES
        }
        catalogue["mnist"] |= {"mirrors": list(urls), "sha256": sha256}
        # JSON is YAML.
        (workspace / "datasets.yaml").write_text(json.dumps(catalogue))

    return write


def newest_run(folder: Path) -> mlflow.entities.Run:
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("digits-pipeline")
    assert experiment is not None
    return client.search_runs([experiment.experiment_id], max_results=1)[0]


def asked_for(file: str, mirror: socket.socket) -> socket.socket:
    """The connection on which a file is asked for; whatever else looks for open ports is let go."""
    while True:
        connection, _ = mirror.accept()
        if connection.recv(2**16).startswith(f"GET /{file}.gz ".encode()):
            return connection
        connection.close()


@pytest.mark.slow
def test_the_files_of_a_folder(
    workspace: Path, mirrors: Callable[..., None], python: Command
) -> None:
    mirrors("dir:nowhere", "dir:mine")
    done = python("-m", "stages.download", cwd=workspace)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{FILES[0]} from dir:nowhere",
        f"  failed: neither {FILES[0]} nor {FILES[0]}.gz is in the folder",
        *(f"{name} from dir:mine" for name in FILES),
        "MNIST handwritten digits: 392,548 bytes, checksums right",
    ]
    assert {path.name: path.read_bytes() for path in (workspace / "data/raw").iterdir()} == {
        name: (workspace / "mine" / name).read_bytes() for name in FILES
    }
    run = newest_run(workspace)
    assert (run.info.run_name, run.info.status) == ("download", "FINISHED")
    assert run.data.params == {
        "name": "mnist",
        "timeout": "20",
        "file_timeout": "300",
        "retries": "0",
        "extra": "[]",
    }
    sizes = {f"{name}_bytes": (workspace / "mine" / name).stat().st_size for name in FILES}
    assert sizes.items() <= run.data.metrics.items()
    assert json.loads((workspace / "reports/download/metrics.json").read_text()) == sizes


class TestFailed:
    """As DVC starts the stage, without data/raw: nothing of it is there afterwards."""

    @pytest.fixture(autouse=True)
    def _leaves_nothing(self, workspace: Path) -> Iterator[None]:
        shutil.rmtree(workspace / "data", ignore_errors=True)
        yield
        assert not list(workspace.glob("data/*"))

    def test_no_mirror_answers(
        self, workspace: Path, mirrors: Callable[..., None], python: Command
    ) -> None:
        mirrors(REFUSED, "dir:nowhere")
        done = python("-m", "stages.download", cwd=workspace)
        assert done.returncode == 1
        first, refused, nowhere, way_out = done.stderr.splitlines()
        assert first == f"download: no mirror had {FILES[0]}:"
        assert refused.startswith(f"download:   {REFUSED}: ")
        assert "Connection refused" in refused
        assert nowhere.startswith("download:   dir:nowhere: neither ")
        assert way_out.startswith("download: by hand: put ")
        assert newest_run(workspace).info.status == "FAILED"

    @pytest.mark.slow
    def test_a_file_that_is_not_what_it_was(
        self, workspace: Path, mirrors: Callable[..., None], python: Command
    ) -> None:
        mirrors("dir:mine")
        path = workspace / "mine" / FILES[3]
        content = path.read_bytes()
        path.write_bytes(content[:-1] + b"\x0b")
        done = python("-m", "stages.download", cwd=workspace)
        path.write_bytes(content)
        assert done.returncode == 1
        assert f"dir:mine: {FILES[3]} has SHA-256 " in done.stderr
        assert newest_run(workspace).info.status == "FAILED"

    def test_a_signal_while_a_mirror_is_silent(
        self, workspace: Path, mirrors: Callable[..., None], start: Start
    ) -> None:
        """Further ones come while the first is obeyed: `timeout` sends two, not always at once."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            mirrors(f"http://127.0.0.1:{silent.getsockname()[1]}/")
            process = start(workspace, "stages.download")
            with asked_for(FILES[0], silent):
                for _ in range(20):
                    process.terminate()
                    time.sleep(0.001)
                _, stderr = process.communicate(timeout=LIMIT)
        assert (process.returncode, stderr) == (143, "")
        assert newest_run(workspace).info.status == "KILLED"


def test_an_unknown_data_set_is_told_before_a_run_begins(
    workspace: Path, mirrors: Callable[..., None], python: Command, tmp_path: Path
) -> None:
    mirrors("dir:mine")
    shutil.copy(workspace / "datasets.yaml", tmp_path)
    params = (workspace / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params.replace("name: mnist", "name: minst"))
    done = python("-m", "stages.download")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "download: params.yaml: data.name = 'minst': "
        "must be an entry of datasets.yaml: mnist, fashion_mnist\n"
    )
    assert not (tmp_path / "mlflow.db").exists()
