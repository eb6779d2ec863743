"""The files of a commit, or of the workspace, read alike and without a checkout."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pygit2

from digits.base.errors import UserError

WORKSPACE = "workspace"
EXPERIMENTS = "refs/exps/"


@dataclass(frozen=True)
class Revision:
    """A commit, or the workspace, and its files by their paths from the root.

    Attributes:
        name: as the user wrote it.
        commit: 40 hex digits; None for the workspace.
        baseline: of a DVC experiment the commit it started from, of the workspace HEAD.
    """

    name: str
    commit: str | None
    root: Path  # absolute
    baseline: str | None = None

    def read(self, path: str) -> bytes | None:
        """The content of a file; None where there is no such file."""
        if self.commit is None:
            file = self.root / path
            return file.read_bytes() if file.is_file() else None
        try:
            found = self._tree(self.commit)[path]
        except KeyError:
            return None
        if not isinstance(found, pygit2.Blob):
            return None
        try:
            return found.data
        except KeyError:  # a partial clone: git itself fetches what is missing
            command = ["git", "cat-file", "blob", str(found.id)]
            done = subprocess.run(command, cwd=self.root, capture_output=True, check=False)
            if done.returncode:
                reason = done.stderr.decode(errors="replace").strip().partition("\n")[0]
                raise UserError(f"{self.name}: {path} is not in this clone: {reason}") from None
            return done.stdout

    def text(self, path: str) -> str:
        """The content of a text file.

        Raises:
            UserError: there is no such file.
        """
        content = self.read(path)
        if content is None:
            raise UserError(f"{self.name}: has no {path}")
        return content.decode(errors="replace")  # what reads it names what it cannot be

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder, sorted; none where there is no such folder."""
        if self.commit is None:
            folder = self.root / path
            return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
        try:
            tree = self._tree(self.commit)[path]
        except KeyError:
            return []
        entries = tree if isinstance(tree, pygit2.Tree) else ()
        return sorted(str(entry.name) for entry in entries if isinstance(entry, pygit2.Tree))

    def _tree(self, commit: str) -> pygit2.Tree:
        repository = _open(self.root)
        try:
            return repository[commit].peel(pygit2.Tree)
        except KeyError:  # the baseline of an experiment, say, which git does not fetch with it
            raise UserError(f"{self.name}: {_beyond(repository)}") from None


def find(name: str, root: Path = Path()) -> Revision:
    """The revision of a name: `workspace`, what git understands, or a DVC experiment's name.

    Raises:
        UserError: nothing has that name, or it is beyond a shallow clone's history.
    """
    root = root.resolve()
    repository = _open(root)
    if name == WORKSPACE:
        unborn = repository.head_is_unborn
        return Revision(name, None, root, None if unborn else str(repository.head.target))
    candidates = [name, f"origin/{name}"]  # a fresh clone on another branch has no `main`
    for candidate in candidates:
        try:
            commit = repository.revparse_single(candidate).peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError):
            continue
        return Revision(name, str(commit.id), root)
    if name in (named := experiments(root)):
        return named[name]
    if repository.is_shallow:
        raise UserError(f"{name}: {_beyond(repository)}")
    raise UserError(f"{name}: no branch, tag, commit or DVC experiment has that name")


def _beyond(repository: pygit2.Repository) -> str:
    """Say of a commit that is not in a clone how it comes there."""
    if not repository.is_shallow:
        return "not in this clone: `git fetch origin` brings what its origin has"
    return (
        "not in this clone, which is shallow: `git fetch --unshallow origin "
        "'+refs/heads/*:refs/remotes/origin/*'` brings the rest of the history (in GitHub's "
        "checkout action, `fetch-depth: 0`)"
    )


def experiments(root: Path = Path()) -> dict[str, Revision]:
    """DVC's experiments by name; of two baselines' experiments of one name, the last."""
    root = root.resolve()
    repository, found = _open(root), {}
    for reference in repository.references.iterator():
        # refs/exps/ab/<the rest of the baseline's hash>/<name>; the celery queue's lie beside
        parts = reference.name.removeprefix(EXPERIMENTS).split("/", 2)
        if reference.name.startswith(EXPERIMENTS) and len("".join(parts[:2])) == 40:
            commit = str(reference.peel(pygit2.Commit).id)
            found[parts[2]] = Revision(parts[2], commit, root, "".join(parts[:2]))
    return found


@cache
def _open(root: Path) -> pygit2.Repository:
    try:
        return pygit2.Repository(str(root))
    except pygit2.GitError as error:
        if "not owned by" in str(error):  # a container's root looks at a checkout of its user
            raise UserError(
                f"{root}: git refuses a checkout that another user owns: "
                f"`git config --global --add safe.directory {root}` trusts it"
            ) from None
        raise UserError(
            f"{root}: no git repository: `git clone` the project; of a source archive, begin "
            "one in its root: `git init && git add . && git commit -m Begin`"
        ) from None
