"""The server against `mlflow models serve`: the same CNN, single images and large batches.

The servers take turns within each round: first one connection, which tells how long an
answer takes, then several that each ask again once they are answered. `--soak` holds such a
load instead, and looks at the memory. `--peers` measures single images at up to 1,000
connections, against LitServe and BentoML too.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import measuring, peers
from benchmarks.load import Load, Request, ask, cpu_seconds, megabytes, serving
from digits.base import quiet
from digits.inference.model import Model

MODEL = Path("models/cnn")
CONNECTIONS = 8
CROWDS = (1, 8, 64, 256, 1000)  # connections, for `--peers`
BATCH = 1024
LARGE = f"{BATCH:,} images, raw"
THREADS = 2  # of `digits serve`
JSON, RAW = "application/json", "application/octet-stream"
DIGITS, ONNX, KERAS = "digits serve", "mlflow, ONNX flavour", "mlflow, Keras flavour"
BARE = "ONNX Runtime, no server"


def commands(folder: Path, has_keras: bool = True) -> dict[str, list[str]]:
    """Return how each server is started; save the models for MLflow's in a folder."""
    import mlflow
    import mlflow.onnx
    import onnx
    from mlflow.types.schema import Schema, TensorSpec

    signature = mlflow.models.ModelSignature(
        Schema([TensorSpec(np.dtype("uint8"), (-1, 28, 28))]),
        Schema([TensorSpec(np.dtype("float32"), (-1, 10))]),
    )
    options = {"signature": signature, "pip_requirements": []}
    mlflow.onnx.save_model(onnx.load(MODEL / "model.onnx"), folder / "onnx", **options)
    python = [sys.executable, "-m"]
    theirs = [*python, "mlflow", "models", "serve", "--env-manager", "local", "--model-uri"]
    started = {
        DIGITS: [*python, "digits.cli", "serve", "--threads", str(THREADS)],
        ONNX: [*theirs, str(folder / "onnx")],
    }
    if has_keras:
        with quiet.importing_tensorflow():
            import keras
            import mlflow.tensorflow

        network = keras.saving.load_model(MODEL / "model.keras", compile=False)
        mlflow.tensorflow.save_model(network, folder / "keras", **options)
        started[KERAS] = [*theirs, str(folder / "keras")]
    return started


def compare(rounds: int, seconds: float) -> None:
    """Measure the servers in turn."""
    images = measuring.split("validation").images
    single = Request("/invocations", JSON, json.dumps({"inputs": images[:1].tolist()}).encode())
    raw, batch = (Request("/predict", RAW, images[:n].tobytes()) for n in (1, BATCH))
    bare = Model(MODEL / "model.onnx", THREADS)
    cases = [
        ("1 image, JSON", single, 1, (DIGITS, ONNX, KERAS), 1),
        ("1 image, JSON", single, CONNECTIONS, (DIGITS, ONNX, KERAS), 1),
        ("1 image, raw", raw, 1, (DIGITS,), 1),
        ("1 image, raw", raw, CONNECTIONS, (DIGITS,), 1),
        (LARGE, batch, 1, (DIGITS,), BATCH),
    ]
    figures = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(command))
            for name, command in commands(Path(folder)).items()
        }
        for port, _ in servers.values():
            asyncio.run(ask(port, [single], 1))  # the first answers are slower
        for number in range(rounds):
            for title, request, connections, names, count in cases:
                for name in names:
                    port, process = servers[name]
                    before = cpu_seconds(process)
                    load = asyncio.run(ask(port, [request] * connections, seconds))
                    cpu = cpu_seconds(process) - before
                    figures.append(_figures(title, connections, name, count, load, cpu))
            start, cpu = time.perf_counter(), time.process_time()
            times = []
            while time.perf_counter() - start < seconds:
                before = time.perf_counter()
                bare.predict(images[:BATCH])
                times.append(time.perf_counter() - before)
            load = Load(times, time.perf_counter() - start)
            cpu = time.process_time() - cpu
            figures.append(_figures(LARGE, 0, BARE, BATCH, load, cpu))
            print(f"round {number + 1} of {rounds}", flush=True)
    keys = ["request", "connections", "server"]
    table = pd.DataFrame(figures).groupby(keys, sort=False).median().reset_index()
    keras = table[table["server"] == KERAS].set_index("connections")["images a second"]
    bare_speed = table.loc[table["server"] == BARE, "images a second"].item()
    against = table["connections"].map(keras).where(table["request"] != LARGE, bare_speed)
    table["x"] = table["images a second"] / against
    note = (
        f"n = {rounds} rounds of {seconds:g} s each, medians; `x`: images a second against "
        "MLflow's Keras flavour at as many connections, for the batch against ONNX Runtime "
        f"itself; both with {THREADS} threads. CPU: the server's. The client has the same cores."
    )
    measuring.write("serving", table, note)


def _figures(
    request: str, connections: int, server: str, images: int, load: Load, cpu: float
) -> dict[str, Any]:
    return {
        "request": request,
        "connections": connections,
        "server": server,
        "a second": load.per_second,
        "images a second": images * load.per_second,
        "median ms": 1000 * float(np.median(load.seconds or [np.nan])),
        "p99 ms": 1000 * float(np.percentile(load.seconds or [np.nan], 99)),
        "CPU ms": 1000 * cpu / max(1, len(load.seconds)),
    }


def compare_peers(python: str, rounds: int, seconds: float) -> None:
    """Measure single images at up to a thousand connections, ours and the peers in turn.

    Args:
        python: of an environment that has the peers; "": one is made.
    """
    image = measuring.split("validation").images[0]
    body = json.dumps({"inputs": [image.tolist()]}).encode()
    figures = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        interpreter = Path(python) if python else peers.install(folder / "venv")
        started = commands(folder, has_keras=False)
        started |= peers.commands(folder, interpreter, MODEL / "model.onnx", THREADS)
        ready = {"LitServe": "/health", "BentoML": "/readyz"}
        paths = dict.fromkeys(ready, "/predict")
        servers = {}
        for server, command in started.items():
            waited = stack.enter_context(serving(command, ready.get(server, "/ping")))
            servers[server] = (*waited, paths.get(server, "/invocations"))
        expected = peers.ask(servers[DIGITS][0], servers[DIGITS][2], image)
        for server, (port, _, path) in servers.items():
            if not np.allclose(peers.ask(port, path, image), expected, atol=1e-3):
                sys.exit(f"{server} answers otherwise than {DIGITS}")
        for number in range(rounds):
            for count in CROWDS:
                for server, (port, process, path) in servers.items():
                    requests = [Request(path, JSON, body)] * count
                    before = cpu_seconds(process)
                    load = asyncio.run(ask(port, requests, seconds, bears_refusals=True))
                    cpu = cpu_seconds(process) - before
                    row = _figures("1 image, JSON", count, server, 1, load, cpu)
                    total = load.refused + len(load.seconds)
                    figures.append(row | {"refused %": 100 * load.refused / total})
            print(f"round {number + 1} of {rounds}", flush=True)
    keys = ["connections", "server"]
    table = pd.DataFrame(figures).drop(columns=["request", "images a second"])
    table = table.groupby(keys, sort=False).median().reset_index()
    of_ours = table[table["server"] == DIGITS].set_index("connections")["a second"]
    table["x"] = table["a second"] / table["connections"].map(of_ours)
    note = (
        f"Single images as JSON. n = {rounds} rounds of {seconds:g} s each, medians; `x`: answers "
        f"a second against {DIGITS} at as many connections. CPU: the server's with its workers."
    )
    measuring.write("serving-peers", table, note, "serving --peers")


def soak(seconds: float) -> None:
    """Hold a load of all kinds; any answer but 200 ends it."""
    images = measuring.split("validation").images
    drawing = np.kron(255 - images[0], np.ones((8, 8), np.uint8))
    size = f"width={drawing.shape[1]}&height={drawing.shape[0]}"
    kinds = [
        Request("/invocations", JSON, json.dumps({"inputs": images[:1].tolist()}).encode()),
        Request("/predict", RAW, images[:1].tobytes()),
        Request(f"/read?{size}&maps=0", RAW, drawing.tobytes()),
    ]
    requests = [kinds[i % len(kinds)] for i in range(CONNECTIONS)]
    command = [sys.executable, "-m", "digits.cli", "serve", "--threads", str(THREADS)]
    rows = []
    with serving(command) as (port, process):
        part = max(1.0, seconds / 10)
        for number in range(round(seconds / part)):
            load = asyncio.run(ask(port, requests, part))
            rows.append(
                {
                    "minutes": (number + 1) * part / 60,
                    "requests": len(load.seconds),
                    "p99 ms": 1000 * float(np.percentile(load.seconds, 99)),
                    "MB": megabytes(process),
                }
            )
            print(rows[-1], flush=True)
    note = f"{CONNECTIONS} connections: JSON, raw images and drawings; no answer but 200."
    measuring.write("serving-soak", pd.DataFrame(rows), note, f"serving --soak {seconds:g}")


def main() -> None:
    parser = measuring.parser("serving", __doc__ or "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="hold a load instead")
    parser.add_argument(
        "--peers",
        nargs="?",
        const="",
        metavar="PYTHON",
        help="measure LitServe and BentoML too; of an environment that has them, else one is made",
    )
    arguments = parser.parse_args()
    if arguments.peers is not None:
        compare_peers(arguments.peers, arguments.rounds, arguments.seconds)
    elif arguments.soak:
        soak(arguments.soak)
    else:
        compare(arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
