"""CI's workflows: valid, without rights they do not need, each step a target of the Makefile.

That `make verify`, `make review` and `make nightly` do what they say is tested where there is
a pipeline, in tests/pipeline; here `make comment` talks to a GitHub of ours.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.small_project import ROOT, Command

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*"))
ACTIONS = sorted(ROOT.glob(".github/actions/*/action.yml"))
READ = {"contents": "read"}


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def jobs() -> dict[str, dict[str, Any]]:
    return {name: job for path in WORKFLOWS for name, job in load(path)["jobs"].items()}


def steps() -> Iterator[dict[str, Any]]:
    for job in jobs().values():
        yield from job["steps"]
    for path in ACTIONS:
        yield from load(path)["runs"]["steps"]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.github-actions", ACTIONS),
        ("vendor.compose-spec", [ROOT / "compose.yaml"]),
    ],
)
def test_the_files_obey_their_schema(schema: str, paths: list[Path]) -> None:
    assert paths
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class TestSteps:
    def test_each_is_one_target_of_the_makefile(self) -> None:
        commands = [step["run"] for step in steps() if "run" in step]
        assert {"make lint", "make verify", "make test", "make nightly"} <= set(commands)
        assert set(commands) <= {f"make {target}" for target in targets()}

    def test_every_action_is_githubs_own_with_its_version_or_ours(self) -> None:
        used = {step["uses"] for step in steps() if "uses" in step}
        assert used
        for action in used:
            ours = action.startswith("./") and (ROOT / action / "action.yml").exists()
            assert ours or re.fullmatch(r"actions/[a-z-]+@v\d+", action), action

    def test_the_code_under_review_never_finds_a_token(self) -> None:
        checkouts = [step for step in steps() if "checkout" in step.get("uses", "")]
        assert len(checkouts) == len(jobs())
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)
        holders = [step["run"] for step in steps() if "token" in str(step.get("env", {})).lower()]
        assert holders == ["make comment"]
        assert not any("secrets." in path.read_text() for path in WORKFLOWS + ACTIONS)


def test_only_the_review_may_write_and_nothing_but_a_comment() -> None:
    assert all(load(path)["permissions"] == READ for path in WORKFLOWS)
    granted = {name: job["permissions"] for name, job in jobs().items() if "permissions" in job}
    assert granted == {"review": READ | {"pull-requests": "write"}}


def test_every_supported_python_is_checked() -> None:
    (low, high) = re.findall(r"3\.(\d+)", _line("pyproject.toml", "requires-python"))
    supported = [f"3.{minor}" for minor in range(int(low), int(high))]
    assert jobs()["check"]["strategy"]["matrix"]["python-version"] == supported


def _line(path: str, start: str) -> str:
    return next(line for line in (ROOT / path).read_text().splitlines() if line.startswith(start))


class TestServer:
    """compose.yaml beyond its schema; test_server.py runs what it says."""

    def test_every_image_has_a_version(self) -> None:
        text = (ROOT / "compose.yaml").read_text()
        images = re.findall(r"(?:image: |FROM )(\S+)", text)
        assert len(images) == 3
        assert all(re.fullmatch(r"[a-z]+:\d+\.[\d.]+(-[a-z]+)?", image) for image in images)

    def test_the_password_has_no_default_and_the_port_is_closed_to_others(self) -> None:
        services = load(ROOT / "compose.yaml")["services"]
        passwords = [
            value
            for service in services.values()
            for key, value in service.get("environment", {}).items()
            if "PASSWORD" in key
        ]
        assert len(passwords) == 2
        assert all(value.startswith("${POSTGRES_PASSWORD:?") for value in passwords)
        assert services["mlflow"]["ports"] == ["${MLFLOW_ADDRESS:-127.0.0.1}:5000:5000"]
        assert "ports" not in services["postgres"]


REVIEW = "<!-- digits diff -->\ncnn: **better**\n"
GITHUB = """#!{python}
# A GitHub that writes down what it is asked and answers from files.
import json, pathlib, sys
with open("requests", "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
writes = "--method" in sys.argv
if writes and (refusal := pathlib.Path("refusal")).exists():
    sys.exit(refusal.read_text())
print("{{}}" if writes else pathlib.Path("comments.json").read_text())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As the review's job leaves it to `make comment`, with a `gh` of ours."""
    for path in ("Makefile", ".ci/comment.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "review.md").write_text(REVIEW)
    (tmp_path / "comments.json").write_text("[[]]")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/installed").write_text(f"{tmp_path}\n")
    gh = tmp_path / ".venv/bin/gh"
    gh.write_text(GITHUB.format(python=sys.executable))
    gh.chmod(0o755)
    return tmp_path


@pytest.fixture
def comment(checkout: Path, run: Command) -> Callable[..., subprocess.CompletedProcess[str]]:
    def comment(code: int = 0) -> subprocess.CompletedProcess[str]:
        env = {
            "GITHUB_REPOSITORY": "team/digits",
            "GITHUB_STEP_SUMMARY": str(checkout / "summary"),
            "PULL_REQUEST": "7",
        }
        return run(checkout, "make", "comment", code=code, env=env)

    return comment


def requests(checkout: Path) -> list[list[str]]:
    return [json.loads(line) for line in (checkout / "requests").read_text().splitlines()]


COMMENTS = "repos/team/digits/issues/7/comments"
BODY = ["--field", "body=@review.md"]


class TestComment:
    def test_the_first_review_is_a_new_comment_and_in_the_summary(
        self, checkout: Path, comment: Command
    ) -> None:
        comment()
        look, write = requests(checkout)
        assert look == ["api", "--paginate", "--slurp", COMMENTS]
        assert write == ["api", "--method", "POST", COMMENTS, *BODY]
        assert (checkout / "summary").read_text() == REVIEW

    def test_the_next_one_takes_its_place(self, checkout: Path, comment: Command) -> None:
        bot, person = {"login": "github-actions[bot]"}, {"login": "somebody"}
        pages = [
            [
                {"id": 1, "user": person, "body": REVIEW},  # quoted by a reviewer
                {"id": 2, "user": bot, "body": "Another workflow's"},
            ],
            [{"id": 3, "user": bot, "body": REVIEW.replace("better", "worse")}],
        ]
        (checkout / "comments.json").write_text(json.dumps(pages))
        comment()
        path = "repos/team/digits/issues/comments/3"
        assert requests(checkout)[1:] == [["api", "--method", "PATCH", path, *BODY]]

    def test_a_fork_has_no_right_to_comment_but_a_summary(
        self, checkout: Path, comment: Command
    ) -> None:
        (checkout / "refusal").write_text("gh: Resource not accessible by integration (HTTP 403)")
        assert "no right to comment here: the review is in the job's summary" in comment().stdout
        assert (checkout / "summary").read_text() == REVIEW

    def test_any_other_failure_fails_the_step(self, checkout: Path, comment: Command) -> None:
        (checkout / "refusal").write_text("gh: Validation Failed (HTTP 422)")
        done = comment(code=2)
        assert "comment: gh: Validation Failed (HTTP 422)" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_night_with_other_results_fails_by_the_verdict(checkout: Path, run: Command) -> None:
    """The case of equal results is that of tests/pipeline."""
    scripts = {"dvc": "exit 0", "digits": 'echo "digits $@"; test "$1" != verify || exit 3'}
    for name, script in scripts.items():
        tool = checkout / ".venv/bin" / name
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
    done = run(checkout, "make", "--old-file=.venv/installed", "nightly", code=2)
    assert done.stdout.endswith("digits verify\n")
