"""Train one model on the training images, watch it on the validation images, export it."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from digits.params import Params, Recipe, flatten
from stages import runner

PROCESSED = Path("data/processed")


def main(params: Params, model: str) -> None:
    import pandas as pd

    from digits import datasets, files, quiet, tables, tracking

    recipe: Recipe = getattr(params.train, model)
    settings = {
        "seed": params.train.seed,
        "threads": params.train.threads,
        "coverage": params.train.coverage,
        **flatten(recipe),
    }
    classes = datasets.find(params.data.name).classes
    inputs = {split: PROCESSED / f"{split}.npz" for split in ("train", "validation")}
    folder, reports = Path("models") / model, Path("reports/train") / model
    with tracking.stage_run(tracking.MODELS, model, settings, inputs) as run:
        with quiet.importing_tensorflow():
            from digits import calibration, export, models, training

        train, validation = (datasets.load(path) for path in inputs.values())
        curves: list[dict[str, float]] = []

        def on_epoch(_: int, measured: Mapping[str, float]) -> None:
            step = len(curves) + 1  # counts on over the members
            curves.append({"epoch": step, **measured})
            run.log_metrics(measured, step)

        begun = time.process_time()
        networks = training.train_members(
            recipe,
            train,
            validation,
            len(classes),
            params.train.seed,
            params.train.threads,
            on_epoch,
        )
        run.log_metrics({"training_cpu_seconds": time.process_time() - begun})
        trained = models.averaged(networks, recipe.views)
        said = models.each(trained).predict(validation.images, batch_size=500, verbose=0)
        temperature = calibration.temperature(said, validation.labels)
        models.temper(networks, temperature)
        confidence = trained.predict(validation.images, batch_size=500, verbose=0).max(axis=1)
        threshold = calibration.threshold(confidence, params.train.coverage)
        doubts = {"temperature": temperature, "threshold": threshold}

        costs = {
            "parameters": trained.count_params(),
            "multiply_adds": models.multiply_adds(networks[0]) * recipe.members * recipe.views,
        }
        # What the model is made of travels with it; a restored run has its recipe from there.
        facts = {
            **costs,
            **doubts,
            "classes": classes,
            "recipe": settings,
            "data": {path.as_posix(): files.md5(path) for path in inputs.values()},
        }
        with files.replacing(folder) as partial:
            export.write_keras(trained, partial / "model.keras")
            samples = validation.images[:1000]
            parity = export.write_onnx(trained, partial / "model.onnx", samples, facts)
        reached = ("loss", "accuracy", "val_loss", "val_accuracy")
        final = {key: round(curves[-1][key], 6) for key in reached}
        costs["onnx_difference"] = float(f"{parity:.1e}")
        files.write_json(reports / "metrics.json", {**final, **doubts, **costs})
        tables.write(pd.DataFrame(curves), reports / "curves.csv")
        tables.write(pd.DataFrame(models.describe(networks[0])), reports / "layers.csv")
        tracking.log_training(run, folder, reports)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The ONNX converter walks through sets of names: their order decides its graph.
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606
    runner.run(main, "train", of_model=True)
