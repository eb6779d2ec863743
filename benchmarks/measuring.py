"""What the benchmarks share: a process' costs, facts about the machine, the results' files."""

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from digits.base.files import write_json, write_text
from digits.data import splits

RESULTS = Path("reports/benchmarks")
PACKAGES = ("dvc", "mlflow", "tensorflow", "keras", "numpy", "onnxruntime")


@dataclass(frozen=True)
class Cost:
    """What a process and its children took.

    Attributes:
        cpu_seconds: user and system.
        wall_seconds: from start to end.
        peak_megabytes: the largest resident set of any one of them, but never less than this
            process had when it started them: Linux hands it on.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_megabytes: float


def parser(module: str, doc: str) -> argparse.ArgumentParser:
    """Make a command line whose --help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def measure(command: list[str], **options: Any) -> tuple[Cost, str]:
    """Run a command to its end; return what it cost and what it printed.

    Raises:
        SystemExit: it failed.
    """
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{printed}")
    wall = time.perf_counter() - start
    megabytes = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return Cost(usage.ru_utime + usage.ru_stime, wall, megabytes), printed


@contextmanager
def sampled(look: Callable[[], float], period: float) -> Iterator[list[float]]:
    """Look again and again while a block runs, first before it and last after it.

    Args:
        look: called by a thread beside the block.
        period: seconds between two looks.

    Yields:
        What was found; complete once the block has ended.
    """
    found, is_over = [look()], threading.Event()

    def watch() -> None:
        while not is_over.wait(period):
            found.append(look())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        is_over.set()
        watcher.join()
        found.append(look())


def last_json(printed: str) -> dict[str, Any]:
    """Parse the JSON object on the last line that a process printed."""
    values: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return values


def split(name: str) -> splits.Split:
    """Load a split that `preprocess` wrote: train, validation or test."""
    return splits.load(Path("data/processed") / f"{name}.npz")


def write(name: str, table: pd.DataFrame, note: str = "", command: str = "", **facts: Any) -> None:
    """Write the results: as JSON with what they were measured on, and as a Markdown table.

    Args:
        command: what measured them, where it is not the module of that name alone.
    """
    machine = {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }
    rows = json.loads(table.to_json(orient="records", double_precision=6))
    write_json(RESULTS / f"{name}.json", {"machine": machine, **facts, "rows": rows})
    about = f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, " + ", ".join(
        f"{package} {machine[package]}" for package in PACKAGES
    )
    markdown = table.to_markdown(index=False, floatfmt=",.5g")
    parts = [markdown, note, f"Measured by `python -m benchmarks.{command or name}` on {about}."]
    write_text(RESULTS / f"{name}.md", "\n\n".join(part for part in parts if part) + "\n")
    print(f"\n{markdown}\n\nwritten to {RESULTS / name}.json and .md")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
