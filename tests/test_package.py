"""The package as others install it: its public names, its own model, and what it does without."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import digits
from digits.inference import loading
from tests.small_project import ROOT, Command

PICTURE = ROOT / "docs/handwriting.jpg"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What only the extra `pipeline` brings, by the names that are imported.
HEAVY = "dvc filelock great_expectations keras matplotlib mlflow pandas psutil pygit2 scipy"
HEAVY += " sklearn tensorflow tf2onnx"
WITHOUT = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
from digits.cli.main import main
main()
"""


@pytest.fixture
def light(tmp_path: Path, clean_environment: dict[str, str]) -> Command:
    """Run `digits *arguments` in an empty folder, as if the extra were not installed."""

    def light(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=clean_environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return light


def test_these_names_are_public() -> None:
    assert digits.__all__ == ["Answer", "Recognizer", "UserError", "__version__"]
    assert all(getattr(digits, name) for name in digits.__all__)
    with pytest.raises(AttributeError):
        digits.Recogniser  # noqa: B018


def test_the_version_is_that_of_pyproject(light: Command) -> None:
    assert light("--version").stdout == f"digits {PROJECT['version']}\n"


def test_the_released_model_is_small_and_says_where_it_is_from() -> None:
    with loading.find(str(loading.RELEASED)) as origin:  # which compares the hash
        assert origin.path.stat().st_size <= 600_000
        assert 0.9 < origin.metrics["accuracy"] < 1
    described = json.loads((loading.RELEASED / "origin.json").read_text())
    assert re.fullmatch("[0-9a-f]{40}", described["commit"])
    card = (loading.RELEASED / "card.md").read_text()
    assert card.startswith(f"# Model card: {described['name']}\n")


def test_a_picture_is_read_in_any_folder_without_the_extra(light: Command) -> None:
    done = light("predict", "--json", PICTURE)
    assert done.returncode == 0, done.stderr
    read = [digit["digit"] for digit in json.loads(done.stdout)["pictures"][0]["digits"]]
    assert len(read) == 8


@pytest.mark.parametrize(
    "arguments",
    [("predict", "--explain", "out.png", PICTURE), ("predict", "--model", "runs:/1", PICTURE)],
)
def test_what_needs_the_extra_says_so(light: Command, arguments: tuple[str, ...]) -> None:
    done = light(*arguments)
    assert done.returncode == 1
    assert re.fullmatch(
        r"digits: predict: needs \w+, of the extra `pipeline`: in a checkout `make setup`, or "
        r"`pip install '.\[pipeline\]'`, installs it\n",
        done.stderr,
    )


def test_the_other_commands_need_the_pipelines_folder(light: Command, tmp_path: Path) -> None:
    done = light("diff")
    assert done.stderr == f"digits: {tmp_path}: no dvc.yaml here or in a folder above\n"


def test_a_damaged_released_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "cnn"
    shutil.copytree(loading.RELEASED, copied)
    monkeypatch.setattr(loading, "RELEASED", copied)
    with (copied / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(digits.UserError, match="is not what was released"):
        digits.Recognizer(copied)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, run: Command) -> Path:
    """The wheel that `python -m build` makes of what is in git, in an environment of its own."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in run(
        ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard"
    ).stdout.splitlines():
        if (ROOT / path).is_file():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    run(source, sys.executable, "-m", "build", "--outdir", out)
    assert len(list(out.glob("*.tar.gz"))) == 1
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_the_library_its_page_and_its_model_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "digits",
        f"digits-{PROJECT['version']}.dist-info",
    }
    needed = {
        "py.typed",
        "released/cnn/model.onnx",
        "released/cnn/card.md",
        "serving/page/index.html",
    }
    assert {f"digits/{name}" for name in needed} <= set(names)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, run: Command) -> Path:
    """An environment with the wheel and what it needs, of the versions in the lock."""
    folder = tmp_path_factory.mktemp("installed")
    run(folder, "uv", "venv", "--quiet", "--python", sys.executable, "venv")
    pins = folder / "pins.txt"
    text = (ROOT / "requirements.lock").read_text()
    pins.write_text(
        "\n".join(re.findall(r"^[\w.\-\[\]]+==[^\s\\]+(?: ; [^\\\n]+)?", text, re.MULTILINE))
    )
    run(folder, "uv", "pip", "install", "--quiet", "--python", "venv/bin/python",
        "--constraint", pins, wheel)  # fmt: skip
    return folder


@pytest.mark.slow
class TestInstalled:
    def test_it_is_small_and_has_no_trainer(self, installed: Path) -> None:
        packages = next((installed / "venv/lib").glob("python*/site-packages"))
        size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
        assert size < 400e6
        assert not any((packages / name).exists() for name in [*HEAVY.split(), "stages"])

    def test_it_reads_a_picture(self, installed: Path, run: Command) -> None:
        code = "from digits import Recognizer; from pathlib import Path; import sys\n"
        code += "print(*[answer.digit for answer in Recognizer().read(Path(sys.argv[1]))])"
        by_python = run(installed, installed / "venv/bin/python", "-c", code, PICTURE).stdout
        table = run(installed, installed / "venv/bin/digits", "predict", "--csv", PICTURE).stdout
        assert len(by_python.split()) == len(table.splitlines()) - 1 == 8

    def test_it_serves_the_page(
        self, installed: Path, environment: dict[str, str], ask: Callable[[str], bytes]
    ) -> None:
        command = [installed / "venv/bin/digits", "serve", "--port", "0"]
        with subprocess.Popen(
            command, cwd=installed, env=environment, stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout
                address = server.stdout.readline().split()[-1]
                assert b"<html" in ask(address)
                assert b"cnn" in ask(f"{address}/version")
            finally:
                server.terminate()
        assert server.returncode in (0, -signal.SIGTERM)


@pytest.fixture
def ask() -> Callable[[str], bytes]:
    import httpx

    return lambda url: httpx.get(url, timeout=30).content


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", os.environ.get("NO_PROXY", "") + ",127.0.0.1")


@pytest.mark.slow
def test_the_steps_of_the_dockerfile_give_a_server(
    tmp_path: Path, run: Command, ask: Callable[[str], bytes], environment: dict[str, str]
) -> None:
    """Each COPY and RUN of the first stage, and the health check, without Docker."""
    text = (ROOT / "Dockerfile").read_text()
    build, final = text.split("\nFROM ")[1:]
    env, tools, source = (tmp_path / name for name in ("env", "tools", "source"))
    source.mkdir()
    path = f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{environment['PATH']}"
    for step, rest in re.findall(r"^(COPY|RUN) (.*)", build, re.MULTILINE):
        if step == "RUN":
            command = rest.replace("/env", str(env)).replace("/tools", str(tools))
            run(source, "sh", "-c", command, env={"PATH": path})
            continue
        for name in rest.split()[:-1]:
            copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copied(ROOT / name, source / name)
    assert "\nUSER 10001:10001\n" in final
    (check,) = re.findall(r'CMD \["python", "-c", "(.*)"\]', final)
    command = [str(env / "bin/digits"), "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().split()[-1]
            run(tmp_path, env / "bin/python", "-c", check.replace("http://127.0.0.1:8000", address))
        finally:
            server.terminate()
    assert server.returncode in (0, -signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "is_off"), [({}, True), ({"MLFLOW_DISABLE_TELEMETRY": "0"}, False)]
)
def test_mlflow_reports_its_use_only_to_who_asks_for_it(
    asked: dict[str, str], is_off: bool
) -> None:
    """Also where nothing of this project is imported, as by a bare `mlflow ui`."""
    code = (
        "from mlflow.telemetry.utils import is_telemetry_disabled; print(is_telemetry_disabled())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **asked},  # in CI MLflow is silent anyway
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{is_off}\n"


def test_onnx_runtime_reports_no_use(tmp_path: Path) -> None:
    """What it would report lies in the home folder first."""
    code = """
import os
os.environ.pop("ORT_DISABLE_TELEMETRY", None)  # what `make` sets in .venv, `pip install` does not
import numpy as np
from digits import Recognizer
Recognizer().classify(np.zeros((1, 28, 28), np.uint8))
"""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    left = {path.name for path in tmp_path.rglob("*")}
    assert not left & {"deviceid", "onnxruntime.db"}


def test_who_asks_onnx_runtime_to_report_its_use_is_heard() -> None:
    code = "import os, digits; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {"ORT_DISABLE_TELEMETRY": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, env=environment, text=True) == "0\n"


def test_dvc_reports_no_use(root: Path, run: Command) -> None:
    assert run(root, "dvc", "config", "core.analytics").stdout == "false\n"
