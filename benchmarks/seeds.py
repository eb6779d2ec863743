"""Several seeds of params.yaml or of a profile, each as a DVC experiment: mean and spread.

Each experiment runs in a folder of its own and leaves the workspace as it is. Its name holds
the commit: what has run already is not run again. In MLflow the trainings become the children
of one run, named after the group, that holds the summary.
"""

import json
import subprocess
import sys
from typing import Any

import mlflow
import pandas as pd
from scipy.stats import t
from tqdm import tqdm

from benchmarks import measuring, profiles
from digits.base import yaml12
from digits.tracking import lock, provenance, revisions, runs, store
from digits.tracking.revisions import Revision

METRICS = ("accuracy", "log_loss", "ece", "corrupted_accuracy", "training_cpu_seconds")


def main() -> None:
    parser = measuring.parser("seeds", __doc__ or "")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--profile", default="", help="a file of profiles/")
    chosen = parser.parse_args()
    if changes := git("status", "--porcelain"):
        sys.exit(f"seeds: commit first, because the figures are those of a commit:\n{changes}")
    title = f"seeds-{chosen.profile}" if chosen.profile else "seeds"
    commit = git("rev-parse", "--short", "HEAD")
    names = {seed: f"{title}-{commit}-{seed}" for seed in range(chosen.seeds)}
    settings = profiles.settings(chosen.profile) if chosen.profile else []
    for seed, name in tqdm(names.items(), unit="experiment"):
        if name not in revisions.experiments():
            values = [*settings, f"train.seed={seed}"]
            sets = [argument for value in values for argument in ("--set-param", value)]
            subprocess.run(["dvc", "exp", "run", "--temp", "--name", name, *sets], check=True)

    group = runs.open_run(store.connect(store.MODELS), title, provenance.tags("seeds"))
    group.log_params({"experiments": [*names.values()]})
    rows = []
    for seed, name in names.items():
        revision = revisions.find(name)
        for model in yaml12.parse(revision.text("params.yaml"))["models"]:
            rows.append({"model": model, "seed": seed, **results(revision, model, group)})
    table = summary(pd.DataFrame(rows))
    means = {f"{row.model}_{row.metric}_mean": row.mean for row in table.itertuples()}
    group.log_metrics(means)
    note = (
        f"Commit {commit}, seeds 0 to {chosen.seeds - 1}; accuracies in %; low and high are "
        "Student's interval of the mean, at 95 %."
    )
    command = f"seeds --seeds {chosen.seeds}"
    command += f" --profile {chosen.profile}" if chosen.profile else ""
    measuring.write(title, table, note, command, commit=commit, seeds=rows)
    group.log_files(measuring.RESULTS / f"{title}.md", measuring.RESULTS / f"{title}.json")
    group.end("FINISHED")


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def results(revision: Revision, model: str, group: runs.Run) -> dict[str, Any]:
    """Read what `evaluate` measured of a model; make its MLflow run a child of the group's."""
    found = json.loads(revision.text(f"reports/evaluate/{model}/metrics.json"))
    stage = lock.read(revision.text(lock.FILE), f"train@{model}")[f"train@{model}"]
    if run := runs.find_model_run(stage.outs[f"models/{model}"]):
        client = mlflow.MlflowClient()
        client.set_tag(run.run_id, "mlflow.parentRunId", group.run_id)
        metrics = client.get_run(run.run_id).data.metrics
        found["training_cpu_seconds"] = metrics.get("training_cpu_seconds")
    return found


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise each model and metric: mean, standard deviation, extremes, interval."""
    summaries = []
    for model, several in rows.groupby("model", sort=False):
        for metric in METRICS:
            values = several[metric].astype(float) * (100 if metric.endswith("accuracy") else 1)
            half = t.ppf(0.975, len(values) - 1) * values.sem()  # NaN where there is but one
            summaries.append(
                {
                    "model": model,
                    "metric": metric,
                    "n": len(values),
                    "mean": values.mean(),
                    "sd": values.std(),
                    "least": values.min(),
                    "most": values.max(),
                    "low": values.mean() - half,
                    "high": values.mean() + half,
                }
            )
    return pd.DataFrame(summaries)


if __name__ == "__main__":
    main()
