"""The join, on a real repository with experiments of DVC's kind and runs of a real store."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digits.experiments import overview, sync
from digits.tracking import availability, lock, provenance, revisions, runs, store
from tests.digits.conftest import Repository

TRAIN = """
  train@{name}:
    cmd: python3 -m stages.train {name}
    outs:
    - path: models/{name}
      hash: md5
      md5: {md5}
"""
EVALUATE = """
  evaluate@{name}:
    cmd: python3 -m stages.evaluate {name}
    deps:
    - path: models/{name}
      hash: md5
      md5: {md5}
"""


@pytest.fixture
def project(
    repository: Repository, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Repository:
    """A repository with one commit, of two models, and an empty store."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.setenv(name, "")  # MLflow sets its own: restored at the end
    for name in ("DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(repository.root)
    shutil.copy(empty_store, repository.root)
    repository.write({".gitignore": "/mlflow.db\n/mlruns\n/.dvc\n"})
    repository.commit(state(rate=0.1, cnn="c0", mlp="m0"))
    (repository.root / ".dvc").mkdir()
    (repository.root / ".dvc/config").write_text("['remote \"elsewhere\"']\n    url = /elsewhere\n")
    return repository


def state(rate: float, accuracy: float = 0.9, **models: str) -> dict[str, str]:
    """The files of a revision, with the MD5 of each model."""
    blocks = [TRAIN.format(name=name, md5=md5) for name, md5 in models.items()]
    metrics = json.dumps({"accuracy": accuracy, "ece": 0.01, "parameters": 7})
    return {
        "params.yaml": f"train:\n  cnn:\n    learning_rate: {rate}\n    epochs: 2\n",
        "dvc.lock": "schema: '2.0'\nstages:" + "".join(blocks),
        **{f"reports/evaluate/{name}/metrics.json": metrics for name in models},
    }


def experiment(project: Repository, name: str, **values: Any) -> str:
    """Make an experiment as DVC does: a commit under refs/exps, the branch as it was."""
    baseline = project.git("rev-parse", "HEAD")
    commit = project.commit(state(**values))
    project.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", commit)
    project.git("reset", "--quiet", "--hard", baseline)
    return commit


def trained(
    name: str, md5: str = "", *, experiment: str = "", failed: bool = False, tested: bool = True
) -> str:
    """Make the run of a training: its id."""
    tags = {provenance.EXPERIMENT: experiment} if experiment else {}
    run = runs.open_run(store.connect(store.MODELS), name, tags)
    run.log_tags({} if failed else {runs.MODEL_MD5: md5})
    run.log_metrics({"test_accuracy": 0.8} if tested and not failed else {})
    run.end("FAILED" if failed else "FINISHED")
    return run.run_id


def joined() -> list[overview.Row]:
    shown = [revisions.find("HEAD"), revisions.find("workspace")]
    shown += revisions.experiments().values()
    return overview.join(shown, runs.search(store.MODELS))


def test_an_experiment_shows_what_it_made_other_than_its_baseline(project: Repository) -> None:
    commit = experiment(project, "fast-cat", rate=0.2, accuracy=0.95, cnn="c1", mlp="m0")
    ids = {md5: trained(name, md5) for name, md5 in (("cnn", "c0"), ("mlp", "m0"), ("cnn", "c1"))}
    head = project.git("rev-parse", "HEAD")
    before, after = {"accuracy": 0.9, "ece": 0.01}, {"accuracy": 0.95, "ece": 0.01}
    changes = {"train.cnn.learning_rate": 0.2}
    assert joined() == [
        overview.Row("HEAD", head, "cnn", {}, before, ids["c0"]),
        overview.Row("HEAD", head, "mlp", {}, before, ids["m0"]),
        overview.Row("fast-cat", commit, "cnn", changes, after, ids["c1"]),
        # The same weights, judged otherwise.
        overview.Row("fast-cat", commit, "mlp", changes, after, ids["m0"]),
    ]


def test_one_that_made_nothing_new_says_so(project: Repository) -> None:
    commit = experiment(project, "idle-dog", rate=0.1, cnn="c0", mlp="m0")
    problem = "models as in its baseline"
    assert joined()[2:] == [overview.Row("idle-dog", commit, "", problem=problem)]


def test_the_workspace_shows_what_is_not_committed(project: Repository) -> None:
    assert [row.experiment for row in joined()] == ["HEAD", "HEAD"]
    project.write(state(rate=0.3, cnn="c2", mlp="m0"))
    (row,) = joined()[2:]
    assert (row.experiment, row.revision, row.model) == ("workspace", "", "cnn")
    assert row.params == {"train.cnn.learning_rate": 0.3}
    assert row.problem == "no run: digits sync"


def test_what_lacks_a_run_says_how_to_make_it(project: Repository) -> None:
    experiment(project, "fast-cat", rate=0.2, cnn="c1", mlp="m0")
    trained("cnn", "c0")
    trained("mlp", "m0", tested=False)
    assert [row.problem for row in joined()] == [
        "",
        "its run has no test metrics: digits sync --rev HEAD",
        "no run: digits sync --rev fast-cat",
    ]


def test_metrics_of_an_earlier_model_are_not_shown_as_a_later_ones(project: Repository) -> None:
    evaluations = [
        EVALUATE.format(name=name, md5=md5) for name, md5 in (("cnn", "c0"), ("mlp", "m1"))
    ]
    files = state(rate=0.2, cnn="c1", mlp="m1")
    project.write(files | {"dvc.lock": files["dvc.lock"] + "".join(evaluations)})
    trained("cnn", "c1", tested=False)
    trained("mlp", "m1", tested=False)
    cnn, mlp = joined()[2:]
    assert (cnn.metrics, cnn.problem) == ({}, "trained since it was evaluated: dvc repro")
    assert mlp.metrics == {"accuracy": 0.9, "ece": 0.01}
    # Nor does the later model's run get them.
    workspace = revisions.find("workspace")
    known = {"c1", "m1", lock.read(workspace.text(lock.FILE))["evaluate@mlp"].content}
    assert list(sync.sync(workspace, known)) == []


def test_of_two_experiments_with_the_same_model_each_has_its_own_run(project: Repository) -> None:
    ids = {}
    for name in ("one", "two"):
        experiment(project, name, rate=0.2, cnn="c1", mlp="m0")
        ids[name] = trained("cnn", "c1", experiment=name)
    rows = [row for row in joined() if row.experiment in ids]
    assert {row.experiment: row.run for row in rows} == ids


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: trained("cnn", "c9", experiment="gone"), "removed from DVC, or failed after the"),
        (lambda: trained("cnn", experiment="gone", failed=True), "failed"),
    ],
)
def test_a_run_without_its_experiment_comes_last(
    project: Repository, make: Callable[[], str], problem: str
) -> None:
    run_id = make()
    trained("cnn", "history")  # of an earlier commit: no experiment, nothing amiss
    *_, row = joined()
    assert (row.experiment, row.revision, row.model, row.run) == ("gone", "", "cnn", run_id)
    assert row.problem.startswith(problem)
    assert len(joined()) == 3


def test_a_run_whose_model_was_committed_is_that_commits(project: Repository) -> None:
    run_id = trained("cnn", "c0", experiment="removed-since")
    assert [row.run for row in joined()] == [run_id, ""]


def test_a_running_training_is_shown(project: Repository) -> None:
    runs.open_run(store.connect(store.MODELS), "cnn", {})
    *_, row = joined()
    assert (row.experiment, row.model, row.problem) == ("workspace", "cnn", "running")


def test_the_table_is_text(project: Repository) -> None:
    experiment(project, "fast-cat", rate=0.2, accuracy=0.95, cnn="c1", mlp="m0")
    run_id = trained("cnn", "c1")
    row = overview.table(joined())[2]
    assert row == {
        "experiment": "fast-cat",
        "revision": row["revision"],
        "model": "cnn",
        "parameters": "train.cnn.learning_rate=0.2",
        "accuracy": "0.9500",
        "log_loss": "",
        "ece": "0.0100",
        "corrupted_accuracy": "",
        "run": run_id[:8],
        "problem": "",
    }
    assert len(row["revision"]) == 7


def test_of_two_trainings_of_one_model_the_evaluated_one_counts(project: Repository) -> None:
    evaluated = trained("cnn", "c0")
    trained("cnn", "c0", tested=False)  # by force, later: DVC need not evaluate it again
    row = joined()[0]
    assert (row.run, row.problem) == (evaluated, "")


def test_what_is_nowhere_to_be_had_has_no_cure(project: Repository) -> None:
    (project.root / ".dvc/config").write_text("")
    row = joined()[0]
    assert row.problem == f"no run, and {availability.NOWHERE}"
