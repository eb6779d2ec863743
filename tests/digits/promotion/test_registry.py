"""Promotion, on a small git and DVC repository of the project's shape and a real MLflow store."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
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
from digits.promotion import candidate
from digits.promotion import gate as promotion_gate
from digits.promotion import registry as promotion
from digits.tracking import lock, revisions, runs, store
from digits.tracking import models as tracking_models

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value")  # of DVC about its own
ROOT = Path(__file__).parents[2]
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
        tables.write(tables.predictions(probabilities, labels), source / "evaluate/predictions.csv")

    def commit(self) -> str:
        """Run the pipeline and commit it all."""
        with Repo() as repo:
            repo.reproduce()
        return self.save()

    def save(self) -> str:
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")


def log_run(model: str, **inputs: str) -> str:
    """The run of the training that the workspace's dvc.lock tells of."""
    (stage,) = lock.read(Path("dvc.lock").read_text(), f"train@{model}").values()
    with runs.stage_run(store.MODELS, model, {}, {}) as run:
        run.log_inputs({name: Path(path) for name, path in inputs.items()})
        run.log_tags({runs.MODEL_MD5: stage.outs[f"models/{model}"]})
        run.log_files(Path("reports/evaluate") / model, folder="evaluate")
        client = mlflow.MlflowClient()
        experiment = client.get_run(run.run_id).info.experiment_id
        logged = client.create_logged_model(experiment, "model", source_run_id=run.run_id)
        client.finalize_logged_model(logged.model_id, "READY")
        client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, 0)])
    return run.run_id


@pytest.fixture(scope="module")
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
def project(template: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A copy of it, where MLflow's absolute paths say that it is."""
    original, folder = template
    shutil.copytree(original, folder, symlinks=True)
    monkeypatch.chdir(folder)
    yield object.__new__(Project)
    mlflow.end_run()
    shutil.rmtree(folder)


def promote(model: str | None = "cnn", rev: str = "HEAD", **rules: float) -> list[str]:
    changed = RULES.model_copy(update=rules)
    return list(promotion.promote(candidate.find(model, revisions.find(rev)), changed))


def refusal(model: str = "cnn", rev: str = "HEAD", **rules: float) -> str:
    """What a promotion that must change nothing says."""
    before = registry()
    with pytest.raises(UserError) as raised:
        promote(model, rev, **rules)
    assert registry() == before
    return str(raised.value)


def registry() -> Any:
    """All that the registry holds: aliases, and of each version what it is."""
    client = mlflow.MlflowClient()
    networks = {m.name: dict(m.aliases) for m in client.search_registered_models()}
    versions = {v.version: (v.name, v.tags, v.description) for v in client.search_model_versions()}
    return networks, versions


def aliases(name: str = "mnist") -> dict[str, int]:
    return {k: int(v) for k, v in mlflow.MlflowClient().get_registered_model(name).aliases.items()}


@pytest.fixture
def better(project: Project) -> Project:
    """With a champion, version 1, and a better CNN after it, committed and logged."""
    promote("cnn")
    project.model("cnn", wrong=range(5))
    project.commit()
    log_run("cnn")
    return project


class TestPromote:
    def test_the_first_becomes_the_champion(self, project: Project) -> None:
        *told, last = promote("cnn")
        assert [line.partition(":")[0] for line in told] == FINDINGS
        commit = project.git("rev-parse", "HEAD")
        assert last == f"cnn of {commit[:7]} is the champion: mnist version 1"
        assert aliases() == {"champion": 1, "challenger": 1}
        version = mlflow.MlflowClient().get_model_version_by_alias("mnist", "champion")
        stages = lock.read(Path("dvc.lock").read_text())
        expected = {
            "git.commit": commit,
            "model": "cnn",
            "model.md5": stages["train@cnn"].outs["models/cnn"],
            "data/raw": stages["download"].outs["data/raw"],
            "data/processed": stages["preprocess"].outs["data/processed"],
            "data/processed/train.npz": files.md5(Path("data/processed/train.npz")),
            "data/processed/test.npz": files.md5(Path("data/processed/test.npz")),
        }
        expected |= {f"gate.{line.partition(': ')[0]}": line.partition(": ")[2] for line in told}
        assert version.tags == expected
        assert version.description == "# Model card: cnn\nB.\n"

    def test_the_next_takes_its_place(self, better: Project) -> None:
        *told, last = promote("cnn")
        assert (
            "max_accuracy_loss: up to -0.000232 against mnist version 1 (5 images fixed" in told[1]
        )
        assert last.endswith("is the champion: mnist version 2")
        assert aliases() == {"champion": 2, "challenger": 2, "previous": 1}

    def test_the_champion_promoted_again_stays_as_it_is(self, project: Project) -> None:
        promote("cnn")
        before = registry()
        (line,) = promote("cnn")
        assert line.endswith("is the champion already: mnist version 1")
        assert registry() == before

    def test_a_content_that_has_a_version_gets_no_second(self, better: Project) -> None:
        promote("cnn", "HEAD")
        promotion.roll_back("mnist")
        promote("cnn", "HEAD")
        assert aliases() == {"champion": 2, "challenger": 2, "previous": 1}
        assert len(registry()[1]) == 2

    def test_an_older_commit_is_promoted_by_its_own_files(self, better: Project) -> None:
        promote("cnn")
        *_, last = promote("cnn", "HEAD~1", max_accuracy_loss=0.003)
        assert last.endswith("is the champion: mnist version 1")
        assert aliases() == {"champion": 1, "challenger": 1, "previous": 2}

    def test_a_model_is_named_where_there_are_several(self, project: Project) -> None:
        with pytest.raises(UserError, match=r"^HEAD has several models: name one of mlp, cnn$"):
            promote(None)
        with pytest.raises(UserError, match=r"^HEAD has no model 'svm': name one of mlp, cnn$"):
            promote("svm")

    def test_the_only_model_needs_no_name(self, project: Project) -> None:
        definition = Path("dvc.yaml").read_text()
        Path("dvc.yaml").write_text(definition.replace("[mlp, cnn]", "[cnn]"))
        text = Path("dvc.lock").read_text()
        (mlp,) = lock.read(text, "train@mlp")
        blocks = [b for b in text.split("\n  ") if not b.startswith(mlp)]
        Path("dvc.lock").write_text("\n  ".join(blocks))
        project.save()
        assert candidate.find(None, revisions.find("HEAD")).model == "cnn"

    def test_what_is_no_commit_is_refused(self, project: Project) -> None:
        with pytest.raises(UserError, match="the workspace is no commit: commit what"):
            promote("cnn", "workspace")

    def test_a_model_that_the_store_does_not_know_is_refused(self, project: Project) -> None:
        project.model("cnn", wrong=range(7))
        commit = project.commit()
        assert refusal() == (
            f"cnn of {commit[:7]}: MLflow knows no run of this model: "
            "`digits sync --rev HEAD` registers it"
        )

    def test_a_commit_without_the_models_card_is_refused(self, project: Project) -> None:
        Path("source/model_card.md").write_text("# Model card: mlp\nA.\n")
        project.commit()
        assert refusal().endswith("model_card.md has no card of it: `dvc repro` and commit")

    def test_a_card_longer_than_mlflow_takes_is_cut(self, project: Project) -> None:
        Path("source/model_card.md").write_text("# Model card: cnn\n" + "long " * 2000)
        project.commit()
        promote("cnn")
        version = mlflow.MlflowClient().get_model_version("mnist", "1")
        assert len(version.description) == candidate.DESCRIPTION_LIMIT
        assert version.description.endswith("the rest is in reports/model_card.md of the commit.")


class TestGate:
    """A refusal for each rule: it says which, with the numbers, and changes nothing."""

    @pytest.mark.parametrize(
        ("wrong", "changes", "line"),
        [
            (range(40), {}, "min_accuracy_low: 0.989125, must be at least 0.993"),
            (range(3), {"ece": 0.0041}, "max_ece: 0.0041, must be at most 0.004"),
            (
                range(3),
                {"corrupted_accuracy": 0.9499},
                "min_corrupted_accuracy: 0.9499, must be at least 0.95",
            ),
            (
                range(3),
                {"onnx_difference": 6e-6},
                "max_onnx_difference: 6e-06, must be at most 5e-06",
            ),
        ],
    )
    def test_of_a_number(
        self, project: Project, wrong: range, changes: dict[str, float], line: str
    ) -> None:
        project.model("cnn", wrong, **changes)
        commit = project.commit()
        log_run("cnn")
        first = f"cnn of {commit[:7]} is refused, mnist's champion stays as it was:"
        assert refusal() == f"{first}\n{line}"

    def test_of_a_loss_against_the_champion(self, project: Project) -> None:
        promote("cnn")
        project.model("cnn", wrong=range(3, 16))
        project.commit()
        log_run("cnn")
        _, *broken = refusal().splitlines()
        assert broken == [
            "max_accuracy_loss: up to 0.002085 against mnist version 1 "
            "(3 images fixed, 6 broken), must be at most 0.002"
        ]
        assert promote("cnn", max_accuracy_loss=0.003)[-1].endswith("mnist version 2")

    def test_of_the_validation(self, project: Project) -> None:
        project.validated(22, 1)
        project.commit()
        assert refusal().splitlines()[1:] == ["validation: 21 of 22 expectations of the data hold"]
        project.validated(0, 0)
        project.commit()
        assert refusal().splitlines()[1:] == ["validation: 0 of 0 expectations of the data hold"]

    def test_of_every_broken_rule_at_once(self, project: Project) -> None:
        assert [line.partition(":")[0] for line in refusal("mlp").splitlines()[1:]] == [
            "min_accuracy_low",
            "min_corrupted_accuracy",
        ]

    def test_of_other_test_images_than_the_champions(self, project: Project) -> None:
        promote("cnn")
        path = Path("source/cnn/evaluate/predictions.csv")
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
        Path("source/cnn/model/model.keras").write_text("other weights")
        project.commit()
        log_run("cnn")
        assert "mnist version 1, the champion, are not for the same images" in refusal()

    def test_needs_the_champions_predictions(self, better: Project) -> None:
        version = mlflow.MlflowClient().get_model_version("mnist", "1")
        run = mlflow.MlflowClient().get_run(str(version.run_id))
        shutil.rmtree(run.info.artifact_uri.removeprefix("file://"))
        told = refusal()
        assert "\n" not in told
        assert told.startswith("the run of the champion, mnist version 1, has no evaluate/predict")


class TestLineage:
    @staticmethod
    def fault() -> str:
        (line,) = refusal().splitlines()[1:]
        rule, _, text = line.partition(": ")
        assert rule == "lineage"
        return text

    @pytest.mark.parametrize(
        ("path", "stages"),
        [
            ("source/cnn/train.json", "train@cnn"),  # what stands for code
            ("source/raw/test.npz", "download"),
            ("reports/train/cnn/metrics.json", "train@cnn"),
            ("reports/validate/metrics.json", "validate, preprocess"),
            ("reports/model_card.md", "card"),
        ],
    )
    def test_of_a_file_that_is_not_as_in_dvc_lock(
        self, project: Project, path: str, stages: str
    ) -> None:
        with Path(path).open("a") as file:
            file.write("\n")
        project.save()
        assert self.fault() == f"out of date at the commit: {stages}"

    def test_of_a_parameter_that_is_not_as_in_dvc_lock(self, project: Project) -> None:
        text = Path("params.yaml").read_text()
        Path("params.yaml").write_text(text.replace("name: mnist", "name: other"))
        project.save()
        assert self.fault() == "out of date at the commit: train@mlp, train@cnn"

    def test_of_a_file_that_is_gone(self, project: Project) -> None:
        Path("reports/train/mlp/metrics.json").unlink()
        project.save()
        assert self.fault() == "out of date at the commit: train@mlp"

    def test_of_a_new_dependency(self, project: Project) -> None:
        text = Path("dvc.yaml").read_text()
        Path("dvc.yaml").write_text(text.replace("[data/raw, source/v", "[.gitignore, source/v"))
        project.save()
        assert self.fault() == "out of date at the commit: validate"

    def test_of_data_that_its_maker_did_not_write(self, project: Project) -> None:
        (stage,) = lock.read(Path("dvc.lock").read_text(), "download").values()
        written = (
            f"outs:\n    - path: data/raw\n      hash: md5\n      md5: {stage.outs['data/raw']}"
        )
        text = Path("dvc.lock").read_text()
        assert written in text
        other = written.replace(stage.outs["data/raw"], f"{'0' * 32}.dir")
        Path("dvc.lock").write_text(text.replace(written, other))
        project.save()
        assert self.fault() == "out of date at the commit: validate, preprocess"

    def test_of_a_stage_that_dvc_yaml_has_no_more(self, project: Project) -> None:
        text = Path("dvc.yaml").read_text()
        Path("dvc.yaml").write_text(text.replace("[mlp, cnn]", "[mlp]"))
        project.save()
        assert self.fault() == "out of date at the commit: evaluate@cnn, train@cnn"

    def test_of_other_data_than_the_run_read(self, project: Project) -> None:
        Path("data/processed/train.npz").unlink()
        Path("data/processed/train.npz").write_text("other images")
        log_run("cnn", train="data/processed/train.npz", test="data/processed/test.npz")
        assert self.fault() == "the run read another data/processed/train.npz"

    def test_needs_neither_data_nor_cache(self, project: Project) -> None:
        for folder in ("data", "models", ".dvc/cache"):
            shutil.rmtree(folder)
        assert promote("cnn")[-2] == "lineage: complete"


class TestAliases:
    def test_a_challenger_needs_no_gate_and_leaves_the_champion(self, project: Project) -> None:
        promote("cnn")
        mlp = candidate.find("mlp", revisions.find("HEAD"))
        assert promotion.challenge(mlp).endswith("is the challenger: mnist version 2")
        assert aliases() == {"champion": 1, "challenger": 2}

    def test_a_rollback_goes_one_step(self, better: Project) -> None:
        promote("cnn")
        told = promotion.roll_back("mnist")
        assert told == "mnist version 1 is the champion again, not 2"
        assert aliases() == {"champion": 1, "challenger": 2}
        before = registry()
        with pytest.raises(UserError, match="no version has the alias previous, nothing to roll"):
            promotion.roll_back("mnist")
        assert registry() == before

    def test_a_rollback_of_nothing_is_refused(self, project: Project) -> None:
        with pytest.raises(UserError, match="nothing to roll back to"):
            promotion.roll_back("mnist")


class TestTwoAtOnce:
    @pytest.fixture
    def during_the_gate(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Let something happen between the gate of the next promotion and what follows it."""

        def happen(event: Callable[[], Any]) -> None:
            gate = promotion_gate.gate

            def and_then(*arguments: Any) -> list[promotion_gate.Finding]:
                found = gate(*arguments)
                monkeypatch.setattr(promotion, "gate", gate)
                event()
                return found

            monkeypatch.setattr(promotion, "gate", and_then)

        return happen

    @pytest.fixture
    def two(self, project: Project) -> Project:
        """Both models pass the gate."""
        project.model("mlp", wrong=range(8))
        project.commit()
        log_run("mlp")
        return project

    def test_the_slower_is_told_and_leaves_nothing(
        self, two: Project, during_the_gate: Callable[..., None]
    ) -> None:
        during_the_gate(lambda: promote("mlp"))
        with pytest.raises(UserError, match="not promoted: another version has become the champ"):
            promote("cnn")
        assert aliases() == {"champion": 1, "challenger": 1}
        assert len(registry()[1]) == 1
        assert promote("cnn")[-1].startswith("cnn")  # held against the new champion

    def test_one_that_broke_off_is_named_and_can_be_ended(
        self, two: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def be_killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(promotion, "_move", be_killed)
            with pytest.raises(KeyboardInterrupt):
                promote("mlp")
        commit = two.git("rev-parse", "--short=7", "HEAD")
        assert refusal() == (
            f"cnn of {commit} is not promoted: version 1 was faster; try again against it "
            f"(if it does not become the champion: `digits promote mlp {commit}`)"
        )
        assert promote("mlp", commit)[-1].endswith("mnist version 1")
        assert promote("cnn")[-1].startswith(f"cnn of {commit} is the champion")

    SCRIPT = """
import sys
from digits import cli, promotion

gate = promotion.gate

def wait(*arguments):
    found = gate(*arguments)
    print("ready", flush=True)
    sys.stdin.readline()
    return found

promotion.gate = wait
cli.main()
"""

    @pytest.mark.parametrize("models", [("mlp", "cnn"), ("cnn", "cnn")])
    def test_of_two_processes_one_wins(
        self, two: Project, clean_environment: dict[str, str], models: tuple[str, str]
    ) -> None:
        """Where both have the same model it may be that both win, as one version."""
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", self.SCRIPT, "promote", model],
                env=clean_environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for model in models
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:  # both have passed the gate against the same champion: none
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
        (won, nothing, _), (again, told, code) = sorted(ended, key=lambda each: each[2])
        assert nothing == ""
        assert " is the champion: mnist version 1\n" in won
        if code == 0:
            assert models == ("cnn", "cnn")
            assert again == won
        else:
            assert code == 1
            assert len(told.splitlines()) == 1
            assert " is not promoted: " in told
        assert aliases() == {"champion": 1, "challenger": 1}
        assert len(registry()[1]) == 1


def test_the_champion_loads_and_serves(
    project: Project, clean_environment: dict[str, str], python: Any
) -> None:
    """A real network, small and untrained, from `digits promote` to an answer over HTTP."""
    from digits.training import export, networks

    recipe = params.load().train.mlp.model_copy(update={"hidden_units": [4]})
    network = networks.build(recipe, (28, 28), 10)
    folder, images = Path("source/mlp/model"), np.zeros((2, 28, 28), np.uint8)
    images[1, 8:20, 14] = 255
    project.model("mlp", wrong=range(3))
    export.write_keras(network, folder / "model.keras")
    export.write_onnx(network, folder / "model.onnx", images, {})
    project.commit()
    Path("reports/train/mlp/curves.csv").write_text("epoch,loss\n1,0.5\n")
    with runs.stage_run(store.MODELS, "mlp", {}, {}) as run:
        tracking_models.log_training(run, Path("models/mlp"), Path("reports/train/mlp"))
        (stage,) = lock.read(Path("dvc.lock").read_text(), "train@mlp").values()
        run.log_tags({runs.MODEL_MD5: stage.outs["models/mlp"]})
        run.log_files(Path("reports/evaluate/mlp"), folder="evaluate")

    done = python("-m", "digits.cli", "promote", "mlp", cwd=Path.cwd())
    assert (done.returncode, done.stderr) == (0, "")
    assert "is the champion: mnist version 1" in done.stdout
    expected = network.predict(images, verbose=0)
    loaded = mlflow.pyfunc.load_model("models:/mnist@champion")
    np.testing.assert_allclose(loaded.predict(images), expected, atol=1e-6)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("mlflow"), "models", "serve", "--port", str(port)]
    command += ["--model-uri", "models:/mnist@champion", "--env-manager", "local"]
    environment = clean_environment | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{Path.cwd()}/mlflow.db",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            answer = ask(f"http://127.0.0.1:{port}", {"inputs": images.tolist()}, server)
        finally:
            server.terminate()
            server.communicate(timeout=30)
    np.testing.assert_allclose(answer["predictions"], expected, atol=1e-6)


def ask(url: str, question: Any, server: subprocess.Popen[str]) -> Any:
    """The answer of MLflow's scoring server, once it is up."""
    end = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(f"{url}/ping", timeout=5).close()  # noqa: S310
            break
        except OSError:
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)
    request = urllib.request.Request(  # noqa: S310
        f"{url}/invocations", json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)


def test_the_command_line_tells_a_mistake_in_a_line(project: Project, python: Any) -> None:
    done = python("-m", "digits.cli", "promote", "cnn", "--rollback", cwd=Path.cwd())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "digits: --rollback takes nothing beside it: it knows the version to go back to\n"
    )
