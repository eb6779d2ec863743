"""Hold images out of the training set for validation; leave the test set as it is.

What `data.extra` brought is added to train and validation; its own test images come into the
file of the test set, beside the others.
"""

from pathlib import Path

from digits.params import Params
from stages import runner

RAW = Path("data/raw")
PROCESSED = Path("data/processed")
REPORT = Path("reports/preprocess/metrics.json")


def main(params: Params) -> None:
    from digits.base import files
    from digits.data import splits
    from digits.intake import extra, idx, splitting
    from digits.tracking.stages import stage_run

    settings = params.preprocess
    with stage_run("preprocess", settings.flat(), [RAW]):
        whole, test = idx.read_split(RAW, "train"), idx.read_split(RAW, "test")
        kept, held = splitting.rows_held_out(whole.labels, settings.validation_size, settings.seed)
        collected = None
        if added := extra.read_all(RAW):
            mixed = extra.mix(whole, (kept, held), added, settings.extra_weight)
            whole, kept, held = mixed.whole, mixed.kept, mixed.held
            collected = mixed.collected
        parts = {"train": (whole, kept), "validation": (whole, held), "test": (test, None)}
        with files.replacing(PROCESSED) as folder:
            folder.mkdir()
            for name, (split, rows) in parts.items():
                also = collected if name == "test" else None
                splits.save(split, folder / f"{name}.npz", rows, also)
        counts = {
            f"{name}_images": len(split.labels if rows is None else rows)
            for name, (split, rows) in parts.items()
        }
        if collected:
            counts["collected_test_images"] = len(collected.labels)
        files.write_json(REPORT, counts)
        print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))


if __name__ == "__main__":
    runner.run(main, "preprocess")
