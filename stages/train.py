"""Train one model on the training images, watch it on the validation images, export it."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from digits.params import Params
from stages import runner

PROCESSED = Path("data/processed")


def main(params: Params, model: str) -> None:
    from digits.base import files, quiet
    from digits.data import catalogue, splits
    from digits.tracking.stages import stage_run

    recipe, settings = params.train.recipe(model), params.train.flat_of(model)
    classes = catalogue.find(params.data.name).classes
    paths = [PROCESSED / f"{split}.npz" for split in ("train", "validation")]
    name = {"data.name": params.data.name}
    with stage_run(f"train@{model}", settings | name, paths) as run:
        with quiet.importing_tensorflow():
            from digits.training import trained, training

        train, validation = map(splits.load, paths)
        lesson = training.Lesson(train, validation, classes)
        curves: list[dict[str, float]] = []

        def on_epoch(_: int, measured: Mapping[str, float]) -> None:
            rounded = {name: round(value, 6) for name, value in measured.items()}
            curves.append({"epoch": len(curves) + 1, **rounded})  # counts on over the members
            run.log_metrics(rounded, len(curves))

        begun = time.process_time()
        members = training.train_members(
            recipe, lesson, params.train.seed, params.train.threads, on_epoch
        )
        run.log_metrics({"training_cpu_seconds": time.process_time() - begun})
        data = {path.as_posix(): files.md5(path) for path in paths}
        trained.write(
            trained.calibrate(members, recipe, validation, params.train.coverage),
            validation,
            curves,
            {"classes": classes, "recipe": settings, "data": data, **name},
            Path("models") / model,
            Path("reports/train") / model,
        )


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The ONNX converter walks through sets of names: their order decides its graph.
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606
    runner.run(main, "train", of_model=True)
