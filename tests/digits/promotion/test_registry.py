"""Promotion: the champion, the challenger, the way back, and two at once."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from dvc.repo import Repo

from digits import params
from digits.base import files
from digits.base.errors import UserError
from digits.promotion import candidate, registry
from digits.promotion.gate import Finding
from digits.tracking import availability, contents, lock, revisions, runs, store
from tests.digits.promotion.conftest import (
    FINDINGS,
    Project,
    aliases,
    log_run,
    promote,
    refusal,
    registered,
)
from tests.small_project import LIMIT

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value")  # of DVC about its own


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
        before = registered()
        (line,) = promote("cnn")
        assert line.endswith("is the champion already: mnist version 1")
        assert registered() == before

    def test_a_content_that_has_a_version_gets_no_second(self, better: Project) -> None:
        promote("cnn", "HEAD")
        registry.roll_back("mnist")
        promote("cnn", "HEAD")
        assert aliases() == {"champion": 2, "challenger": 2, "previous": 1}
        assert len(registered()[1]) == 2

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
        without = re.sub(r"^  train@mlp:\n(?:    .*\n)*", "", text, flags=re.MULTILINE)
        Path("dvc.lock").write_text(without)
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

    def test_results_that_are_not_committed_are_to_be_committed_first(
        self, project: Project
    ) -> None:
        project.model("cnn", wrong=range(7))
        project.commit()
        text = Path("dvc.lock").read_text()
        md5 = candidate.find("cnn", revisions.find("HEAD")).md5
        Path("dvc.lock").write_text(text.replace(md5, f"{'0' * 32}.dir"))
        told = refusal()
        assert "your results differ from those of HEAD: commit them first" in told
        assert "sync" not in told

    def test_what_is_nowhere_to_be_had_is_not_to_be_synchronised(self, project: Project) -> None:
        project.model("cnn", wrong=range(7))
        project.commit()
        shutil.rmtree("models")
        shutil.rmtree(".dvc/cache")
        told = refusal()
        assert availability.NOWHERE in told
        assert "sync" not in told

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

    def test_a_workspace_with_another_model_is_told(self, project: Project) -> None:
        """It is the commit's that is promoted."""
        project.model("cnn", wrong=range(12))
        with Repo() as repo:
            repo.reproduce()
        first, *_, last = promote("cnn")
        commit = project.git("rev-parse", "--short=7", "HEAD")
        assert first == f"the workspace's cnn is another and not committed: this is cnn of {commit}"
        assert last == f"cnn of {commit} is the champion: mnist version 1"


class TestAliases:
    def test_a_challenger_needs_no_gate_and_leaves_the_champion(self, project: Project) -> None:
        promote("cnn")
        mlp = candidate.find("mlp", revisions.find("HEAD"))
        assert registry.challenge(mlp).endswith("is the challenger: mnist version 2")
        assert aliases() == {"champion": 1, "challenger": 2}

    def test_a_challenger_that_has_a_version_leaves_it_as_it_is(self, project: Project) -> None:
        """Though its commit is another, and so is the card in it."""
        promote("cnn")
        commit = project.git("rev-parse", "HEAD")
        before = registered()
        Path("source/model_card.md").write_text("# Model card: cnn\nAnother baseline.\n")
        project.commit()
        told = registry.challenge(candidate.find("cnn", revisions.find("HEAD")))
        assert told.endswith("is the challenger: mnist version 1")
        assert registered() == before
        assert registry.source_of("mnist version 1") == (commit, "# Model card: cnn\nB.\n")

    def test_a_rollback_goes_one_step(self, better: Project) -> None:
        promote("cnn")
        told = registry.roll_back("mnist")
        assert told == "mnist version 1 is the champion again, not 2"
        assert aliases() == {"champion": 1, "challenger": 2}
        before = registered()
        with pytest.raises(UserError, match="no version has the alias previous, nothing to roll"):
            registry.roll_back("mnist")
        assert registered() == before

    def test_a_rollback_of_nothing_is_refused(self, project: Project) -> None:
        with pytest.raises(UserError, match="nothing to roll back to"):
            registry.roll_back("mnist")


class TestTwoAtOnce:
    @pytest.fixture
    def during_the_gate(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Let something happen between the gate of the next promotion and what follows it."""

        def happen(event: Callable[[], Any]) -> None:
            gate = registry.gate

            def and_then(*arguments: Any) -> list[Finding]:
                found = gate(*arguments)
                monkeypatch.setattr(registry, "gate", gate)
                event()
                return found

            monkeypatch.setattr(registry, "gate", and_then)

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
        assert len(registered()[1]) == 1
        assert promote("cnn")[-1].startswith("cnn")  # held against the new champion

    def test_one_that_broke_off_is_named_and_can_be_ended(
        self, two: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def be_killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(registry, "_move", be_killed)
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
from digits.cli import main
from digits.promotion import registry

gate = registry.gate

def wait(*arguments):
    found = gate(*arguments)
    print("ready", flush=True)
    sys.stdin.readline()
    return found

registry.gate = wait
main.main()
"""

    @pytest.mark.slow
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
        ended = [(*process.communicate(timeout=LIMIT), process.returncode) for process in processes]
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
        assert len(registered()[1]) == 1


@pytest.mark.slow
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
    run = runs.open_run(store.connect(store.MODELS), "mlp", {})
    contents.log_outputs(contents.Facts("train@mlp", {}, {}), run, {})
    (stage,) = lock.read(Path("dvc.lock").read_text(), "train@mlp").values()
    run.log_tags({runs.MODEL_MD5: stage.outs["models/mlp"]})
    run.log_files(Path("reports/evaluate/mlp"), folder="evaluate")
    run.end("FINISHED")

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
            server.communicate(timeout=LIMIT)
    np.testing.assert_allclose(answer["predictions"], expected, atol=1e-6)


def ask(url: str, question: Any, server: subprocess.Popen[str]) -> Any:
    """The answer of MLflow's scoring server, once it is up."""
    end = time.monotonic() + LIMIT
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
    with urllib.request.urlopen(request, timeout=LIMIT) as response:  # noqa: S310
        return json.load(response)


def test_the_command_line_tells_a_mistake_in_a_line(project: Project, python: Any) -> None:
    done = python("-m", "digits.cli", "promote", "cnn", "--rollback", cwd=Path.cwd())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "digits: --rollback takes nothing beside it: it knows the version to go back to\n"
    )
