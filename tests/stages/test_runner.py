"""What a stage's command line does, with stages of a few lines written for the purpose."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.small_project import LIMIT

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., str]:
    """Write a stage, given the body of its main, and give the script's path."""
    shutil.copy(ROOT / "params.yaml", tmp_path)

    def write(body: str, *, of_model: bool = False) -> str:
        script = tmp_path / "stage.py"
        script.write_text(
            '"""Do what a test wants."""\n'
            "import os, sys, time\n"
            "from digits.base.errors import UserError\n"
            "from stages import runner\n"
            f"def main(params{', model' if of_model else ''}):\n    {body}\n"
            f'runner.run(main, "train", of_model={of_model})\n'
        )
        return str(script)

    return write


def test_help_names_the_stages_parameters(stage: Callable[..., str], python: Command) -> None:
    done = python(stage("pass", of_model=True), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: python3 -m stages.train [-h] model" in done.stdout
    assert "Do what a test wants." in done.stdout
    assert "train.cnn.learning_rate" in done.stdout
    assert "compare.seed" not in done.stdout


def test_main_gets_the_parameters_and_the_model(stage: Callable[..., str], python: Command) -> None:
    done = python(stage("print(params.train.seed, model)", of_model=True), "cnn")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 cnn\n", "")


def test_an_unknown_model_is_answered_with_the_choices(
    stage: Callable[..., str], python: Command
) -> None:
    done = python(stage("print('ran')", of_model=True), "svm")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "train: model 'svm': must be mlp or cnn, see params.yaml\n"


def test_wrong_parameters_stop_the_stage(
    stage: Callable[..., str], python: Command, tmp_path: Path
) -> None:
    script = stage("print('ran')")
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(re.sub(r"threads: \d+", "threads: 0", text))
    done = python(script)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"train: params.yaml: {key}.threads = 0: must be a whole number >= 1 and <= 256"
        for key in ("train", "evaluate")
    ]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("UserError('no mirror answers')", "train: no mirror answers\n"),
        ("UserError('a: wrong\\nb: wrong')", "train: a: wrong\ntrain: b: wrong\n"),
        (r"UserError('a \x1b[2J\x07 b')", "train: a \ufffd[2J\ufffd b\n"),  # clears a terminal
        (
            "OSError(28, os.strerror(28), 'models/cnn')",
            "train: [Errno 28] No space left on device: 'models/cnn'; make room on the disk, "
            "then run the same command again\n",
        ),
    ],
)
def test_what_a_user_can_mend_is_told_without_a_traceback(
    stage: Callable[..., str], python: Command, raised: str, message: str
) -> None:
    done = python(stage(f"raise {raised}"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


def test_a_bug_shows_its_traceback(stage: Callable[..., str], python: Command) -> None:
    done = python(stage("raise ValueError('ours')"))
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ValueError: ours\n")


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "train: interrupted\n")],
)
def test_a_signal_lets_finally_run(
    stage: Callable[..., str],
    tmp_path: Path,
    clean_environment: dict[str, str],
    number: signal.Signals,
    code: int,
    message: str,
) -> None:
    body = "try: print('ready', flush=True); time.sleep(60)\n    finally: print('cleaned up')"
    process = subprocess.Popen(
        [sys.executable, stage(body)],
        cwd=tmp_path,
        env=clean_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert (process.returncode, stdout, stderr) == (code, "cleaned up\n", message)


def test_a_python_without_the_packages_is_told_what_to_do(python: Command) -> None:
    done = python("-S", "-m", "stages.params", cwd=ROOT)  # -S: no site-packages
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "has none of the project's packages: run `make repro`" in done.stderr
