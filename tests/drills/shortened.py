"""The small project without what comes after the training: all the machinery, in seconds."""

from pathlib import Path

from tests.small_project import edited

STAGES = ("params", "download", "preprocess")  # without TensorFlow
MODEL = "mlp"
TRAINING = f"train@{MODEL}"


def shortened(folder: Path) -> Path:
    """Leave the project the stages that take a second each, and the training."""
    with edited(folder / "dvc.yaml") as definition:
        for name in definition["stages"].keys() - {*STAGES, "train"}:
            del definition["stages"][name]
        del definition["plots"]
        inputs = definition["stages"]["preprocess"]["deps"]
        inputs[:] = [path for path in inputs if not path.startswith("reports/validate")]
    return folder
