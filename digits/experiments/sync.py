"""Bring MLflow up to date with DVC: a run for each stage that it does not know, from the files.

DVC may have taken a stage's outputs from its run cache, from a remote or from an applied
experiment, or the store may have been deleted: no command ran that could have logged them.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digits.base import files
from digits.base.errors import UserError
from digits.tracking import lock, provenance, runs
from digits.tracking.contents import UNTRACKED, facts_of, quoted
from digits.tracking.revisions import Revision
from digits.tracking.stages import restore

LOGGED = ("models/", "reports/")  # outputs that go to MLflow; of the data only the hashes do


def sync(revision: Revision, known: set[str]) -> Iterator[str]:
    """Register the stages of a revision's dvc.lock of which there is no run, one after another.

    Args:
        revision: a commit, a DVC experiment or the workspace.
        known: what there are runs of, from `runs.known`; what is registered is added.

    Yields:
        The name of each stage that was registered.

    Raises:
        UserError: a stage's outputs are neither in the workspace nor in DVC's cache or remote.
    """
    stages = lock.read(revision.text(lock.FILE))
    # What tells of a model that has been replaced since would be added to the wrong run.
    stale = {f"evaluate@{model}" for model in lock.unevaluated(stages)}
    left_out = {*UNTRACKED, *stale, *(["card"] if stale else [])}
    tracked = [stage for stage in stages.values() if stage.name not in left_out]
    # Of a model that is known the code has changed at most.
    missing = [stage for stage in tracked if known.isdisjoint(_keys(stage))]
    missing.sort(key=lambda stage: not stage.name.startswith("train@"))  # evaluate adds to these
    trainings = {
        name.removeprefix("train@"): stage
        for name, stage in stages.items()
        if name.startswith("train@")
    }
    for stage in missing:
        kind, _, model = stage.name.partition("@")
        models = {"evaluate": [model], "card": list(trainings)}.get(kind, [])
        tags = {runs.CONTENT: stage.content, **_origin(revision)}
        with _outputs(revision, stage) as root:
            if revision.commit and kind == "card":
                for path in quoted(models):
                    files.write_text(root / path, revision.text(path))
            added_to = {name: _find_training(trainings[name]) for name in models}
            restore(facts_of(stage), added_to, root, tags)
        known |= _keys(stage)
        yield stage.name


def _keys(stage: lock.Stage) -> set[str]:
    models = {md5 for path, md5 in stage.outs.items() if path.startswith("models/")}
    return {stage.content} | models


def _origin(revision: Revision) -> dict[str, str]:
    """Tags in the place of those of the process that registers: where the files come from."""
    if revision.commit is None:
        return {}
    origin = {"git.commit": revision.commit, "git.dirty": "False"}
    return origin | ({provenance.EXPERIMENT: revision.name} if revision.baseline else {})


@contextmanager
def _outputs(revision: Revision, stage: lock.Stage) -> Iterator[Path]:
    """A folder with those outputs of a stage that are logged, as dvc.lock has them."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    logged = {path: md5 for path, md5 in stage.outs.items() if path.startswith(LOGGED)}
    with tempfile.TemporaryDirectory(prefix="digits-") as temporary:
        root = Path(temporary) if revision.commit else Path()
        if revision.commit:
            source = DVCFileSystem(".", rev=revision.commit)
            for path in logged:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                try:
                    source.get(path, str(root / path), recursive=True)
                except (OSError, DvcException, DataIndexDirError):  # reported below, with its name
                    continue
        for path, md5 in logged.items():
            if not (root / path).exists():
                raise UserError(_explain(revision, f"{path} of {stage.name}"))
            if files.md5(root / path) != md5:
                raise UserError(
                    f"{revision.name}: {path} is not what dvc.lock says: "
                    "`dvc repro` makes it anew, `dvc checkout` brings it back"
                )
        yield root


def _explain(revision: Revision, missing: str) -> str:
    if revision.commit is None:
        return (
            f"{revision.name}: {missing} is neither here nor in DVC's cache or remote: `dvc pull` "
            "or `dvc checkout` brings back what is in one of them, `dvc repro` makes it anew"
        )
    return (
        f"{revision.name}: {missing} is nowhere to be had: not in DVC's cache, nor in a remote "
        "that this clone knows; `dvc repro` in a checkout of that commit makes it anew"
    )


def _find_training(stage: lock.Stage) -> runs.Run:
    found = runs.find_model_run(stage.outs[f"models/{stage.name.partition('@')[2]}"])
    if found is None:
        raise UserError(f"MLflow knows no run of {stage.name}: it was removed in this moment")
    return found
