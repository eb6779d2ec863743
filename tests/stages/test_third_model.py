"""docs/own-model.md by the letter: LeNet-5 in three files, trained and compared without the CNN."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from digits.data import splits
from digits.data.splits import Split
from tests.small_project import edited

SCHEMA = """class Lenet(Recipe):
    filters: list[Positive] = Field(description="of each convolution")
    hidden_units: list[Positive] = Field(description="width of each dense hidden layer")


class Train(Section):"""
NETWORK = '''def lenet(recipe: Lenet, image_shape: Sequence[int], classes: int) -> keras.Sequential:
    """LeNet-5 of LeCun et al. 1998, with ReLU and maximum pooling."""
    network = [*_input(image_shape), layers.Reshape((*image_shape, 1))]
    for filters in recipe.filters:
        network.append(layers.Conv2D(filters, 5, padding="same", activation="relu"))
        network.append(layers.MaxPooling2D())
    network.append(layers.Flatten())
    network += [layers.Dense(units, activation="relu") for units in recipe.hidden_units]
    return keras.Sequential([*network, *_output(classes)], name="lenet")


def mlp('''


def put(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


@pytest.fixture
def workspace(tmp_path: Path, root: Path, make_workspace: Callable[[Path], Path]) -> Path:
    """A workspace with the code in it, changed as the page says."""
    folder = make_workspace(tmp_path)
    for package in ("digits", "stages"):
        shutil.copytree(root / package, folder / package)
    schema, networks = folder / "digits/params.py", folder / "digits/training/networks.py"
    put(schema, "class Train(Section):", SCHEMA)
    put(schema, "    cnn: Cnn\n", "    cnn: Cnn\n    lenet: Lenet\n")
    put(schema, '"mlp", "cnn", "resnet"', '"mlp", "cnn", "resnet", "lenet"')
    put(networks, "def mlp(", NETWORK)
    case = "            case Mlp():\n"
    answer = "                return lenet(recipe, image_shape, classes)\n"
    put(networks, case, f"            case Lenet():\n{answer}{case}")
    text = networks.read_text()
    networks.write_text(re.sub(r"(from digits.params import )", r"\1Lenet, ", text))
    with edited(folder / "params.yaml") as params:
        own = (
            "hidden_units",
            "batch_normalization",
            "dropout",
            "batch_size",
            "epochs",
            "optimizer",
        )
        own += ("learning_rate", "schedule", "weight_decay", "augmentation", "members", "views")
        recipe = {key: params["train"]["mlp"][key] for key in own}
        params["train"]["lenet"] = recipe | {"filters": [6, 16], "hidden_units": [120, 84]}
        params["models"] = ["mlp", "lenet"]
    return folder


@pytest.mark.slow
def test_lenet_is_trained_evaluated_and_compared(
    workspace: Path, handwriting: Split, start: Callable[..., subprocess.Popen[str]]
) -> None:
    test = Split(handwriting.images[:300], handwriting.labels[:300])
    splits.save(test, workspace / "data/processed/test.npz")
    for stage in (
        ["train", "mlp"],
        ["train", "lenet"],
        ["evaluate", "mlp"],
        ["evaluate", "lenet"],
        ["compare"],
    ):
        process = start(workspace, f"stages.{stage[0]}", *stage[1:])
        _, stderr = process.communicate()
        assert (process.returncode, stderr) == (0, ""), stage
    compared = json.loads((workspace / "reports/compare/metrics.json").read_text())
    assert compared.keys() == {"lenet"}
    scores = json.loads((workspace / "reports/evaluate/lenet/metrics.json").read_text())
    assert scores["accuracy"] > 0.5
