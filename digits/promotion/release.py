"""Releasing a model: the package carries it, so that an installed `digits` answers at once."""

import shutil
from pathlib import Path

from digits.base import files
from digits.base.errors import UserError
from digits.evaluation import card
from digits.inference import loading
from digits.inference.model import Model
from digits.promotion import registry
from digits.promotion.candidate import CARD
from digits.tracking import lock, revisions, runs

LARGEST = 600_000  # bytes of model.onnx: it is in git, and in every wheel
DIGITS = 6  # of a metric


def release(model: str, folder: Path = loading.RELEASED) -> str:
    """Put a model into the package, with its card, its hashes and the commit it came from.

    Args:
        model: `models:/mnist@champion`, or anything else that `loading.find` finds.
        folder: of the package.

    Returns:
        A line that tells what was released.

    Raises:
        UserError: there is no such model, it is too large, or nothing says where it is from.
    """
    with loading.find(model) as origin, files.replacing(folder) as partial:
        size = origin.path.stat().st_size
        if size > LARGEST:
            raise UserError(f"{model}: {size:,} bytes, a released model has at most {LARGEST:,}")
        network = Model(origin.path)
        commit, text = _source(model, origin, network.name)
        partial.mkdir()
        shutil.copyfile(origin.path, partial / "model.onnx")
        description = {
            "name": network.name,
            "commit": commit,
            "md5": origin.md5,
            "onnx_md5": files.md5(origin.path),
            "metrics": {key: round(value, DIGITS) for key, value in _known(origin).items()},
        }
        files.write_json(partial / "origin.json", description)
        files.write_text(partial / "card.md", text)
    return f"{network.name} of {commit[:7]} is released: {size:,} bytes in {folder}; commit it"


def _known(origin: loading.Origin) -> dict[str, float]:
    names = ("accuracy", "log_loss", "ece", "corrupted_accuracy")
    return {name: origin.metrics[name] for name in names if name in origin.metrics}


def _source(model: str, origin: loading.Origin, name: str) -> tuple[str, str]:
    """The commit that a model came from, and its card; of a version those of its promotion."""
    if origin.run_id is None:
        head = revisions.find("HEAD")
        text = card.select((head.read(CARD) or b"").decode(), name)
        trained = lock.read((head.read(lock.FILE) or b"").decode(), f"train@{name}").values()
        commit = head.commit if any(origin.md5 in s.outs.values() for s in trained) else None
    elif origin.version:
        commit, text = registry.source_of(origin.version)
    else:
        commit, cards = runs.source_of(origin.run_id, Path(CARD).name)
        text = card.select(cards, name)
    if not commit or text is None:
        raise UserError(
            f"{model}: no commit has this model and its card: commit what `dvc repro` wrote, "
            "or release a champion"
        )
    return commit, text
