"""What an answer costs: the CNN by four ways to call it, for one image and for batches.

The four take turns within each round, and each figure is the median of the rounds.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import measuring
from digits import params
from digits.base import quiet
from digits.inference.model import Model

MODEL = Path("models/cnn")
BATCHES = (1, 16, 128, 1024)
ROUNDS = 15
LEAST_SECONDS = 0.05  # of a measurement, by repeating the call


def main() -> None:
    measuring.parser("inference", __doc__ or "").parse_args()
    with quiet.importing_tensorflow():  # here, so that --help answers at once
        import keras
        import tensorflow as tf
    threads = params.load().evaluate.threads
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    images = measuring.split("validation").images
    network = keras.models.load_model(MODEL / "model.keras")
    function = tf.function(
        lambda batch: network(batch, training=False),
        input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.uint8)],
    )
    exported = Model(MODEL / "model.onnx", threads)
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "Keras predict": lambda batch: network.predict(batch, batch_size=1024, verbose=0),
        "Keras predict_on_batch": network.predict_on_batch,
        "tf.function": lambda batch: function(tf.constant(batch)).numpy(),
        "ONNX Runtime": exported.predict,
    }
    rows = []
    for size in BATCHES:
        batch = images[:size]
        expected = exported.predict(batch)
        for name, way in ways.items():
            if not np.allclose(way(batch), expected, atol=1e-4):
                raise SystemExit(f"{name} gives another answer than ONNX Runtime")
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                figures[name].append(_per_call(way, batch))
        for name, several in figures.items():
            wall, cpu = np.median(several, axis=0)
            rows.append(
                {
                    "images": size,
                    "way": name,
                    "wall ms": 1000 * wall,
                    "CPU ms": 1000 * cpu,
                    "images a second": size / wall,
                    "wall ms, least": 1000 * min(several)[0],
                    "wall ms, most": 1000 * max(several)[0],
                }
            )
    note = f"n = {ROUNDS} rounds; {threads} threads; a call ends with the probabilities in numpy."
    measuring.write("inference", pd.DataFrame(rows), note)


def _per_call(way: Callable[[np.ndarray], np.ndarray], batch: np.ndarray) -> tuple[float, float]:
    """Measure wall and CPU seconds of a call: the mean of as many as fill the least time."""
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while calls == 0 or time.perf_counter() - wall < LEAST_SECONDS:
        way(batch)
        calls += 1
    return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls


if __name__ == "__main__":
    main()
