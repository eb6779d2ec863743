"""What each stage logs to MLflow, told once: for the stage itself and for `digits sync`.

A run's content comes from nothing but dvc.lock's facts and the files that the stage wrote,
so that a run that is made anew later equals the one that was logged live.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from digits.base import files, quiet
from digits.base.reports import parse_metrics
from digits.base.yaml12 import flatten
from digits.tracking.lock import Stage
from digits.tracking.runs import MODEL_MD5, ONNX_MD5, Run
from digits.tracking.store import MODELS, NOTE, PIPELINE

UNTRACKED = ("params",)  # stages without a run: they measure nothing
DATA_NAME = "data.name"  # a training's parameter and tag: data sets in one table
SECTIONS = {"download": "data"}  # of params.yaml, where it has not the stage's name


@dataclass(frozen=True)
class Facts:
    """What is known of a stage before it has written anything.

    Attributes:
        stage: such as "train@cnn".
        params: of its section of params.yaml, by dotted key, without the section's name.
        data: the MD5 of each file or folder of data that it reads, by path.
    """

    stage: str
    params: Mapping[str, Any]
    data: Mapping[str, str]

    @property
    def experiment(self) -> str:
        """The experiment that its run belongs to."""
        return MODELS if self.stage.startswith("train@") else PIPELINE

    @property
    def run_name(self) -> str:
        """The model's name for a training, "evaluate-cnn" for evaluate@cnn."""
        return self.stage.removeprefix("train@").replace("@", "-")


def facts_of(stage: Stage) -> Facts:
    """The facts of a stage by its entry in dvc.lock."""
    kind, _, model = stage.name.partition("@")
    section = f"{SECTIONS.get(kind, kind)}."
    params = flatten(stage.params.get("params.yaml", {}))
    own = {key.removeprefix(section): v for key, v in params.items() if key.startswith(section)}
    short = {key.removeprefix(f"{model}."): value for key, value in own.items()}
    if kind == "train" and DATA_NAME in params:
        short[DATA_NAME] = params[DATA_NAME]
    data = {path: md5 for path, md5 in stage.deps.items() if path.startswith("data/")}
    return Facts(stage.name, short, data)


def facts_of_training(model: Path) -> Facts:
    """The facts of a training by what a model.onnx in models/<name> says of itself."""
    said = {
        entry.key: entry.value
        for entry in onnx.load(model, load_external_data=False).metadata_props
    }
    params = json.loads(said["recipe"])
    if DATA_NAME in said:
        params[DATA_NAME] = said[DATA_NAME]
    return Facts(f"train@{model.parent.name}", params, json.loads(said["data"]))


def name_metrics(stage: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """Name a stage's metrics as MLflow is to sort them: those of the test before a training's."""
    if not stage.startswith("train@"):
        return dict(metrics)
    known = ("val_", "train")
    return {k if k.startswith(known) else f"train_{k}": v for k, v in metrics.items()}


def log_outputs(facts: Facts, run: Run, trainings: Mapping[str, Run], root: Path = Path()) -> None:
    """Log what a stage wrote.

    Args:
        facts: of the stage.
        run: of the stage.
        trainings: the runs of the models that the stage adds to, by name.
        root: of the workspace, or of a folder with the stage's outputs at their paths.
    """
    kind, _, model = facts.stage.partition("@")
    reports = root / "reports" / kind / model
    if kind == "train":
        if DATA_NAME in facts.params:
            run.log_tags({DATA_NAME: str(facts.params[DATA_NAME])})
        _log_training(run, root / "models" / model, reports)
    elif kind == "evaluate":
        run.log_metrics(_metrics(reports))
        pictures = root / "reports/pictures" / model
        _log_evaluation(trainings[model], facts, reports, pictures)
    elif kind == "card":
        for each in (run, *trainings.values()):
            each.log_files(root / "reports/model_card.md")
        for name, training in trainings.items():
            training.log_tags({NOTE: _describe(name, list(trainings), root)})
    else:
        run.log_metrics(_metrics(reports))
        for path in sorted(reports.iterdir()):
            if not path.name.startswith("."):  # .gitignore, which DVC writes
                run.log_files(path, folder=path.name if path.is_dir() else None)


def quoted(models: Iterable[str]) -> list[str]:
    """The reports of other stages that the card's stage quotes in the models' descriptions."""
    evaluations = [f"reports/evaluate/{model}/metrics.json" for model in models]
    return [*evaluations, "reports/compare/metrics.json"]


def _describe(model: str, models: Sequence[str], root: Path) -> str:
    """What a training's run is, how it compares with the baseline, how to make it again."""
    baseline = models[0]
    reports = root / "reports"
    accuracy = _metrics(reports / "evaluate" / model)["accuracy"]
    lines = [f"A training of **{model}**: {accuracy:.2%} of the test images right."]
    compared = json.loads((reports / "compare/metrics.json").read_text()).get(model)
    if compared:
        middle, low, high = (
            f"{100 * compared[key]:+.2f}"
            for key in ("accuracy_difference", "difference_low", "difference_high")
        )
        p = f"McNemar's p {compared['mcnemar_p']:.2g}"
        lines.append(f"Against {baseline}: {middle} points ({low} to {high}), {p}.")
    else:
        lines.append("It is the baseline.")
    lines.append(
        "To make it again: check out the commit of the tag `git.commit`, then "
        f"`dvc repro train@{model}`; of an experiment `dvc exp apply` the tag `dvc.experiment`."
    )
    return "\n\n".join(lines)


def _metrics(reports: Path) -> dict[str, float]:
    path = reports / "metrics.json"
    return flatten(parse_metrics(path.read_bytes(), path.as_posix()), "_")


def _log_training(run: Run, model: Path, reports: Path) -> None:
    curves = (reports / "curves.csv").read_text().splitlines()[0].split(",")
    stage = f"train@{model.name}"
    run.log_curves(reports / "curves.csv", lambda row: name_metrics(stage, row))
    others = {key: v for key, v in _metrics(reports).items() if key not in curves}
    run.log_metrics(name_metrics(stage, others))
    run.log_files(reports, folder="train")
    run.log_files(model / "model.onnx", folder="onnx")
    _log_keras_model(run, model / "model.keras", model.name)
    md5s = {MODEL_MD5: model, ONNX_MD5: model / "model.onnx"}
    run.log_tags({tag: files.md5(path) for tag, path in md5s.items()})


def _log_evaluation(run: Run, facts: Facts, reports: Path, pictures: Path) -> None:
    """Add to a model's run what `evaluate` found, its test metrics under names of their own."""
    metrics = _metrics(reports)
    for known in ("parameters", "multiply_adds"):  # logged by `train`
        del metrics[known]
    run.log_metrics({"train_size_bytes": metrics.pop("size_bytes")})
    for name in [key for key in metrics if key.startswith("corrupted_")]:
        if name != "corrupted_accuracy":  # their mean; each is in the table below
            del metrics[name]
    run.log_table(reports / "corruptions.csv", "evaluate/corruptions.json")
    run.log_metrics({f"test_{name}": value for name, value in metrics.items()})
    run.log_tags({f"evaluate.{key}": str(value) for key, value in facts.params.items()})
    run.log_inputs(facts.data)
    run.log_files(reports, pictures, folder="evaluate")


def _log_keras_model(run: Run, path: Path, name: str) -> None:
    import numpy as np

    with quiet.importing_tensorflow():  # for which only a training pays, or restoring its run
        import keras
        import mlflow.tensorflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    keras.utils.disable_interactive_logging()  # pyfunc runs the example with a progress bar
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each model is traced but once
    model = keras.saving.load_model(path, compile=False)
    shape, classes = model.input_shape[1:], model.output_shape[1]
    # A model belongs to MLflow's active experiment, whatever its run belongs to.
    mlflow.set_experiment(experiment_id=run.experiment_id)
    Model.log(  # what mlflow.tensorflow.log_model calls, for a run that is not MLflow's active one
        artifact_path=None,
        flavor=mlflow.tensorflow,
        run_id=run.run_id,
        name=name,
        model=model,
        signature=ModelSignature(
            Schema([TensorSpec(np.dtype("uint8"), (-1, *shape))]),
            Schema([TensorSpec(np.dtype("float32"), (-1, classes))]),
        ),
        input_example=np.zeros((1, *shape), np.uint8),
        # Inferred requirements would take half a minute: a subprocess that imports it all.
        pip_requirements=[f"{each}=={version(each)}" for each in ("tensorflow", "keras", "numpy")],
    )
