"""The loop with real training, in a clone of the committed project: the figures of docs/loop.md.

Everyday digits are served first, then more and more pages of writers whose style the training
lacks. Drift alarms; the writers correct what was read; what they corrected is exported, trained
with, compared and promoted, and the server follows. The workspace stays as it is; its cache of
DVC has what the commit needs.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks import measuring, visits
from digits.base import yaml12
from digits.collection import drift, records
from digits.data import splits
from digits.rendering import figures

LATER = 20  # writers whose pages are read before and after, and never learnt from
EVERYDAY_DAYS, STYLE_DAYS, PER_DAY = 4, 5, 300  # days, days, everyday digits
WEIGHTS = (2, 5, 10)  # of the collected training images, to choose from
PICTURE = Path("docs/drift.png")

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Project:
    """A checkout whose results are committed and whose CNN is the champion.

    Attributes:
        folder: of the checkout.
        model: the champion's name, such as models:/mnist@champion.
        environment: of its commands.
        run: runs a command in a folder, which must end with `code`; returns what it printed.
    """

    folder: Path
    model: str
    environment: Mapping[str, str]
    run: Run

    def evaluation(self) -> dict[str, Any]:
        """The CNN's measures on the test images."""
        path = self.folder / "reports/evaluate/cnn/metrics.json"
        metrics: dict[str, Any] = json.loads(path.read_text())
        return metrics


@dataclass(frozen=True)
class Story:
    """What happened.

    Attributes:
        written, wrong: how many digits the writers wrote and judged, and how many were wrong.
        drift: what `digits drift --json` printed of the days until then.
        weights: the CNN's accuracy on the validation images for each weight that was tried.
        before, after: the CNN's measures on the test images.
        later_before, later_after: its accuracy on later pages of other writers of the style.
        statuses: of the requests while the model changed.
        diff, promoted: what `digits diff` and `digits promote` printed.
    """

    written: int
    wrong: int
    drift: dict[str, Any]
    weights: dict[int, float]
    before: dict[str, Any]
    after: dict[str, Any]
    later_before: float
    later_after: float
    statuses: list[int]
    diff: str
    promoted: str


def tell(project: Project, writers: int, weights: Sequence[int]) -> Story:
    """Let the story happen.

    Args:
        writers: how many correct what was read.
        weights: values of `preprocess.extra_weight`; the best on validation images is kept.
    """
    folder, run = project.folder, project.run
    before = project.evaluation()
    with (
        visits.serving(folder, project.model, project.environment) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        first = client.get("/version").json()["version"]
        visits.write_everyday(client, everyday(folder))
        later_before = visits.accuracy(client, range(1000, 1000 + LATER))
        wrong = visits.correct(client, range(writers))
        spread_over_days(folder / visits.COLLECTED)
        judge = ("digits", "drift", "--model", project.model, "--since", "30d", "--json")
        found = json.loads(run(folder, *judge, "--fail-if", "drift", code=3).stdout)

        run(folder, "digits", "collected", "--export", "styles")
        values = yaml12.parse((folder / "params.yaml").read_text())
        assert values["data"]["extra"] == []
        validated = {weight: train(project, weight) for weight in weights}
        best = max(validated, key=lambda weight: validated[weight])
        run(folder, "dvc", "exp", "apply", experiment(best))
        run(folder, "git", "add", ".")
        run(folder, "git", "commit", "--message", "What was corrected")
        diff = run(folder, "digits", "diff", "HEAD~1", "HEAD").stdout
        with visits.asking(url) as statuses:
            promoted = run(folder, "digits", "promote", "cnn").stdout
            visits.wait_for(lambda: client.get("/version").json()["version"] != first)
            asked = len(statuses)
            visits.wait_for(lambda: len(statuses) > asked + 20)
        later_after = visits.accuracy(client, range(2000, 2000 + LATER))
    return Story(
        written=writers * len(visits.TEXT),
        wrong=wrong,
        drift=found,
        weights=validated,
        before=before,
        after=project.evaluation(),
        later_before=later_before,
        later_after=later_after,
        statuses=statuses,
        diff=diff,
        promoted=promoted,
    )


def train(project: Project, weight: int) -> float:
    """Train with what was collected, as an experiment; return the accuracy on validation images."""
    settings = ("data.extra=[styles]", f"preprocess.extra_weight={weight}")
    sets = [argument for setting in settings for argument in ("--set-param", setting)]
    project.run(project.folder, "dvc", "exp", "run", "--name", experiment(weight), *sets)
    metrics = json.loads((project.folder / "reports/train/cnn/metrics.json").read_text())
    return float(metrics["val_accuracy"])


def experiment(weight: int) -> str:
    return f"weight-{weight}"


def everyday(folder: Path) -> np.ndarray:
    """Choose digits as the training's, none of which it learnt from: `uint8 (days, N, 28, 28)`.

    Those of one writer lie side by side in MNIST's files: hence at random.
    """
    images = splits.load(folder / "data/processed/validation.npz").images
    chosen = np.random.default_rng(0).choice(len(images), (EVERYDAY_DAYS, PER_DAY))
    return images[chosen]


def spread_over_days(folder: Path) -> None:
    """Date what was collected back: everyday digits first, then more of the style each day."""
    with records.opened(folder) as connection:
        sessions = [
            row[0] for row in connection.execute("SELECT DISTINCT session FROM digits ORDER BY 1")
        ]
        everyday = [each for each in sessions if each.startswith("everyday")]
        others = [each for each in sessions if not each.startswith("everyday")]
        days = dict(zip(everyday, range(EVERYDAY_DAYS), strict=True))
        shares = np.repeat(np.arange(STYLE_DAYS), np.arange(1, STYLE_DAYS + 1))
        for number, session in enumerate(others):
            days[session] = EVERYDAY_DAYS + int(shares[number * len(shares) // len(others)])
        last = EVERYDAY_DAYS + STYLE_DAYS - 1
        for session, day in days.items():
            connection.execute(
                "UPDATE digits SET time = time - ? WHERE session = ?",
                (records.DAY * (last - day), session),
            )
        connection.commit()


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the largest effect of any feature, day by day."""
    days = [day for day in found["days"] if day["psi"]]
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    largest = [max(day["psi"].values()) for day in days]
    names = [f"{number}\n{day['digits']}" for number, day in enumerate(days, 1)]
    axes.plot(names, largest, "o-", color=figures.COLOURS[0])
    axes.axhline(drift.LEAST_EFFECT, color=figures.COLOURS[1], linestyle="--")
    place = (0, drift.LEAST_EFFECT / 1.1)
    axes.annotate("above this line an effect counts, unless it is chance", place, va="top")
    axes.set_ylim(drift.LEAST_EFFECT / 3, 2 * max(largest))
    axes.set(xlabel="day, and how many digits", ylabel="largest PSI", yscale="log")
    figures.save(figure, path)


def clone(folder: Path) -> Project:
    """Clone the workspace's commit, with its results, and make its CNN the champion."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}

    def run(folder: Path, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        print("$", *command, flush=True)
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, flush=True)
        if done.returncode != code:
            sys.exit(f"story: {' '.join(command)} ended with {done.returncode}, not {code}")
        return done

    cache = run(Path(), "dvc", "cache", "dir").stdout.strip()
    run(Path(), "git", "clone", "--quiet", ".", str(folder))
    run(folder, "git", "config", "user.name", "A Benchmark")
    run(folder, "git", "config", "user.email", "benchmark@example.com")
    run(folder, "dvc", "cache", "dir", "--local", cache)
    run(folder, "dvc", "checkout")
    run(folder, "digits", "sync")
    run(folder, "digits", "promote", "cnn")
    return Project(folder, "models:/mnist@champion", environment, run)


def main() -> None:
    parser = measuring.parser("story", __doc__ or "")
    parser.add_argument("--writers", type=int, default=60, help="who correct (default: 60)")
    writers = parser.parse_args().writers
    with tempfile.TemporaryDirectory() as scratch:
        story = tell(clone(Path(scratch) / "clone"), writers, WEIGHTS)
    draw(story.drift, PICTURE)
    rows = [
        {
            "of": f"later pages of {LATER} other writers of the style",
            "digits": LATER * len(visits.TEXT),
            "right before, %": 100 * story.later_before,
            "right after, %": 100 * story.later_after,
        },
        {
            "of": "MNIST's test images",
            "digits": 10_000,
            "right before, %": 100 * story.before["accuracy"],
            "right after, %": 100 * story.after["accuracy"],
        },
        {
            "of": "the collected test images",
            "digits": story.after["collected_images"],
            "right before, %": None,
            "right after, %": 100 * story.after["collected_accuracy"],
        },
    ]
    tried = ", ".join(f"{100 * right:.2f} % ({weight})" for weight, right in story.weights.items())
    refused = sum(status != 200 for status in story.statuses)
    note = (
        f"The writers judged {story.written:,} digits, {story.wrong} of them read wrongly. "
        f"Features that drifted: {', '.join(story.drift['drifted'])}. Right of the validation "
        f"images by weight: {tried}. Requests while the model "
        f"changed: {len(story.statuses)}, {refused} of them not answered."
    )
    measuring.write("story", pd.DataFrame(rows), note, diff=story.diff, promoted=story.promoted)


if __name__ == "__main__":
    main()
