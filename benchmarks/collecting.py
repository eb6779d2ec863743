"""What collecting costs a server: the same load, by turns on one that collects and one that not.

Each request is one image, another each time in its turn, as bytes to /predict.
"""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from benchmarks import load, measuring
from digits.collection import records

CONNECTIONS = 8


def main() -> None:
    """Ask both servers in turns, and compare requests a second, the slowest answers and CPU."""
    parser = measuring.parser("collecting", __doc__ or "")
    parser.add_argument("--rounds", type=int, default=10, help="turns of each (default: 10)")
    parser.add_argument("--seconds", type=float, default=4, help="of a turn (default: 4)")
    parser.add_argument("--model", default="models/cnn", help="to serve (default: models/cnn)")
    arguments = parser.parse_args()
    images = measuring.split("test").images
    with tempfile.TemporaryDirectory() as folder:
        base = ["digits", "serve", "--model", arguments.model]
        ways = {"without": base, "with": [*base, "--collect", folder]}
        with load.serving(ways["without"]) as one, load.serving(ways["with"]) as other:
            servers = dict(zip(ways, (one, other), strict=True))
            rows = _by_turns(servers, images, arguments.rounds, arguments.seconds)
        with records.opened(Path(folder)) as connection:
            kept = connection.execute("SELECT COUNT(*) FROM digits").fetchone()[0]
    runs = pd.DataFrame(rows)
    table = runs.groupby("collecting", sort=False).median(numeric_only=True).drop(columns="round")
    wide = runs.pivot_table(index="round", columns="collecting")
    for column in table.columns:
        ratio = (wide[column]["with"] / wide[column]["without"]).median()
        table.loc["with / without, median of rounds", column] = ratio
    note = (
        f"Median of {arguments.rounds} turns of {arguments.seconds:g} s each, by turns, "
        f"{CONNECTIONS} connections; {kept:,} digits were kept. The ratio is of each turn to the "
        "one beside it."
    )
    measuring.write("collecting", table.round(3).reset_index(), note)


def _by_turns(
    servers: dict[str, tuple[int, psutil.Process]], images: np.ndarray, rounds: int, seconds: float
) -> list[dict[str, float | str]]:
    rows: list[dict[str, float | str]] = []
    for number in range(rounds):
        order = list(servers) if number % 2 else list(servers)[::-1]
        for name in order:
            port, process = servers[name]
            begin = (number * CONNECTIONS) % len(images)
            requests = [
                load.Request("/predict", "application/octet-stream", image.tobytes())
                for image in images[begin : begin + CONNECTIONS]
            ]
            before = load.cpu_seconds(process)
            done = asyncio.run(load.ask(port, requests, seconds))
            cpu = load.cpu_seconds(process) - before
            rows.append(
                {
                    "collecting": name,
                    "round": number,
                    "requests a second": done.per_second,
                    "p50 ms": 1000 * float(np.quantile(done.seconds, 0.5)),
                    "p99 ms": 1000 * float(np.quantile(done.seconds, 0.99)),
                    "CPU ms a request": 1000 * cpu / len(done.seconds),
                }
            )
    return rows


if __name__ == "__main__":
    main()
