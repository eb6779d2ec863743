"""Reports of the stages before the card, made up: each number is another one."""

import json
from pathlib import Path

METRICS = {
    "validate": {"train_images": 60_000, "test_images": 10_000, "test_images_in_train": 0}
    | {"expectations": 22, "expectations_broken": 0},
    "preprocess": {"train_images": 55_000, "validation_images": 5_000, "test_images": 10_000},
    "compare": {
        "cnn": {"accuracy_difference": 0.0033, "difference_low": 0.0017, "difference_high": 0.0049}
        | {"mcnemar_p": 5e-05}
    },
    "train": {"val_accuracy": 0.9952, "temperature": 0.69, "threshold": 0.87}
    | {"onnx_difference": 4.2e-07},
    "evaluate": {"accuracy": 0.9961, "accuracy_low": 0.9947, "accuracy_high": 0.9971}
    | {"top2_accuracy": 0.9995, "macro_f1": 0.9961, "log_loss": 0.0126, "brier": 0.0063}
    | {"ece": 0.0016, "corrupted_accuracy": 0.9749, "coverage": 0.9884, "risk": 0.0013}
    | {"parameters": 125_338, "multiply_adds": 16_090_560, "size_bytes": 503_420},
}
TABLES = {
    "predictions": "index,label,predicted,confidence\n0,7,7,0.990000\n1,2,1,0.600000\n",
    "classes": "class,images,precision,recall,f1\n0,980,0.996900,0.998000,0.997400\n"
    "1,1135,0.991000,0.993000,0.992000\n",
    "corruptions": "corruption,accuracy\nshear,0.950000\nfog,0.987000\n",
}


def write(folder: Path) -> None:
    """Write the reports of two models that are alike, "mlp" and "cnn"."""
    alone = ("validate", "preprocess", "compare")
    for stage in (*alone, "train/mlp", "train/cnn", "evaluate/mlp", "evaluate/cnn"):
        (folder / stage).mkdir(parents=True)
        values = METRICS[stage.partition("/")[0]]
        (folder / stage / "metrics.json").write_text(json.dumps(values))
    for model in ("mlp", "cnn"):
        for name, text in TABLES.items():
            (folder / "evaluate" / model / f"{name}.csv").write_text(text)
