"""A small git and DVC repository of the project's shape, and a real MLflow store."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from dvc.repo import Repo
from mlflow.entities import LoggedModelOutput

from digits import params
from digits.base import files, tables
from digits.base.errors import UserError
from digits.promotion import candidate, registry
from digits.tracking import lock, revisions, runs, store

ROOT = Path(__file__).parents[3]
RULES = params.load(ROOT / "params.yaml").promote
IMAGES = 5000
FINDINGS = ["min_accuracy_low", "max_accuracy_loss", "max_ece", "min_corrupted_accuracy"]
FINDINGS += ["max_onnx_difference", "validation", "lineage"]

# Each stage copies what a test wrote to source/, with deps and outs like the project's own.
DEFINITION = """
stages:
  download:
    cmd: mkdir -p data && cp -r source/raw data
    deps: [source/raw]
    outs: [data/raw]
  validate:
    cmd: mkdir -p reports/validate && cp source/validate.json reports/validate/metrics.json
    deps: [data/raw, source/validate.json]
    metrics: [reports/validate/metrics.json: {cache: false}]
  preprocess:
    cmd: mkdir -p data && cp -r data/raw data/processed
    deps: [data/raw, reports/validate/metrics.json]
    outs: [data/processed]
  train:
    matrix: {model: [mlp, cnn]}
    cmd: >-
      mkdir -p models reports/train/${item.model}
      && cp -r source/${item.model}/model models/${item.model}
      && cp source/${item.model}/train.json reports/train/${item.model}/metrics.json
    deps: [data/processed/train.npz, "source/${item.model}"]
    params: [data.name]
    outs: ["models/${item.model}"]
    metrics: ["reports/train/${item.model}/metrics.json": {cache: false}]
  evaluate:
    matrix: {model: [mlp, cnn]}
    cmd: >-
      mkdir -p reports/evaluate/${item.model}
      && cp source/${item.model}/evaluate/* reports/evaluate/${item.model}
    deps: [data/processed/test.npz, "models/${item.model}", "source/${item.model}/evaluate"]
    metrics: ["reports/evaluate/${item.model}/metrics.json": {cache: false}]
    plots: ["reports/evaluate/${item.model}/predictions.csv": {cache: false}]
  card:
    cmd: cp source/model_card.md reports
    deps: [models, source/model_card.md]
    outs: [reports/model_card.md: {cache: false}]
"""


class Project:
    """The repository, in the current folder."""

    def __init__(self) -> None:
        self.git("init", "--quiet", "--initial-branch", "main")
        Repo.init().close()
        Path("dvc.yaml").write_text(DEFINITION)
        Path(".gitignore").write_text("/mlflow.db*\n/mlruns/\n")
        shutil.copy(ROOT / "params.yaml", ".")
        raw = Path("source/raw")
        raw.mkdir(parents=True)
        for name in ("train.npz", "validation.npz", "test.npz"):
            (raw / name).write_text(f"images of {name}")
        Path("source/model_card.md").write_text("# Model card: mlp\nA.\n\n# Model card: cnn\nB.\n")
        self.validated(22, 0)
        self.model("mlp", wrong=range(100), corrupted_accuracy=0.71)
        self.model("cnn", wrong=range(10))

    @staticmethod
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        return subprocess.check_output(["git", *identity, *arguments], text=True).strip()

    @staticmethod
    def validated(expectations: int, broken: int) -> None:
        result = {"expectations": expectations, "expectations_broken": broken}
        files.write_json(Path("source/validate.json"), result)

    @staticmethod
    def model(name: str, wrong: range, weights: str = "", **changes: float) -> None:
        """What the stages are to write of a model that gets the images of `wrong` wrong."""
        numbers = {"ece": 0.001, "corrupted_accuracy": 0.98, "onnx_difference": 4e-7} | changes
        source = Path("source") / name
        for folder in ("model", "evaluate"):
            (source / folder).mkdir(parents=True, exist_ok=True)
        (source / "model" / "model.keras").write_text(weights or f"{name} {wrong} {changes}")
        onnx = numbers.pop("onnx_difference")
        files.write_json(source / "train.json", {"onnx_difference": onnx})
        files.write_json(source / "evaluate/metrics.json", numbers)
        labels = np.arange(IMAGES) % 10
        predicted = np.where(np.isin(np.arange(IMAGES), wrong), (labels + 1) % 10, labels)
        probabilities = np.eye(10, dtype=np.float32)[predicted]
        tables.write(
            tables.tabulate_predictions(probabilities, labels), source / "evaluate/predictions.csv"
        )

    def commit(self) -> str:
        """Run the pipeline and commit it all."""
        with Repo() as repo:
            repo.reproduce()
        return self.save()

    def save(self) -> str:
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")


def log_run(model: str, *inputs: str) -> str:
    """The run of the training that the workspace's dvc.lock tells of."""
    (stage,) = lock.read(Path("dvc.lock").read_text(), f"train@{model}").values()
    experiment = store.connect(store.MODELS)
    run = runs.open_run(experiment, model, {})
    run.log_inputs({path: files.md5(Path(path)) for path in inputs})
    run.log_tags({runs.MODEL_MD5: stage.outs[f"models/{model}"]})
    run.log_files(Path("reports/evaluate") / model, folder="evaluate")
    client = mlflow.MlflowClient()
    logged = client.create_logged_model(experiment, "model", source_run_id=run.run_id)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, 0)])
    run.end("FINISHED")
    return run.run_id


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The project, run and committed, and a store that knows both models; and where it was."""
    base = tmp_path_factory.mktemp("promotion")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME"):
            patch.setenv(name, "")  # MLflow sets the first: restored at the end
        # A connection that is kept would be to the database of the test before.
        patch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
        (folder := base / "project").mkdir()
        patch.chdir(folder)
        Project().commit()
        for model in ("mlp", "cnn"):
            log_run(model)
        yield folder.rename(base / "template"), folder


@pytest.fixture
def project(template: tuple[Path, Path]) -> Iterator[Project]:
    """A copy of it, where MLflow's absolute paths say that it is."""
    with copied(*template) as project:
        yield project


@contextmanager
def copied(original: Path, folder: Path) -> Iterator[Project]:
    """A copy of a project in the folder that it was made in, which becomes the current one."""
    shutil.copytree(original, folder, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield object.__new__(Project)
    shutil.rmtree(folder)


def promote(model: str | None = "cnn", rev: str = "HEAD", **rules: float) -> list[str]:
    changed = RULES.model_copy(update=rules)
    return list(registry.promote(candidate.find(model, revisions.find(rev)), changed))


def refusal(model: str = "cnn", rev: str = "HEAD", **rules: float) -> str:
    """What a promotion that must change nothing says."""
    before = registered()
    with pytest.raises(UserError) as raised:
        promote(model, rev, **rules)
    assert registered() == before
    return str(raised.value)


def registered() -> Any:
    """All that the registry holds: aliases, and of each version what it is."""
    client = mlflow.MlflowClient()
    models = {m.name: dict(m.aliases) for m in client.search_registered_models()}
    versions = {v.version: (v.name, v.tags, v.description) for v in client.search_model_versions()}
    return models, versions


def aliases(name: str = "mnist") -> dict[str, int]:
    return {k: int(v) for k, v in mlflow.MlflowClient().get_registered_model(name).aliases.items()}


@pytest.fixture(scope="session")
def better_template(template: tuple[Path, Path]) -> tuple[Path, Path]:
    """The template after a promotion of the CNN, version 1, and a better CNN after it."""
    _, folder = template
    with copied(*template) as project:
        promote("cnn")
        project.model("cnn", wrong=range(5))
        project.commit()
        log_run("cnn")
        return shutil.copytree(folder, folder.with_name("better"), symlinks=True), folder


@pytest.fixture
def better(better_template: tuple[Path, Path]) -> Iterator[Project]:
    """With a champion, version 1, and a better CNN after it, committed and logged."""
    with copied(*better_template) as project:
        yield project
