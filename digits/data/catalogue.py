"""The catalogue of data sets, datasets.yaml, and the four IDX files of one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, RootModel, model_validator

from digits.base import yaml12
from digits.base.errors import UserError
from digits.base.schema import Positive, Section, check
from digits.base.text import quote

FileName = Literal[
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
FILES: tuple[FileName, ...] = get_args(FileName)
ENTRY = "entry.json"  # beside the files of a data set that is added: its entry

Share = Annotated[float, Field(ge=0, le=1)]
ClassName = Annotated[str, Field(min_length=1, max_length=100)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Mirror = Annotated[str, Field(pattern="^(https?://.+/|npm:.+@.+|dir:.+)$")]


class Rows(Section):
    train: Positive
    test: Positive
    validation: int = Field(default=0, ge=0)  # of train, its last: held out, however it is used


class DataSet(Section):
    """One entry of datasets.yaml; the file's head says what each key means."""

    title: str
    classes: list[ClassName] = Field(min_length=2, max_length=256)
    rows: Rows
    image_shape: list[Positive] = Field(min_length=2, max_length=2)
    mean_ink: list[Share] = Field(min_length=2, max_length=2)
    class_share: list[Share] = Field(default=[], min_length=2, max_length=2)  # [] if absent
    mirrors: list[Mirror] = Field(min_length=1)
    sha256: dict[FileName, Sha256] = Field(min_length=len(FILES))
    licence: str
    citation: str

    @model_validator(mode="after")
    def each_class_once(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes = {quote(self.classes)}: each must have a name of its own")
        return self

    def as_json(self) -> str:
        """The entry, as a file holds it; equal entries give equal bytes."""
        return self.model_dump_json(exclude_defaults=True, indent=2) + "\n"


class Catalogue(RootModel[dict[str, DataSet]]):
    pass


def find(name: str, path: Path = Path("datasets.yaml"), key: str = "data.name") -> DataSet:
    """Look a data set up in the catalogue.

    Args:
        name: of the entry.
        path: of the catalogue.
        key: of the parameter that names it.

    Raises:
        UserError: the catalogue is not as it must be, or has no such entry.
    """
    catalogue = check(Catalogue, yaml12.read(path), str(path)).root
    if name not in catalogue:
        raise UserError(
            f"params.yaml: {key} = {name!r}: must be an entry of {path}: {', '.join(catalogue)}"
        )
    return catalogue[name]


def find_extra(names: Sequence[str], main: DataSet) -> dict[str, DataSet]:
    """Look up the data sets that are added to the main one.

    Raises:
        UserError: one is not in the catalogue, or has other classes or another size.
    """
    found = {}
    for name in names:
        extra = find(name, key="data.extra")
        for field in ("classes", "image_shape"):
            if getattr(extra, field) != getattr(main, field):
                raise UserError(
                    f"params.yaml: data.extra: {name} has the {field} {getattr(extra, field)}, "
                    f"must have those of {main.title}, {getattr(main, field)}"
                )
        if extra.rows.validation >= extra.rows.train:
            raise UserError(f"datasets.yaml: {name}.rows: validation must be less than train")
        found[name] = extra
    return found
