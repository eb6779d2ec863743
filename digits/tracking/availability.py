"""Whether the files of a revision can be had: from the workspace, DVC's cache or a remote."""

from collections.abc import Mapping
from pathlib import Path

from digits.base import files

NOWHERE = "its files are neither here nor in DVC's cache, and there is no remote"


def missing(outs: Mapping[str, str], root: Path = Path()) -> list[str]:
    """The outputs that are neither in the workspace nor in DVC's cache.

    Args:
        outs: MD5 by path, as in dvc.lock.
        root: of the workspace.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        cache = repo.cache.local
        return [
            path
            for path, md5 in outs.items()
            if not _is_in_cache(cache, md5)
            and not ((root / path).exists() and files.md5(root / path) == md5)
        ]


def can_be_had(outs: Mapping[str, str], root: Path = Path()) -> bool:
    """Whether outputs are here, or may be at a remote, which is not asked."""
    return not missing(outs, root) or has_remote(root)


def has_remote(root: Path = Path()) -> bool:
    """Whether DVC knows a remote, which may have what is missing here."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return bool(repo.config["remote"])


def _is_in_cache(cache, md5: str) -> bool:  # type: ignore[no-untyped-def] # DVC has no types
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    if not cache.exists(md5):
        return False
    if not md5.endswith(".dir"):
        return True
    try:
        tree = Tree.load(cache, HashInfo("md5", md5))
    except Exception:  # what a damaged list of files raises has no base in common
        return False
    return all(cache.exists(oid.value) for _, (_, oid) in tree.iteritems())
