"""A model of a commit, as the commit's files tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from digits.base.errors import UserError
from digits.base.reports import parse_metrics
from digits.evaluation import card
from digits.tracking import lock
from digits.tracking.revisions import Revision

CARD = "reports/model_card.md"
DESCRIPTION_LIMIT = 5000  # characters, of MLflow's column


@dataclass(frozen=True)
class Candidate:
    """A model as a commit's files tell of it.

    Attributes:
        stages: the commit's dvc.lock.
    """

    model: str
    revision: Revision
    stages: Mapping[str, lock.Stage]

    @property
    def md5(self) -> str:
        """Of the model's folder, as DVC counts it: the key to its run and its version."""
        return self.stages[f"train@{self.model}"].outs[f"models/{self.model}"]

    @property
    def registered_name(self) -> str:
        return self.stages[f"train@{self.model}"].params["params.yaml"]["data.name"]

    @property
    def data(self) -> dict[str, str]:
        """The MD5 of each file or folder of data on the way to the model and its test, by path."""
        return {
            path: md5
            for name, stage in self.stages.items()
            if name.partition("@")[2] in ("", self.model)
            for path, md5 in {**stage.deps, **stage.outs}.items()
            if path.startswith("data/")
        }

    def report(self, path: str) -> dict[str, Any]:
        path = f"reports/{path}/metrics.json"
        return parse_metrics(self.revision.text(path), f"{self.revision.name}: {path}")

    def __str__(self) -> str:
        return f"{self.model} of {str(self.revision.commit)[:7]}"


def find(model: str | None, revision: Revision) -> Candidate:
    """The model of a commit; without a name, its only one.

    Raises:
        UserError: there is no such model, or no commit.
    """
    if revision.commit is None:
        raise UserError("the workspace is no commit: commit what `dvc repro` wrote, promote that")
    stages = lock.read(revision.text(lock.FILE))
    models = [name.removeprefix("train@") for name in stages if name.startswith("train@")]
    if model is None and len(models) == 1:
        model = models[0]
    if model not in models:
        asked = f"has no model {model!r}" if model else "has several models"
        raise UserError(f"{revision.name} {asked}: name one of {', '.join(models)}")
    return Candidate(model, revision, stages)


def describe(candidate: Candidate) -> str:
    """Give the model's card, as far as MLflow takes it."""
    text = card.select(candidate.revision.text(CARD), candidate.model)
    if text is None:
        raise UserError(f"{candidate}: {CARD} has no card of it: `dvc repro` and commit")
    if len(text) > DESCRIPTION_LIMIT:
        end = f"\n... the rest is in {CARD} of the commit."
        text = text[: DESCRIPTION_LIMIT - len(end)] + end
    return text
