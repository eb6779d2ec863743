"""Are the workspace's results those of a commit: to the byte, within noise, or different?

Data are the same bytes on every machine. A model's are so on one type of CPU only: on
another one the sums come in another order, and the training ends elsewhere. Then its
predictions decide: the interval of the difference of the two accuracies must lie inside
the margin. McNemar's p-value is told but does not decide: two seeds of one recipe may well
differ by more than the test images alone explain, and are as good.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from digits import params
from digits.base import files, schema, tables, yaml12
from digits.base.errors import UserError
from digits.comparison import paired
from digits.tracking import lock
from digits.tracking.revisions import Revision

CPUS = "reports/cpu.json"
EQUAL_BYTES = ("data/", "reports/validate")  # outputs that no CPU may change


class Verdict(StrEnum):
    """What became of a result."""

    TO_THE_BYTE = "to the byte"
    WITHIN_NOISE = "within noise"
    DIFFERENT = "different"
    MISSING = "missing"
    CHANGED = "another recipe"  # its parameters are not the commit's: it is no reproduction
    NEW = "new"  # the commit has none


BROKEN = (Verdict.DIFFERENT, Verdict.MISSING)


@dataclass(frozen=True)
class Result:
    """The verdict on a file of data or a model.

    Attributes:
        detail: why, in one line; may be empty.
        figures: of the comparison of the predictions, where there was one: `difference`,
            `low`, `high` of the accuracies, `p_value`, and the counts `fixed`, `broken`.
    """

    name: str
    verdict: Verdict
    detail: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verification:
    """The verdicts on a workspace.

    Attributes:
        margin: largest difference of two accuracies that counts as noise, as a share.
        cpus: the CPU type that each committed model was made on, where it was recorded.
    """

    base: Revision
    margin: float
    confidence_level: float
    data: list[Result]
    models: list[Result]
    cpus: Mapping[str, str]

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts."""
        order = list(Verdict)
        worst = sorted(
            (each.verdict for each in (*self.data, *self.models)),
            key=lambda v: (v in BROKEN, order.index(v)),
        )
        return worst[-1] if worst else Verdict.NEW

    @property
    def is_broken(self) -> bool:
        """Whether a result is missing, or different beyond noise."""
        return self.verdict in BROKEN


def verify(base: Revision, head: Revision) -> Verification:
    """Compare the workspace's results with a commit's.

    Args:
        base: the commit.
        head: the workspace.

    Raises:
        UserError: the commit has no dvc.lock, or a report is not what its stage writes.
    """
    # A workspace cannot loosen the margin that it is held against.
    rules = _section(base, "verify") or _section(head, "verify")
    compare = _section(base, "compare") or _section(head, "compare")
    margin = schema.check(params.Verify, rules, "params.yaml: verify").margin
    level = schema.check(params.Compare, compare, "params.yaml: compare").confidence_level
    committed = lock.read(base.text(lock.FILE))
    made = lock.read(head.text(lock.FILE)) if head.read(lock.FILE) else {}
    changed_data = _changes(committed, made, "")
    data = [
        _of_data(path, md5, changed_data, head.root)
        for stage in committed.values()
        for path, md5 in stage.outs.items()
        if path.startswith(EQUAL_BYTES)
    ]
    names = {n.removeprefix("train@") for n in {**committed, **made} if n.startswith("train@")}
    models = []
    for name in sorted(names):
        stage = committed.get(f"train@{name}")
        if stage is None:
            models.append(Result(name, Verdict.NEW, f"{base.name} has none to compare with"))
        elif changed := _changes(committed, made, name):
            models.append(Result(name, Verdict.CHANGED, changed))
        else:
            md5 = stage.outs[f"models/{name}"]
            models.append(_of_model(name, md5, base, head, margin, level))
    return Verification(base, margin, level, data, models, _recorded(base, committed))


def _of_data(path: str, md5: str, changed: str, root: Path) -> Result:
    if not (root / path).exists():
        return Result(path, Verdict.MISSING, "`make repro` makes it")
    if files.md5(root / path) == md5:
        return Result(path, Verdict.TO_THE_BYTE)
    return Result(path, Verdict.CHANGED if changed else Verdict.DIFFERENT, changed)


def _of_model(
    name: str, md5: str, base: Revision, head: Revision, margin: float, level: float
) -> Result:
    folder, path = head.root / "models" / name, f"reports/evaluate/{name}/predictions.csv"
    new = head.read(path)
    if not folder.exists() or new is None:
        return Result(name, Verdict.MISSING, "`make repro` makes and evaluates it")
    ours = tables.parse_predictions(new, f"{head.name}: {path}")
    theirs = tables.parse_predictions(base.text(path).encode(), f"{base.name}: {path}")
    paired.require_same_images({f"{name} of {base.name}": theirs, f"{name} of here": ours})
    if files.md5(folder) == md5 and ours["predicted"].equals(theirs["predicted"]):
        return Result(name, Verdict.TO_THE_BYTE)
    fixed, broken = map(len, paired.find_flips(theirs, ours))
    low = paired.lowest_difference(fixed, broken, len(ours), level)
    high = -paired.lowest_difference(broken, fixed, len(ours), level)
    figures = {
        "difference": (fixed - broken) / len(ours),
        "low": round(low, 6),
        "high": round(high, 6),
        "p_value": paired.mcnemar(fixed, broken),
        "fixed": fixed,
        "broken": broken,
    }
    is_inside = -margin < low and high < margin
    detail = (
        f"accuracy {100 * figures['difference']:+.2f} points ({100 * low:+.2f} to "
        f"{100 * high:+.2f}, {'inside' if is_inside else 'not inside'} ±{100 * margin:.2f}), "
        f"McNemar's p {figures['p_value']:.2g}; {fixed} images fixed, {broken} broken"
    )
    return Result(name, Verdict.WITHIN_NOISE if is_inside else Verdict.DIFFERENT, detail, figures)


def _changes(
    committed: Mapping[str, lock.Stage], made: Mapping[str, lock.Stage], model: str
) -> str:
    """The parameters that differ on the way to a model, or to the data where none is named."""
    names = {"download", "validate", "preprocess"}
    names |= {f"train@{model}", f"evaluate@{model}"} if model else set()
    old, new = (
        {n: yaml12.flatten(s[n].params) for n in names if n in s} for s in (committed, made)
    )
    keys = {
        key.removeprefix("params.yaml.")
        for name in old.keys() & new.keys()
        for key in old[name].keys() | new[name].keys()
        if old[name].get(key) != new[name].get(key)
    }
    first = ", ".join(sorted(keys)[:3])
    return f"{first}{' and more' if len(keys) > 3 else ''} changed: `digits diff`" if keys else ""


def _section(revision: Revision, name: str) -> Any:
    content = revision.read("params.yaml")
    try:
        values = yaml12.parse(content or "")
        return values.get(name) if isinstance(values, dict) else None
    except ValueError as error:
        raise UserError(f"{revision.name}: params.yaml: {error}") from None


def _recorded(revision: Revision, stages: Mapping[str, lock.Stage]) -> dict[str, str]:
    """The CPU types that the revision's models were made on, as `record` wrote them.

    What was recorded for another model of the name does not count.
    """
    try:
        recorded = json.loads(revision.read(CPUS) or "{}")
        return {
            name: str(entry["cpu"])
            for name, entry in recorded.items()
            if (stage := stages.get(f"train@{name}"))
            and stage.outs.get(f"models/{name}") == entry["md5"]
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(
            f"{revision.name}: {CPUS}: not what `digits verify --record` writes"
        ) from None


def record(workspace: Revision, cpus: Mapping[str, str]) -> None:
    """Write the CPU type that each of the workspace's models was made on, beside its MD5.

    No stage writes this file, or each run on another machine would change it: whoever
    commits results does, once.

    Args:
        workspace: of the models.
        cpus: by model, from the runs that trained them.
    """
    stages = lock.read(workspace.text(lock.FILE), "train@.*")
    entries = {
        name: {"md5": stages[f"train@{name}"].outs[f"models/{name}"], "cpu": cpu}
        for name, cpu in sorted(cpus.items())
    }
    files.write_json(workspace.root / CPUS, entries)
