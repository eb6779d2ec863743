"""The server as a process, started by the command line."""

import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import onnx
import pytest

from tests import small_model

ROOT = Path(__file__).parents[3]
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text("")
    small_model.write(tmp_path / "models/cnn")
    small_model.write(tmp_path / "models/mlp", "mlp")
    small_model.write_lock(tmp_path)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "digits.cli", "serve", *arguments]


@pytest.fixture
def process(workspace: Path) -> Iterator[subprocess.Popen[str]]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command("--port", "0"), cwd=workspace, **options) as process:
        yield process
        process.kill()


def address(process: subprocess.Popen[str]) -> str:
    found = re.fullmatch(r"cnn answers on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert found
    return found[1]


def test_a_signal_ends_it_once_the_requests_at_work_are_answered(
    process: subprocess.Popen[str],
) -> None:
    images = small_model.images()[0].tobytes() * 10
    with (
        httpx.Client(base_url=address(process), timeout=60) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        answers = client.get("/version").json()
        assert [other["name"] for other in answers["others"]] == ["mlp"]
        busy = pool.submit(client.post, "/predict", content=images, headers=RAW)
        while "digits_busy_requests 1.0" not in httpx.get(f"{client.base_url}/metrics").text:
            assert not busy.done()
        process.send_signal(signal.SIGTERM)
        assert len(busy.result().json()["digits"]) == 17970
    assert process.wait(30) in (0, -signal.SIGTERM)
    assert process.stderr.read() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_word(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    address(process)
    process.send_signal(number)
    process.wait(30)
    assert process.stderr.read() == ""


def test_an_address_that_is_taken_is_named(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = subprocess.run(
            command("--port", str(port)), cwd=workspace, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    expected = f"digits: 127.0.0.1:{port}: Address already in use; name another with --host or "
    assert done.stderr == f"{expected}--port\n"


def test_a_model_that_is_out_of_date_is_left_out(workspace: Path) -> None:
    (workspace / "models/broken").mkdir()
    (workspace / "models/broken/model.onnx").write_bytes(b"not a model")
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command("--port", "0"), cwd=workspace, **options) as process:
        others = httpx.get(f"{address(process)}/version").json()["others"]
        process.kill()
        assert [other["name"] for other in others] == ["mlp"]
        assert process.stderr.readline().startswith("digits: left out: models/broken")


def test_models_that_nothing_tells_the_hash_of_are_named_or_refused(workspace: Path) -> None:
    (workspace / "dvc.lock").unlink()
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command("--port", "0"), cwd=workspace, **options) as process:
        address(process)
        process.kill()
        for name in ("cnn", "mlp"):
            said = f"digits: models/{name}: its hash is not checked: "
            assert process.stderr.readline().startswith(said)
    refused = subprocess.run(
        command("--require-checked"), cwd=workspace, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr == (
        "digits: models/cnn: its hash is not checked: it is no models/NAME beside a dvc.lock; "
        "--require-checked refuses it\n"
    )


def test_https_and_a_token_beyond_loopback(workspace: Path) -> None:
    certificate = workspace / "certificate.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject)
    files = ("-keyout", "key.pem", "-out", certificate.name)
    subprocess.run([*openssl, *files], cwd=workspace, check=True, capture_output=True)
    arguments = ("--host", "0.0.0.0", "--port", "0", "--certfile", certificate.name)  # noqa: S104
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        command(*arguments, "--keyfile", "key.pem"), cwd=workspace, **options
    ) as process:
        url = httpx.URL(process.stdout.readline().split()[-1])
        trust = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=f"https://localhost:{url.port}", verify=trust) as client:
            assert client.get("/version").status_code == 401
            answer = client.get(url.raw_path.decode())
            assert answer.status_code == 303
            assert "Secure" in answer.headers["set-cookie"]
            assert client.get("/version").status_code == 200
        process.kill()
    done = subprocess.run(
        command(*arguments, "--keyfile", certificate.name),
        cwd=workspace, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no certificate with its key" in done.stderr


def test_an_encrypted_key_is_refused_without_a_question(workspace: Path) -> None:
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "1", "-subj", "/CN=a")
    files = ("-passout", "pass:secret", "-keyout", "key.pem", "-out", "certificate.pem")
    subprocess.run([*openssl, *files], cwd=workspace, check=True, capture_output=True)
    done = subprocess.run(
        command("--port", "0", "--certfile", "certificate.pem", "--keyfile", "key.pem"),
        cwd=workspace, capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "key.pem: the key is encrypted" in done.stderr


def test_a_model_of_another_size_is_refused_or_left_out(workspace: Path) -> None:
    model = onnx.load(workspace / "models/cnn/model.onnx")
    for side in model.graph.input[0].type.tensor_type.shape.dim[1:]:
        side.dim_value = 32
    (workspace / "models/large").mkdir()
    onnx.save(model, workspace / "models/large/model.onnx")
    said = "models/large: takes images of 32 x 32 pixels, but digits of pictures have 28 x 28"
    done = subprocess.run(
        command("--model", "models/large"),
        cwd=workspace, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert (said in done.stderr, "digits import --size 28x28" in done.stderr) == (True, True)
    assert len(done.stderr.splitlines()) == 1
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command("--port", "0"), cwd=workspace, **options) as process:
        address(process)
        process.kill()
        assert process.stderr.readline().startswith(f"digits: left out: {said}")


def test_a_key_without_its_certificate_is_refused(workspace: Path) -> None:
    done = subprocess.run(
        command("--keyfile", "key.pem"), cwd=workspace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "digits: --keyfile: needs --certfile, too: the certificate that the key belongs to\n"
    )
