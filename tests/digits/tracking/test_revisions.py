import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from digits.base.errors import UserError
from digits.tracking import revisions


def clone(source: Path, target: Path, *options: str) -> Path:
    subprocess.run(
        ["git", "clone", "--quiet", *options, source.as_uri(), str(target)],
        check=True,
        capture_output=True,
    )
    return target


def test_a_commit_and_the_workspace_are_read_alike(repository: Any) -> None:
    commit = repository.commit({"a.txt": "old", "folder/inner/b.txt": "b", "folder/c.txt": "c"})
    repository.write({"a.txt": "new", "folder/later/d.txt": "d"})
    committed = revisions.find("main", repository.root)
    workspace = revisions.find("workspace", repository.root)
    assert (committed.name, committed.commit) == ("main", commit)
    assert (workspace.name, workspace.commit) == ("workspace", None)
    assert (committed.text("a.txt"), workspace.text("a.txt")) == ("old", "new")
    assert committed.folders("folder") == ["inner"]
    assert workspace.folders("folder") == ["inner", "later"]
    for revision in (committed, workspace):
        assert revision.read("folder/inner/b.txt") == b"b"
        assert revision.read("folder") is None
        assert revision.read("folder/none.txt") is None
        assert revision.folders("none") == []
        assert revision.folders("a.txt") == []
        with pytest.raises(UserError, match=rf"^{revision.name}: has no none\.txt$"):
            revision.text("none.txt")


def test_what_git_understands_is_found(repository: Any) -> None:
    first = repository.commit({"a.txt": "1"})
    repository.git("tag", "--annotate", "v1", "--message", "annotated")
    second = repository.commit({"a.txt": "2"})
    names = {"HEAD": second, "HEAD~1": first, "v1": first, first[:8]: first, "main^": first}
    assert {name: revisions.find(name, repository.root).commit for name in names} == names


@pytest.mark.parametrize("name", ["nope", "", "HEAD~9", "HEAD:a.txt", "main@{99}", "a b", "-x"])
def test_what_nobody_knows_is_refused(repository: Any, name: str) -> None:
    repository.commit({"a.txt": "1"})
    with pytest.raises(UserError, match="no branch, tag, commit or DVC experiment has that name"):
        revisions.find(name, repository.root)


def test_a_clone_of_another_branch_has_main_at_its_origin(repository: Any, tmp_path: Path) -> None:
    commit = repository.commit({"a.txt": "1"})
    repository.git("switch", "--quiet", "--create", "feature")
    repository.commit({"a.txt": "2"})
    cloned = clone(repository.root, tmp_path / "clone")
    assert revisions.find("main", cloned).commit == commit


def test_a_shallow_clone_says_how_to_get_the_history(repository: Any, tmp_path: Path) -> None:
    commit = repository.commit({"a.txt": "1"})
    repository.git("switch", "--quiet", "--create", "feature")
    repository.commit({"a.txt": "2"})
    cloned = clone(repository.root, tmp_path / "clone", "--depth=1", "--branch=feature")
    with pytest.raises(UserError, match="main: not in this clone, which is shallow: `git") as error:
        revisions.find("main", cloned)
    subprocess.run(str(error.value).split("`")[1], shell=True, cwd=cloned, check=True)  # noqa: S602
    assert revisions.find("main", cloned).commit == commit


def test_a_baseline_that_was_not_fetched_is_no_traceback(repository: Any) -> None:
    repository.commit({"a": "1"})
    missing = revisions.Revision("0" * 40, "0" * 40, repository.root)
    for ask in (missing.read, missing.folders):
        with pytest.raises(UserError, match=r"^0{40}: not in this clone: `git fetch origin`"):
            ask("a")


def test_a_partial_clone_fetches_what_is_read(repository: Any, tmp_path: Path) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.commit({"a.txt": "a1", "b.txt": "b1"})
    repository.commit({"a.txt": "a2", "b.txt": "b2"})
    cloned = clone(repository.root, tmp_path / "clone", "--filter=blob:none")
    before = revisions.find("HEAD~1", cloned)
    assert before.read("a.txt") == b"a1"
    repository.root.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"^HEAD~1: b\.txt is not in this clone: fatal: .*$"):
        before.read("b.txt")


def test_experiments_are_found_by_name(repository: Any) -> None:
    baseline = repository.commit({"a.txt": "1"})
    experiment = repository.commit({"a.txt": "2"})
    repository.git("reset", "--quiet", "--hard", baseline)
    namespace = f"refs/exps/{baseline[:2]}/{baseline[2:]}"
    repository.git("update-ref", f"{namespace}/bold-name", experiment)
    repository.git("update-ref", "refs/exps/celery/stash", baseline)
    assert list(revisions.experiments(repository.root)) == ["bold-name"]
    found = revisions.find("bold-name", repository.root)
    assert (found.commit, found.text("a.txt")) == (experiment, "2")


def test_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no git repository: `git clone`"):
        revisions.find("main", tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkout_of_another_user_gets_gits_own_remedy(
    repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"a": "1"})
    for path in (repository.root, repository.root / ".git"):
        os.chown(path, 12345, 12345)
    monkeypatch.delenv("SUDO_UID", raising=False)
    with pytest.raises(UserError, match=r"`git config --global --add safe\.directory "):
        revisions.find("HEAD", repository.root)
