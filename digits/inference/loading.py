"""Where a model to be used comes from: the workspace, a file, MLflow's registry or a run.

What is read is a model.onnx, which is data: nothing is unpickled, no TensorFlow is needed.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from digits.base import files
from digits.base.errors import UserError
from digits.base.reports import parse_metrics
from digits.base.text import one_line
from digits.tracking import lock

if TYPE_CHECKING:  # two seconds, for which only a model of MLflow's pays
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

REGISTERED = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")
RELEASED = Path(__file__).parents[1] / "released" / "cnn"  # `digits release` writes it
WORKSPACE = Path("models/cnn")
MODEL = "model.onnx"
RUN = re.compile(r"runs:/(?P<run_id>[0-9a-f]{32})")
NO_LOCK = f"it is no models/NAME beside a {lock.FILE}"


@dataclass(frozen=True)
class Origin:
    """A model's file and what is known of it.

    Attributes:
        path: of model.onnx.
        md5: DVC's of the model's folder, by which dvc.lock and MLflow know it; where there
            is none, the file's.
        version: in MLflow's registry, such as "mnist version 3".
        run_id: of the MLflow run that trained it, where MLflow was asked.
        metrics: on the test images, where they are known.
        unchecked: why its hash was compared with none; empty where it was.
    """

    path: Path
    md5: str
    version: str | None = None
    run_id: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    unchecked: str = ""


def default() -> str:
    """The model to use where none is named: the workspace's, else the one in the package."""
    return str(WORKSPACE if (WORKSPACE / MODEL).is_file() else RELEASED)


@contextmanager
def find(model: str, require_checked: bool = False) -> Iterator[Origin]:
    """Find a model, and check that it is what its name stands for.

    Args:
        model: a folder of the workspace such as `models/cnn`, the path of a model.onnx,
            `models:/mnist@champion`, `models:/mnist/3` or `runs:/<run id>`.
        require_checked: refuse a model whose hash nothing tells.

    Yields:
        The model; its file may be gone afterwards.

    Raises:
        UserError: there is no such model, or its content is not what dvc.lock or MLflow say.
    """
    if model.startswith(("models:", "runs:")):
        with tempfile.TemporaryDirectory(prefix="digits-") as folder:
            yield _accept(_fetch(model, Path(folder)), require_checked)
    else:
        yield _accept(_of_path(Path(model)), require_checked)


def is_alias(model: str) -> bool:
    """Whether it may stand for another model tomorrow, as `models:/mnist@champion`."""
    found = REGISTERED.fullmatch(model)
    return bool(found and found["alias"])


def current_version(alias: str) -> str | None:
    """The version that an alias stands for at this moment, in the store that `find` opened."""
    import mlflow

    version = _version(mlflow.MlflowClient(), alias)
    return _name(version) if version else None


def _accept(origin: Origin, require_checked: bool) -> Origin:
    if require_checked and origin.unchecked:
        raise UserError(f"{origin.unchecked}; --require-checked refuses it")
    return origin


def _of_path(path: Path) -> Origin:
    if path.suffix == ".onnx":
        if not path.is_file():
            raise UserError(f"{path}: there is no such file")
        file = path.resolve()
        folder = file.parent
        # A lock tells the hash of a folder, and of its other files none is taken for the model.
        if file.name != MODEL or not (_has_lock(folder) or folder == RELEASED):
            return Origin(path, files.md5(path), unchecked=_unchecked(path, NO_LOCK))
        path = folder  # by whatever link: the model of a workspace is checked
    onnx = path / MODEL
    if not onnx.is_file():
        raise UserError(
            f"{path}: has no model.onnx; `dvc repro` trains models, `dvc pull` gets them"
        )
    if path.resolve() == RELEASED:
        return _of_package(onnx)
    md5 = files.md5(path)
    if not _has_lock(path.resolve()):
        return Origin(onnx, md5, unchecked=_unchecked(path, NO_LOCK))
    root = path.resolve().parents[1]
    name = path.resolve().relative_to(root).as_posix()
    text = (root / lock.FILE).read_text(encoding="utf-8", errors="replace")
    stages = lock.read(text, "(train|evaluate)@.*").values()
    if any(stage.outs.get(name, md5) != md5 for stage in stages):
        raise UserError(
            f"{path}: is not what dvc.lock says: `dvc repro` makes it anew, "
            "`dvc checkout` brings it back"
        )
    is_known = any(name in stage.outs for stage in stages)
    unchecked = "" if is_known else _unchecked(path, f"{lock.FILE} does not name it")
    for stage in stages:
        if stage.deps.get(name) == md5:
            report = root.joinpath("reports", *stage.name.split("@"), "metrics.json")
            return Origin(onnx, md5, metrics=_metrics(report), unchecked=unchecked)
    return Origin(onnx, md5, unchecked=unchecked)


def _metrics(report: Path) -> dict[str, float]:
    """Read a report; a model answers without one, so a damaged one counts as missing."""
    try:
        return parse_metrics(report.read_bytes(), str(report))
    except (UserError, OSError):
        return {}


def _unchecked(model: object, why: str) -> str:
    return f"{model}: its hash is not checked: {why}"


def _has_lock(folder: Path) -> bool:
    """Whether a folder lies in a workspace as models/<name> does, beside a dvc.lock."""
    return folder.parent.name == "models" and (folder.parents[1] / lock.FILE).is_file()


def _of_package(onnx: Path) -> Origin:
    described = json.loads(onnx.with_name("origin.json").read_text())
    if files.md5(onnx) != described["onnx_md5"]:
        raise UserError(f"{onnx}: is not what was released: install the package anew")
    return Origin(onnx, described["md5"], metrics=described["metrics"])


def _fetch(model: str, folder: Path) -> Origin:
    # Before MLflow is imported.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    from mlflow.exceptions import MlflowException

    from digits.tracking import runs, store

    if not REGISTERED.fullmatch(model) and not RUN.fullmatch(model):
        raise UserError(
            f"{model}: must be models:/NAME@ALIAS, models:/NAME/VERSION or runs:/ID, "
            "such as models:/mnist@champion"
        )
    store.connect(store.MODELS)
    client = mlflow.MlflowClient()
    try:
        version = _version(client, model)
        run = client.get_run(str(version.run_id) if version else model.removeprefix("runs:/"))
    except (MlflowException, OSError) as error:
        raise UserError(
            f"{model}: MLflow has no such model: {one_line(error)}; `digits promote` registers one"
        ) from None
    try:
        path = Path(client.download_artifacts(run.info.run_id, f"onnx/{MODEL}", str(folder)))
    except (MlflowException, OSError) as error:
        raise UserError(
            f"{model}: MLflow run {run.info.run_id} has no file of it: {one_line(error)}; "
            f"{store.LOST_FILES}"
        ) from None
    tags, md5 = run.data.tags, files.md5(path)
    if tags.get(runs.ONNX_MD5, md5) != md5 or (
        version and version.tags.get(runs.MODEL_MD5) != tags.get(runs.MODEL_MD5)
    ):
        raise UserError(
            f"{model}: the file of MLflow run {run.info.run_id} is not the model that was "
            "logged or promoted, by its MD5: `digits promote` another one"
        )
    return Origin(
        path,
        tags.get(runs.MODEL_MD5, md5),
        _name(version) if version else None,
        run.info.run_id,
        {
            key.removeprefix("test_"): value
            for key, value in run.data.metrics.items()
            if key.startswith("test_")
        },
        "" if runs.ONNX_MD5 in tags else _unchecked(model, f"its run has no tag {runs.ONNX_MD5}"),
    )


def _version(client: "MlflowClient", model: str) -> "ModelVersion | None":
    """The registered version that a name stands for; of a run None."""
    if not (found := REGISTERED.fullmatch(model)):
        return None
    name, alias, number = found.groups()
    if alias:
        return client.get_model_version_by_alias(name, alias)
    return client.get_model_version(name, number)


def _name(version: "ModelVersion") -> str:
    return f"{version.name} version {version.version}"
