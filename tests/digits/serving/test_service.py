"""The champion is swapped while the server answers; MLflow's store is a real one."""

import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import httpx
import mlflow
import pytest

from digits import Recognizer
from digits.base import files
from digits.serving.limits import Limits
from digits.serving.metrics import Metrics
from digits.serving.service import Service
from digits.tracking import runs, store
from tests import small_model
from tests.digits.serving.conftest import Serve

CHAMPION = "models:/mnist@champion"
RAW = {"Content-Type": "application/octet-stream"}
IMAGE = small_model.images()[0][0].tobytes()


@pytest.fixture
def registry(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> mlflow.MlflowClient:
    """A store with two versions of a model, each surer than the one before."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_store, tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE"):
        monkeypatch.setenv(name, "")
    store.connect(store.MODELS)
    client = mlflow.MlflowClient()
    client.create_registered_model("mnist")
    for sharpness in (0.5, 3):
        model = small_model.write(tmp_path / "model", sharpness=sharpness)
        run = runs.open_run(store.connect(store.MODELS), "cnn", {})
        run.log_files(model / "model.onnx", folder="onnx")
        md5 = {runs.MODEL_MD5: files.md5(model)}
        run.log_tags(md5 | {runs.ONNX_MD5: files.md5(model / "model.onnx")})
        run.end("FINISHED")
        client.create_model_version("mnist", f"runs:/{run.run_id}/onnx", run.run_id, tags=md5)
    client.set_registered_model_alias("mnist", "champion", "1")
    return client


@pytest.fixture
def client(registry: mlflow.MlflowClient, serve: Serve) -> httpx.Client:
    """A server of the champion that looks for another one ten times a second."""
    load = partial(Recognizer, CHAMPION)

    async def follow(service: Service) -> None:
        await service.follow(CHAMPION, load, 0.1)

    return serve(load(), beside=follow)


def version(client: httpx.Client) -> str:
    return client.get("/version").json()["version"]


def wait_for(client: httpx.Client, expected: str) -> None:
    end = time.monotonic() + 30
    while version(client) != expected:
        assert time.monotonic() < end, "the champion was not followed"
        time.sleep(0.05)


def test_the_champion_is_swapped_and_no_request_is_dropped(
    registry: mlflow.MlflowClient, client: httpx.Client
) -> None:
    answers: list[tuple[str, float]] = []
    failures: list[object] = []
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=client.base_url) as own:
            while not stop.is_set():
                answer = own.post("/predict", content=IMAGE, headers=RAW)
                if answer.status_code != 200:
                    failures.append(answer)
                    return
                reading = answer.json()
                answers.append((reading["model"]["md5"], reading["digits"][0]["confidence"]))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for number in ("2", "1", "2"):
            registry.set_registered_model_alias("mnist", "champion", number)
            wait_for(client, f"mnist version {number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(set(answers)) == 2  # no answer of one model under the name of the other
    assert len({md5 for md5, _ in answers}) == 2


def test_a_model_is_not_served_twice(models: Path) -> None:
    cnn, mlp = (Recognizer(models / name) for name in ("cnn", "mlp"))
    service = Service([cnn, cnn, mlp], Limits(), Metrics())
    for main, other in ((cnn, mlp), (mlp, cnn), (cnn, mlp)):
        service.lead(main)
        assert [each.recognizer for each in service.served] == [main, other]
    service.close()


def test_a_champion_that_cannot_be_had_leaves_the_one_before(
    registry: mlflow.MlflowClient, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = registry.get_model_version("mnist", "2").run_id
    artifact = Path(str(registry.get_run(run_id).info.artifact_uri)) / "onnx/model.onnx"
    content = artifact.read_bytes()
    artifact.write_bytes(b"broken")
    registry.set_registered_model_alias("mnist", "champion", "2")
    time.sleep(1)
    assert version(client) == "mnist version 1"
    assert client.post("/predict", content=IMAGE, headers=RAW).status_code == 200
    artifact.write_bytes(content)
    wait_for(client, "mnist version 2")
    (complaint,) = (line for line in caplog.messages if "stays" in line)  # not ten a second
    assert "is not the model that was logged" in complaint
    assert "mnist version 1 stays" in complaint


def test_the_alias_of_a_store_that_was_restored_is_followed(
    registry: mlflow.MlflowClient, tmp_path: Path
) -> None:
    (tmp_path / "dvc.yaml").write_text("")
    arguments = ("serve", "--model", CHAMPION, "--follow", "1", "--port", "0")
    command = [sys.executable, "-m", "digits.cli", *arguments]
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "copy.db")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().split()[-1]
            with httpx.Client(base_url=url) as client:
                assert version(client) == "mnist version 1"
                copy = mlflow.MlflowClient(f"sqlite:///{tmp_path}/copy.db")
                copy.set_registered_model_alias("mnist", "champion", "2")
                (tmp_path / "copy.db").rename(tmp_path / "mlflow.db")
                wait_for(client, "mnist version 2")
        finally:
            process.kill()
