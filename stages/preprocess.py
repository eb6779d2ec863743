"""Hold images out of the training set for validation; leave the test set as it is."""

from pathlib import Path

from digits.params import Params, flatten
from stages import runner

RAW = Path("data/raw")
PROCESSED = Path("data/processed")


def main(params: Params) -> None:
    from digits import datasets, splitting, tracking
    from digits.files import replacing

    config = params.preprocess
    inputs: dict[str, Path] = {name: RAW / name for name in datasets.FILES}
    with tracking.stage_run(tracking.PIPELINE, "preprocess", flatten(config), inputs) as run:
        whole, test = datasets.read_split(RAW, "train"), datasets.read_split(RAW, "test")
        train, validation = splitting.hold_out(whole, config.validation_size, config.seed)
        splits = {"train": train, "validation": validation, "test": test}
        with replacing(PROCESSED) as folder:
            folder.mkdir()
            for name, split in splits.items():
                datasets.save(split, folder / f"{name}.npz")
        counts = {f"{name}_images": len(split.labels) for name, split in splits.items()}
        run.log_metrics(counts)
        print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))


if __name__ == "__main__":
    runner.run(main, "preprocess")
