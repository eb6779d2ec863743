"""The gate: each rule refuses, and says why."""

import shutil
from pathlib import Path

import mlflow
import pytest

from digits.tracking import lock, store
from tests.digits.promotion.conftest import Project, log_run, promote, refusal

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value")  # of DVC about its own


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
        assert told.endswith(store.LOST_FILES)


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
        log_run("cnn", "data/processed/train.npz", "data/processed/test.npz")
        assert self.fault() == "the run read another data/processed/train.npz"

    def test_needs_neither_data_nor_cache(self, project: Project) -> None:
        for folder in ("data", "models", ".dvc/cache"):
            shutil.rmtree(folder)
        assert promote("cnn")[-2] == "lineage: complete"
