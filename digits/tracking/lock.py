"""dvc.lock: what the last run of each stage read and wrote, by hash."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from digits.base.errors import UserError
from digits.base.text import one_line
from digits.base.yaml12 import parse

FILE = "dvc.lock"


@dataclass(frozen=True)
class Stage:
    """A stage's entry.

    Attributes:
        name: such as "train@cnn".
        params: the values by file and key, such as `{"params.yaml": {"train.seed": 0}}`.
        deps: MD5 of each file that was read, code included, by path.
        outs: MD5 of each file and, ending with ".dir", of each folder that was written.
    """

    name: str
    params: Mapping[str, Mapping[str, Any]]
    deps: Mapping[str, str]
    outs: Mapping[str, str]

    @property
    def content(self) -> str:
        """A hash of all of it, the same wherever and whenever it was run: 64 hex digits."""
        content = [self.name, self.params, self.deps, self.outs]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def of_workspace(name: str) -> Stage:
    """What DVC writes for a stage that has just run: its own files' and parameters' hashes."""
    from dvc.repo import Repo
    from dvc.stage.serialize import to_single_stage_lockfile

    with Repo() as repo:
        stage = repo.stage.load_one(name=name)
        stage.save()
        return _stage(name, to_single_stage_lockfile(stage))


def read(text: str, pattern: str = ".*") -> dict[str, Stage]:
    """Read the entries of the stages whose names match a pattern from the text of a dvc.lock.

    Raises:
        UserError: it is not what DVC writes: cut off, or with a merge's conflict in it.
    """
    try:
        return _read_blocks(text, pattern)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{FILE}: not what DVC writes: {one_line(error)}; `git checkout HEAD -- {FILE}` brings "
            "the committed one back, then `dvc repro`"
        ) from None


def unevaluated(stages: Mapping[str, Stage]) -> set[str]:
    """The models that were trained anew since they were evaluated: their reports tell of others."""
    found = set()
    for name, training in stages.items():
        kind, _, model = name.partition("@")
        evaluation = stages.get(f"evaluate@{model}")
        path = f"models/{model}"
        if kind == "train" and evaluation and evaluation.deps.get(path) != training.outs.get(path):
            found.add(model)
    return found


def _read_blocks(text: str, pattern: str) -> dict[str, Stage]:
    stages = {}
    # DVC writes one block for each stage: to parse only some saves most of the time.
    for block in re.split(r"^(?=  \S)", text, flags=re.MULTILINE)[1:]:
        if re.fullmatch(rf"  {pattern}:", block.partition("\n")[0]):
            stage = _read(block)
            stages[stage.name] = stage
    return stages


@cache  # most experiments share most of their stages
def _read(block: str) -> Stage:
    ((name, entry),) = parse(block).items()
    return _stage(name, entry)


def _stage(name: str, entry: Mapping[str, Any]) -> Stage:
    return Stage(
        name,
        entry.get("params", {}),
        {dep["path"]: dep["md5"] for dep in entry.get("deps", [])},
        {out["path"]: out["md5"] for out in entry.get("outs", [])},
    )
