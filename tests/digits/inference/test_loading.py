"""Models of the workspace, of files, and of a real MLflow store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from digits import Recognizer
from digits.base import files
from digits.base.errors import UserError
from digits.inference import loading
from digits.tracking import runs, store
from tests import small_model

LOCK = """schema: '2.0'
stages:
  train@cnn:
    cmd: train
    outs:
    - path: models/cnn
      hash: md5
      md5: {md5}
  evaluate@cnn:
    cmd: evaluate
    deps:
    - path: models/cnn
      hash: md5
      md5: {md5}
"""


@pytest.fixture(scope="module", autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model; MLflow's store, which takes seconds to be made, is one for all."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("workspace")
        patch.chdir(folder)
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE"):
            patch.setenv(name, "")
        small_model.write(Path("models/cnn"))
        yield folder


@pytest.fixture(autouse=True)
def clean(workspace: Path) -> Iterator[None]:
    yield
    # Where the tests are interrupted, the working folder may be the repository's again.
    (workspace / "dvc.lock").unlink(missing_ok=True)
    (workspace / "reports/evaluate/cnn/metrics.json").unlink(missing_ok=True)


def lock_as(md5: str) -> None:
    Path("dvc.lock").write_text(LOCK.format(md5=md5))


def logged(model: Path) -> str:
    """A run of MLflow that trained a model."""
    run = runs.open_run(store.connect(store.MODELS), "cnn", {})
    run.log_files(model / "model.onnx", folder="onnx")
    run.log_metrics({"test_accuracy": 0.9, "val_loss": 1})
    md5s = {runs.MODEL_MD5: files.md5(model), runs.ONNX_MD5: files.md5(model / "model.onnx")}
    run.log_tags(md5s)
    run.end("FINISHED")
    return run.run_id


def register(name: str, run_id: str, md5: str) -> None:
    """The next version of a name, its champion."""
    client = mlflow.MlflowClient()
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    tags = {runs.MODEL_MD5: md5}
    version = client.create_model_version(name, f"runs:/{run_id}/onnx", run_id, tags=tags)
    client.set_registered_model_alias(name, "champion", version.version)


def artifact(run_id: str) -> Path:
    uri = mlflow.MlflowClient().get_run(run_id).info.artifact_uri
    return Path(str(uri).removeprefix("file://")) / "onnx/model.onnx"


def test_the_workspaces_model_is_checked_against_dvc_lock(workspace: Path) -> None:
    md5 = files.md5(Path("models/cnn"))
    lock_as(md5)
    files.write_json(Path("reports/evaluate/cnn/metrics.json"), {"accuracy": 0.9})
    for name in ("models/cnn", str(workspace / "models/cnn")):
        with loading.find(name) as origin:
            assert origin.path == Path(name) / "model.onnx"
            assert (origin.md5, origin.metrics) == (md5, {"accuracy": 0.9})
    lock_as("0" * 32 + ".dir")
    with pytest.raises(UserError, match=r"models/cnn: is not what dvc\.lock says: `dvc repro`"):
        Recognizer()


def test_metrics_of_another_model_are_not_told() -> None:
    files.write_json(Path("reports/evaluate/cnn/metrics.json"), {"accuracy": 0.9})
    with loading.find("models/cnn") as origin:
        assert origin.metrics == {}


def test_a_file_is_known_by_its_own_hash() -> None:
    with loading.find("models/cnn/model.onnx") as origin:
        assert origin.md5 == files.md5(Path("models/cnn/model.onnx"))


def test_a_model_of_mlflows() -> None:
    model = Path("models/cnn")
    run_id = logged(model)
    register("mnist", run_id, files.md5(model))
    for name in ("models:/mnist@champion", "models:/mnist/1", f"runs:/{run_id}"):
        with loading.find(name) as origin:
            assert origin.path.read_bytes() == (model / "model.onnx").read_bytes()
            assert (origin.md5, origin.run_id) == (files.md5(model), run_id)
            assert origin.metrics == {"accuracy": 0.9}
            assert origin.version == ("mnist version 1" if "models:" in name else None)
        assert not origin.path.exists()


def test_a_model_of_mlflows_can_be_looked_into_though_its_file_is_gone() -> None:
    recognizer = Recognizer(f"runs:/{logged(Path('models/cnn'))}")
    layers = recognizer.network.layers(small_model.images()[0][:1])
    assert [layer.name for layer in layers] == ["convolution 1", "max pooling 1"]


def test_a_run_whose_files_are_gone_says_so() -> None:
    run_id = logged(Path("models/cnn"))
    shutil.rmtree(artifact(run_id).parent)
    with pytest.raises(UserError, match=f"MLflow run {run_id} has no file of it: .*`digits sync`"):
        Recognizer(f"runs:/{run_id}")


def test_a_file_that_was_exchanged_in_the_store_is_refused() -> None:
    run_id = logged(Path("models/cnn"))
    small_model.write(artifact(run_id).parent, sharpness=2)
    with pytest.raises(UserError, match=f"runs:/{run_id}: the file of MLflow run {run_id} is not"):
        Recognizer(f"runs:/{run_id}")


def test_a_run_whose_model_is_not_the_one_promoted_is_refused() -> None:
    register("other", logged(Path("models/cnn")), "another md5")
    with pytest.raises(
        UserError, match=r"other@champion: the file of MLflow run .* is not the model"
    ):
        Recognizer("models:/other@champion")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("models:/none@champion", "MLflow has no such model: .*none.*`digits promote`"),
        ("models:/mnist/7", "MLflow has no such model"),
        (f"runs:/{'0' * 32}", "MLflow has no such model"),
        ("models:/mnist", r"must be models:/NAME@ALIAS, models:/NAME/VERSION or runs:/ID"),
        ("runs:/../../etc/passwd", "must be models:/NAME@ALIAS"),
        ("models/none", r"has no model\.onnx"),
        ("none.onnx", "there is no such file"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as error:
        Recognizer(name)
    assert len(str(error.value).splitlines()) == 1


def test_an_alias_stands_for_the_version_it_was_moved_to() -> None:
    assert loading.is_alias("models:/mnist@champion")
    assert not any(map(loading.is_alias, ("models:/mnist/1", "runs:/1", "models/a@b")))
    run_id = logged(Path("models/cnn"))
    for number in (1, 2):
        register("moving", run_id, "md5")
        version = loading.current_version("models:/moving@champion")
        assert version == f"moving version {number}"


class TestEveryWayToNameAModel:
    @pytest.mark.parametrize("form", ["folder", "file", "link", "file link", "checkout link"])
    def test_is_checked(self, form: str, workspace: Path, tmp_path: Path) -> None:
        lock_as("0" * 32 + ".dir")
        link = tmp_path / "link"
        model = workspace / "models/cnn"
        named = {
            "folder": model,
            "file": model / "model.onnx",
            "link": link,
            "file link": tmp_path / "link.onnx",
            "checkout link": link / "models/cnn/model.onnx",
        }[form]
        link.symlink_to(workspace if form == "checkout link" else model)
        (tmp_path / "link.onnx").symlink_to(model / "model.onnx")
        with (
            pytest.raises(UserError, match=r"is not what dvc\.lock says"),
            loading.find(str(named)),
        ):
            pass

    def test_also_from_another_folder(self, workspace: Path, tmp_path: Path) -> None:
        lock_as("0" * 32 + ".dir")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            with (
                pytest.raises(UserError, match=r"is not what dvc\.lock says"),
                loading.find(str(workspace / "models/cnn/model.onnx")),
            ):
                pass


class TestWhereNothingTellsTheHash:
    """It is said which model was not checked, and on request such a model is refused."""

    @staticmethod
    def unchecked(name: str) -> str:
        """What is said of a model, which is the reason that it is refused for, too."""
        with loading.find(name) as origin:
            said = origin.unchecked
        if said:
            with pytest.raises(UserError) as error:
                Recognizer(name, require_checked=True)
            assert str(error.value) == f"{said}; --require-checked refuses it"
        else:
            assert Recognizer(name, require_checked=True).origin.unchecked == ""
        return said

    def test_a_workspace_without_a_lock(self) -> None:
        for name in ("models/cnn", "models/cnn/model.onnx"):
            said = f"{name}: its hash is not checked: it is no models/NAME beside a dvc.lock"
            assert self.unchecked(name) == said

    def test_a_lock_that_knows_another_model(self) -> None:
        lock_as("0" * 32 + ".dir")
        small_model.write(Path("models/own"))
        said = "models/own: its hash is not checked: dvc.lock does not name it"
        assert self.unchecked("models/own") == said

    def test_another_file_beside_a_models(self) -> None:
        shutil.copy("models/cnn/model.onnx", "models/cnn/old.onnx")
        assert self.unchecked("models/cnn/old.onnx").startswith("models/cnn/old.onnx: its hash")

    def test_a_foreign_file(self, tmp_path: Path) -> None:
        small_model.write(tmp_path)
        assert self.unchecked(f"{tmp_path}/model.onnx").startswith(f"{tmp_path}/model.onnx: its")

    def test_a_run_without_the_tag(self) -> None:
        run_id = logged(Path("models/cnn"))
        assert self.unchecked(f"runs:/{run_id}") == ""
        mlflow.MlflowClient().delete_tag(run_id, runs.ONNX_MD5)
        assert self.unchecked(f"runs:/{run_id}") == (
            f"runs:/{run_id}: its hash is not checked: its run has no tag onnx.md5"
        )

    def test_a_checked_one_is_passed_in_silence(self, workspace: Path) -> None:
        lock_as(files.md5(Path("models/cnn")))
        for name in ("models/cnn", "models/cnn/model.onnx", str(workspace / "models/cnn")):
            assert self.unchecked(name) == ""

    def test_the_packages_own_is_checked(self) -> None:
        for name in (loading.RELEASED, loading.RELEASED / "model.onnx"):
            assert self.unchecked(str(name)) == ""


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b'{"accuracy": "high"}', b"<<<<<<< HEAD"])
def test_a_damaged_report_stops_no_model(content: bytes) -> None:
    lock_as(files.md5(Path("models/cnn")))
    report = Path("reports/evaluate/cnn/metrics.json")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_bytes(content)
    recognizer = Recognizer("models/cnn")
    assert (recognizer.origin.metrics, recognizer.origin.unchecked) == ({}, "")


@pytest.mark.parametrize("threshold", ["nan", "2", "-1", "inf"])
def test_an_odd_threshold_is_refused(threshold: str, tmp_path: Path) -> None:
    from digits.inference.model import Model

    small_model.write(tmp_path, threshold=threshold)
    with pytest.raises(UserError, match="its threshold is"):
        Model(tmp_path / "model.onnx")


def test_a_sparse_terabyte_is_refused_unread(tmp_path: Path) -> None:
    from digits.inference.model import Model

    with (tmp_path / "model.onnx").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UserError, match=f"it has {2**40} bytes"):
        Model(tmp_path / "model.onnx")


def test_weights_in_other_files_are_never_read(tmp_path: Path) -> None:
    import onnx

    from digits.inference.model import Model

    small_model.write(tmp_path)
    proto = onnx.load(tmp_path / "model.onnx")
    onnx.save(
        proto, tmp_path / "model.onnx", save_as_external_data=True, location="w", size_threshold=0
    )
    with pytest.raises(UserError, match="its weights lie in other files"):
        Model(tmp_path / "model.onnx")


def test_nor_is_a_constant_in_another_file(tmp_path: Path) -> None:
    import onnx

    from digits.inference.model import Model

    small_model.write(tmp_path)
    proto = onnx.load(tmp_path / "model.onnx")
    tensor = onnx.TensorProto(
        name="c", data_type=onnx.TensorProto.FLOAT, dims=[1], raw_data=b"abcd"
    )
    onnx.external_data_helper.set_external_data(tensor, "secret.bin")
    constant = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    inner = onnx.helper.make_graph([constant], "inner", [], [])
    branches = {"then_branch": inner, "else_branch": inner}
    proto.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], **branches))
    onnx.save(proto, tmp_path / "model.onnx")
    with pytest.raises(UserError, match="its weights lie in other files"):
        Model(tmp_path / "model.onnx")
