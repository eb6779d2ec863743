"""The pipeline: one module for each stage of dvc.yaml, run as `python3 -m stages.<name>`."""

import importlib.util
import sys

# `.venv/bin/dvc repro` runs the system's python3 where the environment is not activated.
if importlib.util.find_spec("mlflow") is None:
    sys.exit(
        f"{sys.executable} has none of the project's packages: "
        "run `make repro`, or `source .venv/bin/activate` first"
    )
