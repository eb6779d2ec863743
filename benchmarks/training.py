"""Ours against the published peers: error on the test images, against CPU seconds.

All contestants run in turn, round after round, each in a process of its own and with
another seed each round. The record profile takes too long for that: its point in the picture
is what `python -m benchmarks.seeds --profile record --seeds 1` measured.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks import measuring
from digits.rendering import figures

CONTESTANTS = {
    "keras_convnet": "Keras' example CNN",
    "quickstart_mlp": "TensorFlow's quickstart MLP",
    "mlp": "our MLP",
    "cnn": "our CNN",
    "resnet": "our CNN with shortcuts",
    "fast": "our fast profile",
}

LABELLED_LEFT = {CONTESTANTS["cnn"], "record, their average"}  # where there is room


def main() -> None:
    parser = measuring.parser("training", __doc__ or "")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rows = []
    with tqdm(total=rounds * len(CONTESTANTS), unit="training") as progress:
        for seed in range(rounds):
            for name in CONTESTANTS:
                progress.set_description(name)
                command = ["python3", "-m", "benchmarks.contestants", name, f"--seed={seed}"]
                cost, printed = measuring.measure(command)
                rows.append(
                    {"contestant": name, "seed": seed, **measuring.last_json(printed)}
                    | {"process_cpu_seconds": cost.cpu_seconds}
                )
                progress.update()
    table = summary(pd.DataFrame(rows))
    measuring.write(
        "training",
        table,
        "CPU and wall are medians of the training alone, the process' CPU has the imports too; "
        "`x` is the CPU against that of Keras' example, round by round, its median.",
        runs=rows,
    )
    draw(table, record())


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise each contestant: accuracies in %, CPU seconds, and both against the first."""
    peer = runs[runs["contestant"] == "keras_convnet"].set_index("seed")["cpu_seconds"]
    rows = []
    for name, group in runs.groupby("contestant", sort=False):
        percent = 100 * group["accuracy"]
        rows.append(
            {
                "contestant": name,
                "n": len(group),
                "accuracy, mean": percent.mean(),
                "sd": percent.std(),
                "least": percent.min(),
                "CPU s": group["cpu_seconds"].median(),
                "x": (group.set_index("seed")["cpu_seconds"] / peer).median(),
                "wall s": group["wall_seconds"].median(),
                "process CPU s": group["process_cpu_seconds"].median(),
            }
        )
    return pd.DataFrame(rows)


def record() -> list[dict[str, Any]]:
    """Return the record profile's ensemble and the mean of its members, if they were measured."""
    path = measuring.RESULTS / "seeds-record.json"
    if not path.exists():
        return []
    (found,) = (run for run in json.loads(path.read_text())["seeds"] if run["model"] == "resnet")
    members = pd.Series([v for key, v in found.items() if key.startswith("member_")]) * 100
    seconds = found["training_cpu_seconds"]
    return [
        {
            "what": f"record, mean of {len(members)}",
            "CPU s": seconds / len(members),
            "accuracy": members.mean(),
            "sd": members.std(),
        },
        {
            "what": "record, their average",
            "CPU s": seconds,
            "accuracy": 100 * found["accuracy"],
            "sd": 0,
        },
    ]


def draw(table: pd.DataFrame, record: Sequence[Mapping[str, Any]]) -> None:
    """Error against CPU seconds, on logarithmic axes: down and to the left is better."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    points = [
        (CONTESTANTS[row["contestant"]], row["CPU s"], 100 - row["accuracy, mean"], row["sd"])
        for row in table.to_dict("records")
    ]
    points += [(row["what"], row["CPU s"], 100 - row["accuracy"], row["sd"]) for row in record]
    for name, seconds, error, spread in points:
        is_ours = name not in (CONTESTANTS["keras_convnet"], CONTESTANTS["quickstart_mlp"])
        colour = figures.COLOURS[0] if is_ours else figures.COLOURS[1]
        axes.errorbar(seconds, error, spread, fmt="o", color=colour, capsize=3)
        to_left = name in LABELLED_LEFT
        axes.annotate(
            name,
            (seconds, error),
            (-7, -12) if to_left else (7, 5),
            textcoords="offset points",
            ha="right" if to_left else "left",
            color=colour,
        )
    axes.set(xscale="log", yscale="log", xlabel="CPU seconds of the training")
    axes.set(ylabel="wrong, % of the 10,000 test images")
    axes.set_title("Error against cost: mean and standard deviation over the seeds")
    ticks = [tick for tick in (0.2, 0.3, 0.5, 1, 2, 3) if tick < 1.2 * max(p[2] for p in points)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.margins(x=0.2, y=0.15)
    figures.remove_frame(axes)
    figures.save(figure, measuring.RESULTS / "training.png")


if __name__ == "__main__":
    main()
