"""False alarms and power of `digits drift`, on MNIST's own images.

Windows of images are drawn from the test split and compared with the validation split, as they
are and with a fifth of them corrupted in one way.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import measuring
from digits.collection import drift, features
from digits.collection.features import Features
from digits.evaluation.corruptions import CORRUPTIONS, corrupt
from digits.inference.model import Model

WINDOWS, DIGITS, SHARE, REPEATS = 100, 500, 0.2, 20
SPOILED = 2000  # test images that are corrupted; the others of a window are the rest


def main() -> None:
    """Count the false alarms, and the windows in which each corruption is seen."""
    parser = measuring.parser("drift", __doc__ or "")
    parser.add_argument("--seed", type=int, default=1, help="of the windows (default: 1)")
    rng = np.random.default_rng(parser.parse_args().seed)
    models = [Model(path) for path in sorted(Path("models").glob("*/model.onnx"))]
    models.sort(key=lambda model: model.name != "cnn")
    validation, test = measuring.split("validation"), measuring.split("test")

    def describe(images: np.ndarray) -> Features:
        answers = [model.predict(images) for model in models]
        return features.of_answers(images, answers, models[0].threshold)

    def seen(window: Features) -> list[str]:
        return [each.feature for each in drift.compare(reference, window) if each.drifted]

    reference, clean = describe(validation.images), describe(test.images)
    count = len(test.labels)
    windows = [clean.chosen(rng.choice(count, DIGITS, replace=False)) for _ in range(WINDOWS)]
    alarms = [seen(window) for window in windows]
    rows = [_row("none", alarms)]
    for name in CORRUPTIONS:
        spoiled = describe(corrupt(test.images[:SPOILED], name, seed=0))
        found = []
        for _ in range(REPEATS):
            bad = rng.choice(SPOILED, round(SHARE * DIGITS), replace=False)
            rest = rng.choice(np.arange(SPOILED, count), DIGITS - len(bad), replace=False)
            found.append(seen(joined(spoiled.chosen(bad), clean.chosen(rest))))
        rows.append(_row(name, found))
    note = (
        f"Windows of {DIGITS} images of MNIST's test, {SHARE:.0%} of them corrupted, against its "
        "validation images: in how many `digits drift` tells of a drift, and by which features, "
        "the most frequent first."
    )
    measuring.write("drift", pd.DataFrame(rows), note)


def _row(name: str, found: list[list[str]]) -> dict[str, str]:
    counts = Counter(feature for features_of in found for feature in features_of)
    alarms = f"{sum(map(bool, found))} of {len(found)}"
    return {"corruption": name, "seen": alarms, "by": ", ".join(n for n, _ in counts.most_common())}


def joined(one: Features, other: Features) -> Features:
    """The digits of both."""
    return Features(
        {name: np.concatenate([v, other.numbers[name]]) for name, v in one.numbers.items()},
        {name: np.concatenate([v, other.flags[name]]) for name, v in one.flags.items()},
        np.concatenate([one.classes, other.classes]),
    )


if __name__ == "__main__":
    main()
