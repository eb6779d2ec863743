"""What several people or processes share: a remote, and experiments at the same time."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer
from ruamel.yaml import YAML

from tests.small_project import (
    MODELS,
    PIPELINE,
    STAGES,
    Command,
    count,
    edited,
    outputs,
    ran,
    runs,
)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Remote:
    """What `dvc remote` is told: where it is; settings for git to hold, and keys, not for git."""

    url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def folder_remote(path: Path) -> Iterator[Remote]:
    yield Remote(str(path))


@contextmanager
def s3_remote(path: Path) -> Iterator[Remote]:
    """An S3 server on a free port of loopback, with an empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        with urlopen(Request(f"{endpoint}/{path.name}", method="PUT")):  # noqa: S310
            pass
        keys = {"access_key_id": "key", "secret_access_key": "secret"}
        yield Remote(f"s3://{path.name}/digits", {"endpointurl": endpoint}, keys)
    finally:
        server.stop()


@pytest.fixture(scope="module", params=[folder_remote, s3_remote])
def pulled(
    request: pytest.FixtureRequest,
    copy: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
    run: Command,
) -> Iterator[Path]:
    """A clone that has pulled what another checkout had pushed to a remote."""
    here, there = copy(), tmp_path_factory.mktemp("there")
    with request.param(tmp_path_factory.mktemp("remote")) as remote:
        run(here, "dvc", "remote", "add", "--default", "team", remote.url)
        for name, value in remote.settings.items():
            run(here, "dvc", "remote", "modify", "team", name, value)
        run(here, "git", "commit", "--all", "--message", "A remote")
        run(there, "git", "clone", here, ".")
        shutil.copytree(here / ".venv", there / ".venv")
        for folder in (here, there):
            for name, value in remote.keys.items():
                run(folder, "dvc", "remote", "modify", "--local", "team", name, value)
        run(here, "dvc", "push", "--run-cache")
        run(there, "dvc", "pull", "--run-cache")
        yield there


class TestRemote:
    def test_nothing_is_left_to_do_after_a_pull(
        self, repo: Path, pulled: Path, run: Command
    ) -> None:
        assert outputs(pulled) == outputs(repo)
        done = run(pulled, "dvc", "repro")
        assert ran(done) == []
        assert "Data and pipelines are up to date." in done.stdout
        assert run(pulled, "git", "status", "--porcelain").stdout == ""

    def test_mlflow_learns_of_what_was_pulled(self, repo: Path, pulled: Path, run: Command) -> None:
        stages = len(STAGES.split()) - 1  # `params` has no run
        assert run(pulled, "digits", "sync").stdout.endswith(f"\n{stages} registered\n")
        assert count(pulled) == count(repo)
        assert {model.data.tags["restored"] for model in runs(pulled)[MODELS]} == {"true"}
        assert run(pulled, "digits", "sync").stdout == "nothing to register\n"


RATES = ("0.01", "0.02", "0.03")
OWN_CODE = """

def markdown(*arguments):
    return "Made by the experiment's own code"
"""


@pytest.fixture(scope="module")
def queued(copy: Callable[[], Path], run: Command, run_queue: Callable[..., None]) -> Path:
    """Three experiments, two at a time, on a deleted store, with code the workspace has not."""
    folder = copy()
    with (folder / "digits/comparison/table.py").open("a") as file:
        file.write(OWN_CODE)
    for rate in RATES:
        setting = f"train.mlp.learning_rate={rate}"
        run(folder, "dvc", "exp", "run", "--queue", "-n", f"rate-{rate}", "-S", setting)
    run(folder, "git", "checkout", ".")
    run_queue(folder, jobs=2)
    return folder


class TestExperiments:
    def test_all_succeed_with_their_own_code_and_parameters(
        self, queued: Path, run: Command
    ) -> None:
        status = run(queued, "dvc", "queue", "status").stdout
        logs = [run(queued, "dvc", "queue", "logs", f"rate-{rate}").stdout for rate in RATES]
        assert status.count("Success") == len(RATES), "\n".join([status, *logs])
        references = run(queued, "git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout
        tables, models = [], set()
        for rate in RATES:
            (commit,) = re.findall(rf"^refs/exps/.*/rate-{rate}$", references, re.MULTILINE)
            tables.append(run(queued, "git", "show", f"{commit}:reports/compare/table.md").stdout)
            lock = YAML().load(run(queued, "git", "show", f"{commit}:dvc.lock").stdout)
            stage = lock["stages"]["train@mlp"]
            assert stage["params"]["params.yaml"]["train.mlp"]["learning_rate"] == float(rate)
            models.add(stage["outs"][0]["md5"])
        assert tables == ["Made by the experiment's own code"] * len(RATES)
        assert len(models) == len(RATES)
        # The workspace is as it was.
        assert run(queued, "git", "status", "--porcelain").stdout == ""

    def test_their_runs_are_in_the_one_store_each_with_its_name(self, queued: Path) -> None:
        found = runs(queued)
        expected = {(f"rate-{rate}", rate) for rate in RATES}
        assert {
            (run.data.tags["dvc.experiment"], run.data.params["learning_rate"])
            for run in found[MODELS]
        } == expected
        for experiment, names in (
            (MODELS, ["mlp"]),
            (PIPELINE, ["card", "compare", "evaluate-mlp"]),
        ):
            started = sorted(run.info.run_name for run in found[experiment])
            assert started == sorted(names * len(RATES))
            assert {run.info.status for run in found[experiment]} == {"FINISHED"}
            assert len({run.data.tags["dvc.experiment"] for run in found[experiment]}) == len(RATES)
        assert found["Default"] == []
        assert all("test_accuracy" in run.data.metrics for run in found[MODELS])

    def test_they_are_shown_with_their_runs(self, queued: Path, run: Command) -> None:
        ids = {r.data.tags["dvc.experiment"]: r.info.run_id for r in runs(queued)[MODELS]}
        shown = json.loads(run(queued, "digits", "experiments", "--json").stdout)
        rows = {row["experiment"]: row for row in shown if row["experiment"] != "HEAD"}
        assert rows.keys() == ids.keys()
        for rate in RATES:
            row = rows[f"rate-{rate}"]
            assert row["model"] == "mlp"
            assert row["params"] == {"train.mlp.learning_rate": float(rate)}
            assert row["run"] == ids[f"rate-{rate}"]
            assert row["problem"] == ""
            assert 0.3 < row["metrics"]["accuracy"] < 1
        # HEAD's models have been trained elsewhere: the store does not know them.
        problems = {row["problem"] for row in shown if row["experiment"] == "HEAD"}
        assert problems == {"no run: digits sync --rev HEAD"}
        assert run(queued, "digits", "sync", "--all-experiments").stdout.count("registered ") == 9

    def test_what_was_trained_once_is_restored(self, queued: Path, run: Command) -> None:
        with edited(queued / "params.yaml") as params:
            params["train"]["mlp"]["learning_rate"] = float(RATES[0])
        done = run(queued, "dvc", "repro")
        for stage in ("train@mlp", "evaluate@mlp", "card"):
            assert f"Stage '{stage}' is cached - skipping run, checking out outputs" in done.stdout
        assert ran(done) == ["params", "compare"]
