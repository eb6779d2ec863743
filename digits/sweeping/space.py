"""What a sweep searches: paths of params.yaml with ranges, checked before anything runs."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from digits.base import yaml12
from digits.base.errors import UserError
from digits.base.schema import Section, check
from digits.base.text import quote
from digits.params import Params

if TYPE_CHECKING:  # an extra
    from optuna import Trial

Metric = Literal["val_loss", "val_accuracy"]  # on the validation images: there are no others
# What a training's epochs do not show, so that no trial could tell one value from another.
UNSEEN = {
    "members": "a trial trains one network",
    "views": "they are averaged over after the training",
}
DIGITS = 4  # significant ones of a number, so that a recipe can be read


class File(Section):
    """The file of a space, by its keys."""

    metric: Metric = "val_loss"
    images: int = Field(default=0, ge=0, description="training images of a trial; 0: all")
    trial: dict[str, Any] = Field(default={}, description="paths that a trial sets to shorten it")
    space: dict[str, Any] = Field(min_length=1, description="paths, each with a range or a list")


class Range(Section):
    """The values between two numbers."""

    low: float
    high: float
    step: float = Field(default=0.0, ge=0, description="0: any value")
    log: bool = False


@dataclass(frozen=True)
class Knob:
    """A parameter with the values that it may take.

    Attributes:
        path: of params.yaml, such as "train.cnn.learning_rate".
        choices: of what is no number, or of some numbers; empty: a range.
        whole: whether the range is of whole numbers.
    """

    path: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float = 0
    log: bool = False
    whole: bool = False

    def suggest(self, trial: "Trial") -> Any:
        """The value of a trial."""
        if self.choices:  # as text, because a choice of Optuna's is no list
            return json.loads(trial.suggest_categorical(self.path, list(map(_text, self.choices))))
        if self.whole:
            step = int(self.step) or 1
            return trial.suggest_int(
                self.path, int(self.low), int(self.high), step=step, log=self.log
            )
        value = trial.suggest_float(
            self.path, self.low, self.high, step=self.step or None, log=self.log
        )
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def ends(self) -> tuple[Any, ...]:
        """The values that show whether all are allowed: both ends, or every choice."""
        if self.choices:
            return self.choices
        return tuple(int(end) if self.whole else end for end in (self.low, self.high))


@dataclass(frozen=True)
class Space:
    """What is searched, and how a trial is shortened.

    Attributes:
        model: such as "cnn".
        metric: what is minimised, or maximised if it is an accuracy.
        images: of training, of a trial; 0: all.
        shortened: what a trial sets, by path.
        knobs: what is searched.
        base: params.yaml, as it was read.
    """

    model: str
    metric: Metric
    images: int
    shortened: Mapping[str, Any]
    knobs: Sequence[Knob]
    base: Mapping[str, Any]

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Which way is better."""
        return "maximize" if self.metric.endswith("accuracy") else "minimize"

    def params(self, values: Mapping[str, Any]) -> Params:
        """All parameters of a trial.

        Args:
            values: by path, as the knobs suggest them.

        Raises:
            UserError: the schema forbids them together.
        """
        members = {f"train.{self.model}.members": 1}
        return check(
            Params, _put(self.base, members | dict(self.shortened) | dict(values)), "trial"
        )

    def trained(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the whole recipe is trained with at some values, by path of params.yaml."""
        train = _put(self.base, values)["train"]
        return yaml12.flatten({"train": {key: train[key] for key in ("seed", self.model)}})

    def definition(self) -> dict[str, Any]:
        """What makes a sweep the same one, as JSON can hold it."""
        recipe = {"train": self.base["train"][self.model], "seed": self.base["train"]["seed"]}
        facts = {key: value for key, value in asdict(self).items() if key != "base"}
        return json.loads(json.dumps(facts | recipe))

    def left_out(self, training_images: int) -> list[str]:
        """What a trial leaves out of the recipe, in a sentence's parts."""
        full = check(Params, self.base, "params.yaml").train.recipe(self.model)
        flat = full.flat()
        parts = []
        for path, value in self.shortened.items():
            key = path.removeprefix(f"train.{self.model}.")
            if value != flat[key]:
                parts.append(f"{key} = {value} instead of {flat[key]}")
        if 0 < self.images < training_images:
            parts.append(f"{self.images:,} of {training_images:,} training images")
        if full.members > 1:
            parts.append(f"one network instead of {full.members}")
        if full.views > 1:
            parts.append(f"one view of an image instead of {full.views}")
        return [*parts, "the calibration"]


def read(path: Path, model: str) -> Space:
    """Read a space and check every value that it may take against the schema of params.yaml.

    Raises:
        UserError: one line for each thing that is wrong.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder: SPACE must be a YAML file")
    file = check(File, yaml12.read(path), str(path))
    base = yaml12.read(Path("params.yaml"))
    recipe = check(Params, base, "params.yaml").train.recipe(model)
    current = {f"train.{model}.{key}": value for key, value in recipe.flat().items()}
    for key in (*file.space, *file.trial):
        _require_path(key, current, model, str(path))
    if both := file.space.keys() & file.trial.keys():
        raise UserError(f"{path}: {', '.join(sorted(both))}: is in `space` and in `trial`")
    knobs = [_knob(key, value, current[key], str(path)) for key, value in file.space.items()]
    wrong = []
    tried = [{knob.path: end} for knob in knobs for end in knob.ends()]
    for values in [dict(file.trial), *tried]:
        try:
            check(Params, _put(base, values), str(path))
        except UserError as error:
            wrong += str(error).splitlines()
    if wrong:
        raise UserError("\n".join(dict.fromkeys(wrong)))
    return Space(model, file.metric, file.images, file.trial, knobs, base)


def _require_path(key: str, current: Mapping[str, Any], model: str, source: str) -> None:
    prefix = f"train.{model}."
    if key not in current:
        raise UserError(
            f"{source}: {key}: unknown; a sweep of {model} may have "
            f"{', '.join(known for known in current if known.removeprefix(prefix) not in UNSEEN)}"
        )
    if why := UNSEEN.get(key.removeprefix(prefix)):
        raise UserError(f"{source}: {key}: a sweep cannot see it: {why}")


def _knob(key: str, value: Any, now: Any, source: str) -> Knob:
    if isinstance(value, list):
        if not value:
            raise UserError(f"{source}: {key} = []: the list must have at least one value")
        return Knob(key, tuple(value))
    is_number = isinstance(now, int | float) and not isinstance(now, bool)
    if not isinstance(value, Mapping) or not is_number:
        range_text = ", or {low: ..., high: ...}" if is_number else ""
        raise UserError(f"{source}: {key} = {quote(value)}: must be a list of values{range_text}")
    found, whole = check(Range, value, f"{source}: {key}"), isinstance(now, int)
    if found.low >= found.high:
        raise UserError(f"{source}: {key}: low = {found.low:g} must be below high, {found.high:g}")
    if found.log and (found.low <= 0 or found.step):
        raise UserError(f"{source}: {key}: log needs a low above 0 and no step")
    if whole and not all(end.is_integer() for end in (found.low, found.high, found.step)):
        raise UserError(f"{source}: {key}: low, high and step must be whole numbers")
    return Knob(key, (), found.low, found.high, found.step, found.log, whole)


def _put(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of params.yaml with other values at some paths."""
    changed = copy.deepcopy(dict(base))
    for path, value in values.items():
        *parents, last = path.split(".")
        node = changed
        for parent in parents:
            node[parent] = dict(node[parent])  # a YAML alias may share it with another model
            node = node[parent]
        node[last] = value
    return changed


def _text(value: Any) -> str:
    return json.dumps(value)
