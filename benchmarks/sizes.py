"""What the stages cost on data sets of 0.1 to 100 times MNIST.

The images are MNIST's, shifted by whole pixels and numbered in their first pixels, so that no
two are equal, as the expectations ask. Each stage runs in a process of its own; anonymous memory
is what it asks for itself, without the files that it maps, which the operating system gives up
as it likes.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks import measuring
from digits import params
from digits.base import files
from digits.data import catalogue, splits
from digits.data.catalogue import FILES, Rows
from digits.intake import idx, splitting

BLOCK = 10_000  # images written at a time
NUMBERED = 4  # pixels of an image that number it, in two decimal digits each
PERIOD = 0.05  # seconds between two looks at the memory


def main() -> None:
    parser = measuring.parser("sizes", __doc__ or "")
    parser.add_argument("--times", type=float, nargs="+", default=[0.1, 1, 10, 100])
    parser.add_argument("--stage", choices=STAGES, help="for the processes that it starts")
    parser.add_argument("--folder", type=Path, default=Path("data/raw"))
    chosen = parser.parse_args()
    if chosen.stage:
        print(json.dumps(_measured(STAGES[chosen.stage], chosen.folder)))
        return
    rows = []
    for times in chosen.times:
        with TemporaryDirectory(prefix="digits-") as name:
            count = _write(chosen.folder, Path(name), times)
            for stage in STAGES:
                command = [sys.executable, "-m", "benchmarks.sizes", "--stage", stage]
                cost, printed = measuring.measure([*command, "--folder", name])
                rows.append(
                    {
                        "times MNIST": times,
                        "images": count,
                        "stage": stage,
                        "CPU s": cost.cpu_seconds,
                        "CPU us per image": cost.cpu_seconds / count * 1e6,
                        "anonymous MB": measuring.last_json(printed)["megabytes"],
                    }
                )
    listed = " ".join(f"{times:g}" for times in chosen.times)
    measuring.write("sizes", pd.DataFrame(rows), command=f"sizes --times {listed}")


def _write(source: Path, folder: Path, times: float) -> int:
    """Write the four IDX files of a data set of that many times as many images: the count."""
    count = 0
    rng = np.random.default_rng(0)
    for images_name, labels_name in (FILES[:2], FILES[2:]):
        images, labels = idx.read(source / images_name), idx.read(source / labels_name)
        rows = round(len(labels) * times)
        count += rows
        chosen = np.arange(rows) % len(labels)
        idx.write(folder / labels_name, labels[chosen])
        with (folder / images_name).open("wb") as file:
            file.write(b"\0\0\x08\x03" + np.array([rows, *images.shape[1:]], ">u4").tobytes())
            for start in range(0, rows, BLOCK):
                block = images[chosen[start : start + BLOCK]]
                down, right = rng.integers(-2, 3, 2)
                shifted = np.roll(block, (down, right), (1, 2))
                numbers = start + np.arange(len(block))
                for place in range(NUMBERED):
                    shifted[:, 0, place] = numbers // 100**place % 100  # paper is below 128
                file.write(shifted.tobytes())
    return count


def _validate(folder: Path) -> None:
    from digits.intake import validation

    settings = params.load().validate_
    data_set = catalogue.find("mnist")
    train, test = idx.read_split(folder, "train"), idx.read_split(folder, "test")
    rows = Rows(train=len(train.labels), test=len(test.labels))
    data_set = data_set.model_copy(update={"rows": rows})
    validation.validate(folder, train, test, data_set, settings, folder / "pictures")


def _preprocess(folder: Path) -> None:
    settings = params.load().preprocess
    whole = idx.read_split(folder, "train")
    size = min(settings.validation_size, len(whole.labels) // 10)
    kept, held = splitting.rows_held_out(whole.labels, size, settings.seed)
    with files.replacing(folder / "processed") as partial:
        partial.mkdir()
        splits.save(whole, partial / "train.npz", kept)
        splits.save(whole, partial / "validation.npz", held)


def _train(folder: Path) -> None:
    """One epoch of the MLP: each further one takes as much again, and no more memory."""
    from digits.base import quiet

    with quiet.importing_tensorflow():
        from digits.training import training

    settings = params.load().train
    processed, classes = folder / "processed", catalogue.find("mnist").classes
    train, validation = (splits.load(processed / f"{n}.npz") for n in ("train", "validation"))
    lesson = training.Lesson(train, validation, classes)
    recipe = settings.recipe("mlp").model_copy(update={"epochs": 1})
    training.train_members(recipe, lesson, settings.seed, settings.threads, lambda *_: None)


def _evaluate(folder: Path) -> None:
    """The MLP, the cheaper model: memory is in the table of the predictions, not in the network."""
    from digits.evaluation.assessment import assess
    from digits.inference.model import Model

    network = Model(Path("models/mlp/model.onnx"))
    test = idx.read_split(folder, "test")
    assess(network, test, params.load().evaluate).write(folder)


def _compare(folder: Path) -> None:
    """The model that was evaluated, and one that is wrong on each hundredth image more."""
    from digits.base import tables
    from digits.comparison import paired

    mlp, other = (tables.read_predictions(folder / "predictions.csv") for _ in range(2))
    other.loc[::100, "predicted"] = (other.loc[::100, "label"] + 1) % 10
    predictions = {"mlp": mlp, "other": other}
    paired.require_same_images(predictions)
    paired.compare(mlp, other, params.load().compare)
    paired.count_errors_by_class(predictions, catalogue.find("mnist").classes)


STAGES: dict[str, Callable[[Path], None]] = {
    "validate": _validate,
    "preprocess": _preprocess,
    "train": _train,
    "evaluate": _evaluate,
    "compare": _compare,
}


def _measured(stage: Callable[[Path], None], folder: Path) -> dict[str, float]:
    """Run a stage, and tell the most anonymous memory that the process had."""
    with measuring.sampled(_anonymous, PERIOD) as found:
        stage(folder)
    return {"megabytes": max(found)}


def _anonymous() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
