"""Results of another type of CPU: the data are the same, the models others, and no test minds.

With oneDNN TensorFlow adds in another order than without. It uses it by itself on CPUs that have
instructions for neural networks, such as AVX512_VNNI, and on no others: the tests do the opposite.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.small_project import ROOT, STAGES, Command, edited, outputs, ran

pytestmark = pytest.mark.slow
USES_ONEDNN = "from tensorflow.python.util import _pywrap_util_port as p; print(p.IsMklEnabled())"
# The tests that read what the pipeline wrote where they lie.
READERS = ["digits/evaluation/test_card.py", "stages/test_card.py", "test_benchmarks.py"]
READERS += ["test_definition.py", "test_workflows.py"]


@pytest.fixture(scope="module")
def another_cpu(run: Command) -> dict[str, str]:
    """The setting that makes TensorFlow compute as it does on another type of CPU."""
    is_used = run(ROOT, "python3", "-c", USES_ONEDNN).stdout.strip()
    return {"TF_ENABLE_ONEDNN_OPTS": {"True": "0", "False": "1"}[is_used]}


@pytest.fixture(scope="module")
def elsewhere(new_project: Callable[[], Path], run: Command, another_cpu: dict[str, str]) -> Path:
    """The project, run from its beginning on what stands for another CPU."""
    folder = new_project()
    assert ran(run(folder, "dvc", "repro", env=another_cpu)) == STAGES.split()
    return folder


def test_the_data_are_the_same_to_the_byte_and_the_models_are_not(
    elsewhere: Path, repo: Path
) -> None:
    here, there = outputs(repo), outputs(elsewhere)
    assert here.keys() == there.keys()
    changed = {path for path in here if here[path] != there[path]}
    assert {f"models/{name}/model.onnx" for name in ("mlp", "cnn")} <= changed
    assert not {path for path in changed if path.startswith(("data/", "reports/validate"))}


def test_they_can_be_committed_promoted_rolled_back_and_synchronised(
    elsewhere: Path, repo: Path, run: Command, another_cpu: dict[str, str], tmp_path: Path
) -> None:
    """Each command does what the one before it advised: none leads back to another."""
    folder = tmp_path / "tour"
    stores = shutil.ignore_patterns("mlflow.db*", "mlruns")
    shutil.copytree(elsewhere, folder, symlinks=True, ignore=stores)
    results = ("dvc.lock", "reports")
    for source in (repo, elsewhere):  # the committed results, and those of the workspace
        for name in results:
            run(folder, "cp", "-r", source / name, folder)
        if source == repo:
            run(folder, "git", "add", *results)
            run(folder, "git", "commit", "--message", "Results")
    with edited(folder / "params.yaml") as params:  # a gate for a network of 16 units
        params["promote"] |= {"min_accuracy_low": 0, "max_accuracy_loss": 0.9, "max_ece": 0.9}
        params["promote"] |= {"min_corrupted_accuracy": 0}
    run(folder, "dvc", "repro", "params", env=another_cpu)
    told = run(folder, "digits", "promote", "mlp", code=1, env=another_cpu).stderr
    assert "commit" in told
    assert len(told.splitlines()) == 1
    run(folder, "git", "commit", "--all", "--message", "Results of another CPU")
    told = run(folder, "digits", "promote", "mlp", code=1, env=another_cpu).stderr
    assert "`digits sync --rev HEAD`" in told
    done = run(folder, "digits", "sync", "--rev", "HEAD", env=another_cpu)
    assert done.stdout.endswith(" registered\n")
    for model in ("mlp", "cnn"):
        promoted = run(folder, "digits", "promote", model, env=another_cpu)
        assert "champion" in promoted.stdout
    assert "version 1" in run(folder, "digits", "promote", "--rollback").stdout
    assert run(folder, "digits", "sync").stdout == "nothing to register\n"


def test_the_suite_passes_on_these_results(elsewhere: Path, run: Command) -> None:
    for name in run(ROOT, "git", "ls-files").stdout.splitlines():
        if name.startswith(("tests/", "docs/", "reports/benchmarks/", "README")):
            (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, elsewhere / name)
    tests = [f"tests/{name}" for name in READERS]
    done = run(elsewhere, "python3", "-m", "pytest", "-q", *tests)
    assert " passed" in done.stdout
