"""Train one model on the training images, watch it on the validation images, export it."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from digits.params import Params, Recipe, flatten
from stages import runner

PROCESSED = Path("data/processed")


def main(params: Params, model: str) -> None:
    from digits import datasets, files, tracking

    recipe: Recipe = getattr(params.train, model)
    settings = {"seed": params.train.seed, "threads": params.train.threads, **flatten(recipe)}
    classes = datasets.find(params.data.name).classes
    inputs = {split: PROCESSED / f"{split}.npz" for split in ("train", "validation")}
    folder, reports = Path("models") / model, Path("reports/train") / model
    with tracking.stage_run(tracking.MODELS, model, settings, inputs) as run:
        from digits import quiet

        with quiet.importing_tensorflow():
            from digits import export, models, training

        train, validation = (datasets.load(path) for path in inputs.values())
        training.be_deterministic(params.train.seed, params.train.threads)
        network = models.build(recipe, train.images.shape[1:], len(classes))
        curves: list[dict[str, float]] = []

        def on_epoch(epoch: int, measured: Mapping[str, float]) -> None:
            curves.append({"epoch": epoch} | {k: round(v, 6) for k, v in measured.items()})
            run.log_metrics(measured, step=epoch)

        training.train(network, train, validation, recipe, params.train.seed, on_epoch)

        # What the model is made of travels with it: a restored run has it from there.
        facts = {
            "classes": classes,
            "recipe": settings,
            "data": {path.as_posix(): files.md5(path) for path in inputs.values()},
        }
        with files.replacing(folder) as partial:
            export.write_keras(network, partial / "model.keras")
            samples = validation.images[:1000]
            parity = export.write_onnx(network, partial / "model.onnx", samples, facts)
        final = {key: curves[-1][key] for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
        costs = {
            "parameters": network.count_params(),
            "multiply_adds": models.multiply_adds(network),
            "onnx_difference": float(f"{parity:.1e}"),
        }
        files.write_json(reports / "metrics.json", {**final, **costs})
        _write_csv(reports / "curves.csv", curves)
        _write_csv(reports / "layers.csv", models.describe(network))
        tracking.log_training(run, folder, reports)


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from digits.files import replacing

    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    runner.run(main, "train", of_model=True)
