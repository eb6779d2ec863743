"""Where a run comes from: the code, the experiment, the process and the versions behind it."""

import os
import platform
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import psutil

from digits.base.text import without_password
from digits.base.yaml12 import flatten, parse
from digits.tracking.cpu import cpu_type

EXPERIMENT = "dvc.experiment"
HOST, PROCESS, CPU = "host", "process", "cpu"
PACKAGES = ("dvc", "mlflow", "tensorflow", "keras", "numpy", "onnxruntime")
CLOCK_STEP = 5  # seconds by which a corrected clock may move a process's time of creation
MACHINE_FILES = ("/etc/machine-id", "/proc/sys/kernel/random/boot_id")


def tags(stage: str) -> dict[str, str]:
    """Describe the process that opens a run of a stage, in MLflow's tags."""
    described = {
        "dvc.stage": stage,
        HOST: socket.gethostname(),
        PROCESS: _process(psutil.Process()),
        CPU: cpu_type(),
        "python": platform.python_version(),
        "command": without_password(" ".join(sys.orig_argv)),
        **{name: version(name) for name in PACKAGES},
    }
    environment = {EXPERIMENT: "DVC_EXP_NAME", "dvc.baseline": "DVC_EXP_BASELINE_REV"}
    described |= {tag: os.environ[key] for tag, key in environment.items() if key in os.environ}
    if (commit := _git("rev-parse", "HEAD")) is not None:
        # What the stages before this one wrote is no change of what makes it.
        changes = _git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!reports")
        described |= {"git.commit": commit, "git.dirty": str(bool(changes))}
    if (baseline := described.get("dvc.baseline")) and (group := _changed_params(baseline)):
        described["dvc.group"] = f"{baseline[:7]}: {group}"  # the same for all runs of a grid
    return described


def _changed_params(baseline: str) -> str:
    """The parameters that an experiment changed, by dotted key and without their values."""
    before = _git("show", f"{baseline}:params.yaml")
    if before is None:
        return ""
    try:
        now = Path("params.yaml").read_text(encoding="utf-8")
        old, new = (flatten(parse(text)) for text in (before, now))
    except ValueError:  # what was committed is not YAML: a merge's conflict, say
        return ""
    return ", ".join(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))


def is_gone(process: str) -> bool:
    """Tell whether the process of a run has ended, where that can be told from here.

    Host names repeat: containers of one image often share theirs. So a process is looked
    for only if it ran on this machine and in this process namespace.

    Args:
        process: the tag `PROCESS` of the run.
    """
    pid, created, *where = process.split(":")
    machine, boot, namespace = where if len(where) == 3 else ("", "", "")
    our_machine, our_boot, our_namespace = _place()
    if (machine, namespace) != (our_machine, our_namespace):
        return False
    if boot != our_boot:
        return bool(machine)  # the machine was started anew since
    try:
        found = psutil.Process(int(pid))
        is_same = abs(found.create_time() - float(created)) < CLOCK_STEP
        return not is_same or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _process(process: psutil.Process) -> str:
    return ":".join([str(process.pid), str(process.create_time()), *_place()])


def _place() -> tuple[str, str, str]:
    """The machine, its present boot and the process namespace; empty where unknown."""
    machine, boot = (Path(file) for file in MACHINE_FILES)
    namespace = Path("/proc/self/ns/pid")
    return (
        machine.read_text().strip() if machine.exists() else "",
        boot.read_text().strip() if boot.exists() else "",
        str(namespace.readlink()).strip("pid:[]") if namespace.is_symlink() else "",
    )


def _git(*arguments: str) -> str | None:
    """What git prints; None without git, a repository or a commit."""
    try:
        result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
