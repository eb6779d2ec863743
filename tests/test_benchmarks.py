"""The benchmarks' parts that are no measurement, and that the docs quote what was measured."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import measuring, profiles, seeds, training
from digits.base import yaml12

ROOT = Path(__file__).parents[1]
PROFILES = sorted(path.name for path in (ROOT / "profiles").iterdir())
COMMANDS = sorted(
    path.stem for path in (ROOT / "benchmarks").glob("*.py") if "\ndef main(" in path.read_text()
)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_changes_what_it_names_and_nothing_else(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    before, after = (profiles.params_of(name).model_dump() for name in ("", profile))
    named = dict(setting.split("=", 1) for setting in profiles.settings(profile))

    def changed(one: dict, other: dict, path: str = "") -> set[str]:
        keys: set[str] = set()
        for key in one:
            if isinstance(one[key], dict):
                keys |= changed(one[key], other[key], f"{path}{key}.")
            elif one[key] != other[key]:
                keys.add(path + key)
        return keys

    assert changed(before, after) <= named.keys()
    for path, value in named.items():
        assert functools.reduce(dict.__getitem__, path.split("."), after) == yaml12.parse(value)


def test_a_process_is_measured_as_it_was() -> None:
    code = "import time; x = bytearray(10**8); end = time.process_time() + 0.5\n"
    code += "while time.process_time() < end: pass\nprint('{\"done\": 1}')"
    cost, printed = measuring.measure([sys.executable, "-c", code])
    assert measuring.last_json(printed) == {"done": 1}
    assert 0.5 < cost.cpu_seconds < 5
    assert cost.wall_seconds >= 0.5
    assert cost.peak_megabytes > 95


def test_a_process_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="exit code 3"):
        measuring.measure([sys.executable, "-c", "raise SystemExit(3)"])


def test_seeds_are_summed_up() -> None:
    rows = pd.DataFrame(
        {"model": "cnn", "seed": [0, 1, 2], **dict.fromkeys(seeds.METRICS, 1.0)}
        | {"accuracy": [0.99, 0.98, 0.97]}
    )
    row = seeds.summary(rows).set_index("metric").loc["accuracy"]
    assert row["mean"] == pytest.approx(98)
    assert row["sd"] == pytest.approx(1)
    assert (row["least"], row["most"]) == pytest.approx((97, 99))
    assert row["high"] - row["mean"] == pytest.approx(4.303 / 3**0.5, abs=0.001)  # Student's t


def test_each_contestant_is_compared_within_its_round() -> None:
    runs = pd.DataFrame(
        [
            {"contestant": name, "seed": seed, "accuracy": 0.99, "cpu_seconds": seconds}
            for seed, speed in enumerate((1, 2, 10))
            for name, seconds in (("keras_convnet", 100 * speed), ("cnn", 50 * speed))
        ]
    ).assign(wall_seconds=1.0, process_cpu_seconds=2.0)
    table = training.summary(runs).set_index("contestant")
    assert table.loc["cnn", "x"] == 0.5
    assert table.loc["cnn", "CPU s"] == 100


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"python -m benchmarks.{name}" in done.stdout


def test_the_docs_quote_the_tables_that_were_measured() -> None:
    page = (ROOT / "docs/benchmarks.md").read_text()
    pipeline = ("training", "seeds", "overhead", "inference", "scaling", "loop")
    for name in (*pipeline, "handwriting", "serving", "page"):
        table = (ROOT / f"reports/benchmarks/{name}.md").read_text().split("\n\n")[0]
        assert table in page, name
        assert json.loads((ROOT / f"reports/benchmarks/{name}.json").read_text())["machine"]
