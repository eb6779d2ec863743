"""The project on a small data set: 1,797 real digits, tiny networks, the same dvc.yaml.

The fixture `new_project` builds it; here is how, and what its tests ask of it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Run
from ruamel.yaml import YAML

from digits.data.catalogue import FILES
from digits.data.splits import Split
from digits.intake import idx

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
TRAIN_IMAGES = 1400
MODELS, PIPELINE = "digits-models", "digits-pipeline"
STAGES = "params download validate preprocess train@mlp train@cnn evaluate@mlp evaluate@cnn "
STAGES += "compare card"
LIMIT = 1800  # seconds: ten minutes were too few for the pipeline at a load of 20 on two cores
PROMPT = 60  # seconds for what must not wait for anything; 2 on an idle machine

Command = Callable[..., subprocess.CompletedProcess[str]]


def build(folder: Path, mirror: Path, handwriting: Split, run: Command) -> None:
    """Commit the project, as it lies here, to a repository of its own; then the small data set."""
    produced = ("dvc.lock", "reports/", "docs/", "tests/")
    for path in run(ROOT, "git", "ls-files").stdout.splitlines():
        if not path.startswith(produced) and (ROOT / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    (folder / ".venv").mkdir()
    shutil.copy(Path(sys.prefix) / "plots.html", folder / ".venv")  # .dvc/config names it
    run(folder, "git", "init", "--initial-branch", "main")
    run(folder, "git", "config", "user.name", "A Tester")
    run(folder, "git", "config", "user.email", "tester@example.com")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--message", "The project")

    images, labels, n = handwriting.images, handwriting.labels, TRAIN_IMAGES
    arrays = (images[:n], labels[:n], images[n:], labels[n:])
    for name, array in zip(FILES, arrays, strict=True):
        idx.write(mirror / name, array)
    with edited(folder / "datasets.yaml") as catalogue:
        catalogue["handwriting"] = catalogue["mnist"] | {
            "rows": {"train": n, "test": len(labels) - n},
            "mean_ink": [0.16, 0.18],
            "mirrors": [f"dir:{mirror}"],
            "sha256": {name: digest(mirror / name) for name in FILES},
        }
    with edited(folder / "params.yaml") as params:
        params["data"]["name"] = "handwriting"
        params["validate"]["projected_images"] = 100
        params["preprocess"]["validation_size"] = 200
        params["train"]["mlp"] |= {"hidden_units": [16], "epochs": 2}
        params["train"]["cnn"] |= {"filters": [4, 8], "epochs": 2}
        params["train"]["cnn"] |= {"kernel_sizes": [3, 3], "strides": [2, 1], "pool_sizes": [1, 2]}
        params["train"]["cnn"] |= {"padding": ["same", "same"]}
        params["evaluate"]["corrupted_images"] = 50
        params["compare"]["resamples"] = 100
    run(folder, "git", "commit", "--all", "--message", "A small data set")


@contextmanager
def edited(path: Path) -> Iterator[Any]:
    """The values of a YAML file, to be changed in place."""
    yaml = YAML()
    values = yaml.load(path)
    yield values
    yaml.dump(values, path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def postgres_folder() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them out of PATH, by their version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -float(p.parent.name))
    initdb = shutil.which("initdb", path=os.pathsep.join(map(str, [*debian, os.environ["PATH"]])))
    return Path(initdb).parent if initdb else None


def ran(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that DVC ran, neither skipped nor taken from its cache."""
    return re.findall(r"^Running stage '(.+)':", done.stdout, re.MULTILINE)


def runs_of(client: mlflow.MlflowClient) -> dict[str, list[Run]]:
    """Every run of a store, oldest first, by the name of its experiment."""
    order = ["attributes.start_time ASC"]
    return {
        experiment.name: list(client.search_runs([experiment.experiment_id], order_by=order))
        for experiment in client.search_experiments()
    }


def wait_for(condition: Callable[[], Any], interval: float = 0.1) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "it did not happen within the limit"
        time.sleep(interval)


def store(folder: Path) -> mlflow.MlflowClient:
    database = folder / "mlflow.db"
    assert database.exists()  # the client would create it
    return mlflow.MlflowClient(f"sqlite:///{database}")


def runs(folder: Path) -> dict[str, list[Run]]:
    return runs_of(store(folder))


def count(folder: Path) -> dict[str, int]:
    return {experiment: len(found) for experiment, found in runs(folder).items()}


def outputs(folder: Path) -> dict[str, str]:
    """What the pipeline wrote, by path: the hash of each file."""
    files = [p for top in ("data", "models", "reports") for p in (folder / top).rglob("*")]
    return {str(path.relative_to(folder)): digest(path) for path in files if path.is_file()}
