"""A scoring, whole: equal to the model's own answers, killed and gone on with, recorded."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import psutil
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from digits.base.errors import UserError
from digits.inference.loading import find
from digits.inference.model import Model
from digits.scoring import inputs, parts, plan, running
from digits.scoring.scorer import Settings
from tests import small_model
from tests.small_project import BIN, ROOT


def prepared(source: Path | str, output: Path | str, model: Path, **settings) -> plan.Plan:
    with find(str(model)) as origin:
        return plan.prepare(inputs.plan(str(source)), str(output), origin, Settings(**settings))


def table(output: Path) -> dict:
    return ds.dataset(output, format="parquet").to_table().to_pydict()


def test_the_answers_are_the_models(
    parquet: Path, model: Path, images: np.ndarray, workspace: Path
) -> None:
    manifest = running.run(prepared(parquet, workspace / "out", model, probabilities=True))
    rows, expected = table(workspace / "out"), Model(model).predict(images)
    assert rows["id"] == [f"image-{number}" for number in range(len(images))]
    assert np.abs(np.array(rows["probabilities"]) - expected).max() < 1e-6
    assert rows["class"] == [str(digit) for digit in expected.argmax(axis=1)]
    assert set(rows["error"]) == {None}
    counts = manifest["counts"]
    assert counts["rows"] == counts["answers"] == sum(counts["confidence"]) == len(images)
    assert counts["refused"] == sum(rows["refused"])
    assert manifest == json.loads((workspace / "out/_manifest.json").read_text())
    files = pq.read_table(workspace / "out/_files.parquet").to_pylist()
    assert [Path(file["path"]).name for file in files] == ["images.parquet"]


def test_the_run_says_what_was_scored(parquet: Path, model: Path, workspace: Path) -> None:
    running.run(prepared(parquet, workspace / "out", model))
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("digits-scoring")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["rows"] == 1797
    assert run.data.params["input"] == str(parquet)
    assert run.inputs.dataset_inputs[0].dataset.name == "images.parquet"
    assert len(client.get_metric_history(run.info.run_id, "confidence_histogram")) == 20


def test_processes_write_the_same_bytes(parquet: Path, model: Path, workspace: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        running.run(prepared(parquet, workspace / name, model), workers=workers)
    contents = [
        {path.name: path.read_bytes() for path in (workspace / name).glob("part-*")}
        for name in ("one", "two")
    ]
    assert len(contents[0]) == 5
    assert contents[0] == contents[1]


def test_what_is_missing_is_made_again_and_nothing_else(
    parquet: Path, model: Path, workspace: Path
) -> None:
    running.run(prepared(parquet, workspace / "out", model))
    before = table(workspace / "out")
    paths = sorted((workspace / "out").glob("part-*"))
    kept = {path: path.stat().st_mtime_ns for path in paths[:3]}
    for path in paths[3:]:
        path.unlink()
    manifest = running.run(prepared(parquet, workspace / "out", model))
    assert table(workspace / "out") == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert manifest["counts"]["rows"] == 1797


def test_another_model_input_or_settings_are_refused(
    parquet: Path, model: Path, workspace: Path, images: np.ndarray
) -> None:
    output = workspace / "out"
    prepared(parquet, output, model)
    other = small_model.write(workspace / "other", sharpness=2) / "model.onnx"
    with pytest.raises(UserError, match="begun with another model; give another folder"):
        prepared(parquet, output, other)
    with pytest.raises(UserError, match="another settings"):
        prepared(parquet, output, model, threshold=0.9)
    pq.write_table(pq.read_table(parquet)[:-1], parquet, row_group_size=200)
    with pytest.raises(UserError, match="another input"):
        prepared(parquet, output, model)
    assert not list(output.glob("part-*"))


def test_an_output_in_the_input_is_refused(model: Path, workspace: Path, parquet: Path) -> None:
    (workspace / "in").mkdir()
    parquet.rename(workspace / "in/a.parquet")
    for output in ("in/out", "in"):
        with pytest.raises(UserError, match="lies in the input"):
            prepared(workspace / "in", workspace / output, model)
    assert [path.name for path in (workspace / "in").iterdir()] == ["a.parquet"]
    for output in ("in/_out", "out"):
        prepared(workspace / "in", workspace / output, model)


@pytest.mark.parametrize("name", ["part-000000.parquet", "_plan.json"])
def test_a_damaged_output_is_told_when_the_scoring_goes_on(
    parquet: Path, model: Path, workspace: Path, name: str
) -> None:
    running.run(prepared(parquet, workspace / "out", model))
    path = workspace / "out" / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match=f"{name}: is damaged"):
        running.run(prepared(parquet, workspace / "out", model))


def test_pictures_are_read_whole(workspace: Path, model: Path) -> None:
    from PIL import Image

    (workspace / "in").mkdir()
    Image.fromarray(small_model.handwriting("12|345")).save(workspace / "in/a.png")
    (workspace / "in/b.png").write_bytes(b"nothing")
    running.run(prepared(workspace / "in", workspace / "out", model, read="picture"))
    rows = table(workspace / "out")
    assert [digit["row"] for digit in rows["digits"][0]] == [0, 0, 1, 1, 1]
    assert (rows["digits"][1], rows["error"][1]) == (None, "not a picture that can be read")


@pytest.mark.slow
def test_a_killed_scoring_goes_on(parquet: Path, model: Path, workspace: Path) -> None:
    """The command itself, killed as soon as there is a part."""
    (workspace / "dvc.yaml").write_text("stages: {}\n")
    big = workspace / "big.parquet"
    with pq.ParquetWriter(big, pq.read_schema(parquet)) as writer:
        for _ in range(40):
            writer.write_table(pq.read_table(parquet), row_group_size=20_000)
    command = [BIN / "digits", "score", big, workspace / "out", "--model", model]
    first = subprocess.Popen(command, cwd=workspace, stderr=subprocess.DEVNULL)
    while not list((workspace / "out").glob("part-*")):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    done = len(list((workspace / "out").glob("part-*")))
    assert not (workspace / "out/_manifest.json").exists()
    again = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=True)
    assert "71,880 rows: 71,880 answers" in again.stdout
    assert 1 <= done <= 4
    ids = table(workspace / "out")["id"]
    assert ids == [f"image-{number}" for number in range(1797)] * 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(signal.SIGTERM, 143, "KILLED"), (signal.SIGKILL, -9, "RUNNING")],
)
def test_no_worker_outlives_a_killed_scoring(
    parquet: Path, model: Path, workspace: Path, number: signal.Signals, code: int, status: str
) -> None:
    (workspace / "dvc.yaml").write_text("stages: {}\n")
    with pq.ParquetWriter("big.parquet", pq.read_schema(parquet)) as writer:
        for _ in range(120):
            writer.write_table(pq.read_table(parquet), row_group_size=20_000)
    command = [BIN / "digits", "score", "big.parquet", "out", "--model", model, "--workers", "2"]
    process = subprocess.Popen(command, cwd=workspace, stderr=subprocess.DEVNULL)
    while not list((workspace / "out").glob("part-*")):
        assert process.poll() is None
        time.sleep(0.01)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(30) == code
    assert psutil.wait_procs(below, timeout=10)[1] == []
    client = mlflow.MlflowClient(f"sqlite:///{workspace}/mlflow.db")
    experiment = client.get_experiment_by_name("digits-scoring")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == status


def test_s3(parquet: Path, model: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(key, "testing")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        query = f"scheme=http&endpoint_override={host}:{port}&region=us-east-1"
        query += "&allow_bucket_creation=true"
        from digits.scoring import places

        system, _ = places.locate(f"s3://bucket/?{query}")
        system.create_dir("bucket")
        places.write(system, "bucket/images.parquet", parquet.read_bytes())
        bucket = "s3://testing:secret@bucket"
        source, output = f"{bucket}/images.parquet?{query}", f"{bucket}/out?{query}"
        manifest = running.run(prepared(source, output, model))
        assert manifest["counts"]["rows"] == 1797
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("digits-scoring")
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.data.params["output"] == f"s3://bucket/out?{query}"
        assert "secret" not in f"{run} {manifest}"
        found = ds.dataset("bucket/out", filesystem=system, format="parquet").to_table()
        running.run(prepared(parquet, workspace / "local", model))
        assert found.to_pydict() == table(workspace / "local")
    finally:
        server.stop()


def test_a_part_made_twice_is_the_same_file(parquet: Path, model: Path, workspace: Path) -> None:
    made = prepared(parquet, workspace / "out", model)
    contents = []
    for _ in range(2):
        parts.work(made.job, made.source.parts[0])
        contents.append((workspace / "out/part-000000.parquet").read_bytes())
    assert contents[0] == contents[1]
    assert not list((workspace / "out").glob("*.partial"))


def test_the_command_refuses_in_one_line(workspace: Path) -> None:
    (workspace / "dvc.yaml").write_text("stages: {}\n")
    command = [sys.executable, "-m", "digits.cli", "score", "nothing", "out"]
    done = subprocess.run(
        command, cwd=workspace, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == f"digits: {workspace}/nothing: no such file, or nothing in it\n"


def test_a_model_that_nothing_tells_the_hash_of_is_refused_on_request(
    parquet: Path, model: Path, workspace: Path
) -> None:
    (workspace / "dvc.yaml").write_text("stages: {}\n")
    command = [BIN / "digits", "score", parquet, "out", "--model", model, "--require-checked"]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "its hash is not checked: " in done.stderr
    assert not (workspace / "out").exists()
