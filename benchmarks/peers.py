"""LitServe and BentoML with the same ONNX file: what `benchmarks.serving --peers` starts.

Each is set up as its own documentation advises for many small requests: batches are made of
what waits, by one worker with as many threads as ours.
"""

import json
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

import numpy as np

PACKAGES = ("litserve==0.2.19", "bentoml==1.4.40", "onnxruntime>=1.23,<2")
LARGEST = 512  # images of a batch, as ours

LITSERVE = """
import sys
import litserve
import numpy as np
import onnxruntime

model, threads, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[4])

class Digits(litserve.LitAPI):
    def setup(self, device):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(model, options)
        self.name = self.session.get_inputs()[0].name

    def decode_request(self, request):
        return np.asarray(request["inputs"], np.uint8)[0]

    def predict(self, images):
        return self.session.run(None, {self.name: images})[0]

    def encode_response(self, output):
        return {"predictions": [output.tolist()]}

if __name__ == "__main__":
    api = Digits(max_batch_size=LARGEST, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", timeout=60)
    server.run("127.0.0.1", port, generate_client_file=False, log_level="warning")
"""
BENTOML = """
import bentoml
import numpy as np
import onnxruntime

@bentoml.service(workers=1, traffic={"timeout": 60, "max_concurrency": 4000})
class Digits:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self.session = onnxruntime.InferenceSession("MODEL", options)
        self.name = self.session.get_inputs()[0].name

    @bentoml.api(batchable=True, max_batch_size=LARGEST, max_latency_ms=60000)
    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.name: inputs.astype(np.uint8)})[0]
"""


def install(folder: Path) -> Path:
    """Make a virtual environment with the peers, which the project's own never sees.

    Returns:
        its Python.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    command = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"the peers cannot be installed: give a Python that has {', '.join(PACKAGES)}")
    return python


def commands(folder: Path, python: Path, model: Path, threads: int) -> dict[str, list[str]]:
    """Write the peers' programs into a folder, and return how each is started."""
    path = str(model.resolve())
    texts = {"THREADS": str(threads), "LARGEST": str(LARGEST), "MODEL": path}
    for name, program in (("litserver", LITSERVE), ("bento", BENTOML)):
        for key, value in texts.items():
            program = program.replace(key, value)
        (folder / f"{name}.py").write_text(program)
    bento = ["-m", "bentoml", "serve", "bento:Digits", "--host", "127.0.0.1"]
    return {
        "LitServe": [str(python), str(folder / "litserver.py"), path, str(threads)],
        "BentoML": [str(python), *bento, "--working-dir", str(folder)],
    }


def ask(port: int, path: str, image: np.ndarray) -> np.ndarray:
    """Ask a server for the probabilities of one image, `uint8 (height, width)`."""
    body = json.dumps({"inputs": [image.tolist()]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- this machine's
        found = json.loads(answer.read())
    while isinstance(found, dict):  # BentoML's answer is in none, MLflow's in two
        (found,) = found.values()
    return np.asarray(found)[0]
