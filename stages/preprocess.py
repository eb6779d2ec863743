"""Hold images out of the training set for validation; leave the test set as it is."""

from pathlib import Path

from digits.params import Params
from stages import runner

RAW = Path("data/raw")
PROCESSED = Path("data/processed")
REPORT = Path("reports/preprocess/metrics.json")


def main(params: Params) -> None:
    from digits.base import files
    from digits.data import splits
    from digits.intake import idx, splitting
    from digits.tracking.stages import stage_run

    settings = params.preprocess
    with stage_run("preprocess", settings.flat(), [RAW]):
        whole, test = idx.read_split(RAW, "train"), idx.read_split(RAW, "test")
        kept, held = splitting.rows_held_out(whole.labels, settings.validation_size, settings.seed)
        parts = {"train": (whole, kept), "validation": (whole, held), "test": (test, None)}
        with files.replacing(PROCESSED) as folder:
            folder.mkdir()
            for name, (split, rows) in parts.items():
                splits.save(split, folder / f"{name}.npz", rows)
        counts = {
            f"{name}_images": len(split.labels if rows is None else rows)
            for name, (split, rows) in parts.items()
        }
        files.write_json(REPORT, counts)
        print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))


if __name__ == "__main__":
    runner.run(main, "preprocess")
