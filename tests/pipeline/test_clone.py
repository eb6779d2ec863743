"""What `git clone` gives, without data, models, a cache or a remote."""

import csv
import os
import re
import shutil
import venv
from pathlib import Path

import pytest

from tests.small_project import BIN, MODELS, STAGES, Command, edited, outputs, ran, runs

# As CI calls it, but with the environment that runs the tests.
MAKE = ("make", "--old-file=.venv/installed")


@pytest.fixture(scope="module")
def clone(repo: Path, tmp_path_factory: pytest.TempPathFactory, run: Command) -> Path:
    """What `git clone` gives: no data, no models, no cache, no remote."""
    folder = tmp_path_factory.mktemp("clone")
    run(folder, "git", "clone", repo, ".")
    shutil.copytree(repo / ".venv", folder / ".venv")
    return folder


class TestClone:
    """In the order of the file: the last test runs the pipeline in the clone."""

    def test_metrics_and_parameters_show(self, clone: Path, run: Command) -> None:
        def lines(*command: str) -> list[list[str]]:
            return [line.split() for line in run(clone, "dvc", *command).stdout.splitlines()]

        header, *rows = lines("metrics", "show")
        shown = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
        evaluated = shown["reports/evaluate/cnn/metrics.json"]
        assert 0.5 < float(evaluated["accuracy"]) < 1
        changes = lines("metrics", "diff", "HEAD~1")
        assert ["reports/evaluate/cnn/metrics.json", "accuracy"] in [row[:2] for row in changes]
        changes = lines("params", "diff", "HEAD~2")
        assert ["params.yaml", "data.name", "mnist", "handwriting"] in changes
        table = run(clone, "dvc", "exp", "show", "--csv").stdout.splitlines()
        row = next(row for row in csv.DictReader(table) if row["rev"] == "main")
        accuracy = float(row["reports/evaluate/cnn/metrics.json:accuracy"])
        assert accuracy == pytest.approx(float(evaluated["accuracy"]), abs=1e-5)
        assert "| main " in run(clone, "dvc", "exp", "show", "--md").stdout

    def test_plots_show_without_a_network(self, clone: Path, run: Command) -> None:
        run(clone, "dvc", "plots", "show")
        page = (clone / "dvc_plots/index.html").read_text()
        for content in ("Loss on the validation images", "val_accuracy", "feature_maps.png"):
            assert content in page
        assert re.findall(r"<(?:script|link)\b[^>]*\b(?:src|href)=", page) == []
        assert re.findall(r"<img src=\"(?:https?:)?//", page) == []
        assert run(clone, "git", "status", "--porcelain").stdout == ""

    @pytest.mark.slow  # CI begins with `make verify` on its own new clone
    def test_the_lock_is_known_to_be_current_without_the_data(
        self, clone: Path, run: Command
    ) -> None:
        assert run(clone, *MAKE, "verify").stdout == "dvc.lock is up to date\n"
        with edited(clone / "params.yaml") as params:
            params["train"]["mlp"]["epochs"] = 3
        done = run(clone, *MAKE, "verify", code=2)
        run(clone, "git", "checkout", "params.yaml")
        assert "train@mlp" in done.stderr
        assert "dvc.lock is out of date: run `make repro`" in done.stderr

    def test_the_review_needs_no_more_than_the_clone(self, clone: Path, run: Command) -> None:
        run(clone, *MAKE, "review", "BASE=origin/main")
        assert (clone / "review.md").read_text().startswith("<!-- digits diff -->\n")
        assert run(clone, "git", "status", "--porcelain").stdout == ""

    def test_without_the_environment_a_line_says_what_to_do(
        self, clone: Path, run: Command, environment: dict[str, str], tmp_path: Path
    ) -> None:
        venv.create(tmp_path, symlinks=True)  # a python3 without packages, like a system's
        path = f"{tmp_path / 'bin'}{os.pathsep}{environment['PATH']}"
        done = run(clone, BIN / "dvc", "repro", code=255, env={"PATH": path})
        assert ran(done) == ["download"]
        advice, failure = done.stderr.splitlines()
        assert advice.startswith(f"{tmp_path / 'bin' / 'python3'} has none of the project's pack")
        assert "make repro" in advice
        assert failure.startswith("ERROR: failed to reproduce 'download'")

    @pytest.mark.slow
    def test_what_is_not_here_cannot_be_registered(self, clone: Path, run: Command) -> None:
        done = run(clone, "digits", "sync", code=1)
        (told,) = done.stderr.splitlines()
        assert told.startswith("digits: workspace: models/mlp of train@mlp is neither here nor in")
        assert "dvc pull" in told
        (told,) = run(clone, "digits", "sync", "--rev", "HEAD", code=1).stderr.splitlines()
        assert told.startswith("digits: HEAD: models/mlp of train@mlp is nowhere to be had")
        assert runs(clone)[MODELS] == []

    @pytest.mark.slow
    def test_forced_in_another_folder_every_byte_is_the_same(
        self, clone: Path, repo: Path, run: Command
    ) -> None:
        assert ran(run(clone, *MAKE, "nightly")) == STAGES.split()
        assert run(clone, "git", "status", "--porcelain").stdout == ""
        assert outputs(clone) == outputs(repo)
