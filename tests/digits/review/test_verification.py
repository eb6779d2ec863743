"""The verdicts on reproduced results, in a real repository, with predictions of known errors."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits import params
from digits.base import files, tables
from digits.base.errors import UserError
from digits.review import verification
from digits.review.verification import Verdict, Verification
from digits.tracking import availability, revisions
from tests.digits.conftest import Repository

IMAGES = 10_000
LOCK = """schema: '2.0'
stages:
  download:
    cmd: download
    outs:
    - path: data/raw
      hash: md5
      md5: {data}
  train@cnn:
    cmd: train
    params:
      params.yaml:
        train.cnn.epochs: {epochs}
    outs:
    - path: models/cnn
      hash: md5
      md5: {model}
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A commit with one model, of 100 errors, whose results lie in the workspace, too."""
    monkeypatch.chdir(repository.root)
    repository.write({".gitignore": "/data\n/models\n"})
    shutil.copy(ROOT / "params.yaml", repository.root)
    make(repository.root, "weights", wrong=range(100))
    repository.commit({})
    return repository


def make(root: Path, weights: str, wrong: range, epochs: int = 2, data: str = "data") -> None:
    """Write what a run of the pipeline writes."""
    for folder, text in (("data/raw", data), ("models/cnn", weights)):
        files.write_text(root / folder / "file", text)
    labels = np.arange(IMAGES) % 10
    predicted = labels.copy()
    predicted[list(wrong)] = (labels[list(wrong)] + 1) % 10
    columns = {"index": np.arange(IMAGES), "label": labels, "predicted": predicted}
    table = pd.DataFrame(columns).assign(confidence=0.9)
    tables.write(table, root / "reports/evaluate/cnn/predictions.csv")
    md5s = {"data": files.md5(root / "data/raw"), "model": files.md5(root / "models/cnn")}
    files.write_text(root / "dvc.lock", LOCK.format(epochs=epochs, **md5s))


def verified() -> Verification:
    return verification.verify(revisions.find("HEAD"), revisions.find("workspace"))


def test_the_same_files_are_so_to_the_byte(project: Repository) -> None:
    found = verified()
    assert [each.verdict for each in (*found.data, *found.models)] == [Verdict.TO_THE_BYTE] * 2
    assert found.verdict is Verdict.TO_THE_BYTE


# Of the two CPU types known, and of trainings with another seed, this many images were broken
# and fixed; and of a training of one epoch instead of twelve.
@pytest.mark.parametrize(("broken", "fixed"), [(12, 7), (19, 10), (29, 25), (20, 9)])
def test_another_cpu_or_seed_is_within_noise(project: Repository, broken: int, fixed: int) -> None:
    make(project.root, "other weights", wrong=range(fixed, 100 + broken))
    found = verified()
    assert found.verdict is Verdict.WITHIN_NOISE
    (model,) = found.models
    assert (model.figures["broken"], model.figures["fixed"]) == (broken, fixed)
    assert -found.margin < model.figures["low"] < model.figures["high"] < found.margin


@pytest.mark.parametrize(("broken", "fixed"), [(45, 13), (185, 25), (0, 60)])
def test_a_broken_training_is_different(project: Repository, broken: int, fixed: int) -> None:
    """The last is far better than the committed one: the same recipe cannot have made it."""
    make(project.root, "other weights", wrong=range(fixed, 100 + broken))
    found = verified()
    assert found.is_broken
    assert "not inside" in found.models[0].detail


def test_other_data_are_different_whatever_the_model(project: Repository) -> None:
    make(project.root, "weights", wrong=range(100), data="other")
    found = verified()
    assert found.data[0].verdict is Verdict.DIFFERENT
    assert found.is_broken


def test_what_is_not_here_is_missing(project: Repository) -> None:
    shutil.rmtree(project.root / "models")
    found = verified()
    assert (found.verdict, found.models[0].detail) == (
        Verdict.MISSING,
        "`make repro` makes and evaluates it",
    )


def test_other_parameters_are_no_reproduction(project: Repository) -> None:
    make(project.root, "other weights", wrong=range(1000), epochs=3)
    found = verified()
    assert found.verdict is Verdict.CHANGED
    assert not found.is_broken
    assert found.models[0].detail.startswith("train.cnn.epochs changed")


def test_the_workspace_cannot_widen_the_margin(project: Repository) -> None:
    path = project.root / "params.yaml"
    path.write_text(path.read_text().replace("margin: 0.004", "margin: 0.5"))
    assert verified().margin == 0.004 == params.load(ROOT / "params.yaml").verify.margin


def test_a_recorded_cpu_belongs_to_one_model(project: Repository) -> None:
    verification.record(revisions.find("workspace"), {"cnn": "A CPU, avx2"})
    project.commit({})
    assert verified().cpus == {"cnn": "A CPU, avx2"}
    make(project.root, "other weights", wrong=range(100))
    project.commit({})
    assert verified().cpus == {}


@pytest.mark.parametrize("content", ["[", "[]", '{"cnn": 3}', '{"cnn": {}}'])
def test_a_damaged_record_is_named(project: Repository, content: str) -> None:
    project.commit({verification.CPUS: content})
    with pytest.raises(UserError, match="not what `digits verify --record` writes"):
        verified()


@pytest.mark.parametrize(
    ("wrong", "epochs", "advice"),
    [
        (range(1000), 2, "`digits diff HEAD~1` shows the metrics"),
        (range(100), 3, "`digits diff HEAD~1` reviews the change"),
        (range(101), 2, "`git checkout {commit} -- dvc.lock reports"),
    ],
)
def test_the_advice_is_about_the_commit_that_was_compared_with(
    project: Repository, wrong: range, epochs: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digits.cli import verify

    monkeypatch.setattr(availability, "missing", lambda _: [])
    commit = project.git("rev-parse", "HEAD")[:7]
    project.commit()
    make(project.root, "other weights", wrong, epochs)
    found = verification.verify(revisions.find("HEAD~1"), revisions.find("workspace"))
    assert advice.format(commit=commit) in verify._as_text(found)


def test_it_is_json(project: Repository) -> None:
    from digits.cli import verify

    assert json.loads(verify._as_json(verified()))["verdict"] == "to the byte"
