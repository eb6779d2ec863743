"""Where the CPU of a whole `dvc repro` goes, and what one with nothing to do costs.

Clones the repository to an empty folder, sets it up and runs the pipeline there. The CPU of
a stage is its process', as its MLflow run says; what is left of `dvc repro` is DVC's own.
Bare DVC is a repository of one stage without dependencies.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow
import pandas as pd

from benchmarks import measuring

NO_OPS = 7
IMPORTS = ("tensorflow", "great_expectations", "mlflow", "sklearn.metrics", "matplotlib.figure")
RUN = """
from digits.tracking import runs, store
runs.open_run(store.connect(store.PIPELINE), "empty", {}).end("FINISHED")
"""


def main() -> None:
    measuring.parser("overhead", __doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        clone, bare = Path(temporary) / "clone", Path(temporary) / "bare"
        subprocess.run(["git", "clone", "--quiet", Path.cwd(), clone], check=True)
        environment = os.environ | {"PATH": f"{clone}/.venv/bin:{os.environ['PATH']}"}
        for name in ("MLFLOW_TRACKING_URI", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"):
            environment.pop(name, None)
        here = {"cwd": clone, "env": environment}
        setup, _ = measuring.measure(["make", "setup"], **here)
        print("set up; now the pipeline", file=sys.stderr)
        whole, _ = measuring.measure(["dvc", "repro"], **here)

        stages = stage_costs(clone)
        training = sum(stages.pop(name) for name in [*stages] if name.endswith("training alone"))
        part = "set-up, from pip's and uv's cache if they have it"
        rows = [{"part": part, "CPU s": setup.cpu_seconds}]
        rows += [{"part": f"stage {name}", "CPU s": value} for name, value in stages.items()]
        rows += [
            {
                "part": "DVC itself, and the stage params",
                "CPU s": whole.cpu_seconds - sum(stages.values()),
            },
            {"part": "the whole of dvc repro", "CPU s": whole.cpu_seconds},
            {"part": "of it training alone", "CPU s": training},
            {"part": "all but training", "CPU s": whole.cpu_seconds - training},
        ]
        for module in IMPORTS:
            cost, _ = measuring.measure(["python3", "-c", f"import {module}"], **here)
            rows.append({"part": f"import {module}", "CPU s": cost.cpu_seconds})
        cost, _ = measuring.measure(["python3", "-c", RUN], **here)
        rows.append({"part": "MLflow for a stage: import, run, end", "CPU s": cost.cpu_seconds})

        bare.mkdir()
        for command in (
            ["git", "init", "--quiet"],
            ["dvc", "init", "--quiet"],
            ["dvc", "stage", "add", "--quiet", "--name", "nothing", "true"],
            ["dvc", "repro", "--quiet"],
        ):
            subprocess.run(command, cwd=bare, env=environment, check=True)
        no_ops: dict[str, list[float]] = {"this": [], "bare": []}
        for _ in range(NO_OPS):
            for name, folder in (("this", clone), ("bare", bare)):
                cost, _ = measuring.measure(["dvc", "repro"], cwd=folder, env=environment)
                no_ops[name].append(cost.cpu_seconds)
    medians = {name: float(pd.Series(values).median()) for name, values in no_ops.items()}
    rows += [
        {"part": f"dvc repro with nothing to do, n = {NO_OPS}", "CPU s": medians["this"]},
        {"part": f"bare DVC's, n = {NO_OPS}", "CPU s": medians["bare"]},
        {"part": "the difference", "CPU s": medians["this"] - medians["bare"]},
    ]
    measuring.write("overhead", pd.DataFrame(rows), no_ops=no_ops)


def stage_costs(clone: Path) -> dict[str, float]:
    """Measure the CPU seconds of each stage, and of the training alone in those that train."""
    client = mlflow.MlflowClient(f"sqlite:///{clone}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = {}
    for run in client.search_runs(experiments, order_by=["attributes.start_time ASC"]):
        metrics, name = run.data.metrics, run.info.run_name
        found[name] = metrics["cpu_seconds" if "cpu_seconds" in metrics else "train_cpu_seconds"]
        if "training_cpu_seconds" in metrics:
            found[f"{name}, training alone"] = metrics["training_cpu_seconds"]
    return found


if __name__ == "__main__":
    main()
