"""The catalogue of data sets, datasets.yaml, and the four IDX files of one."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, RootModel

from digits.base import yaml12
from digits.base.errors import UserError
from digits.base.schema import Positive, Section, check

FileName = Literal[
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
FILES: tuple[FileName, ...] = get_args(FileName)

Share = Annotated[float, Field(ge=0, le=1)]
ClassName = Annotated[str, Field(min_length=1, max_length=100)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Mirror = Annotated[str, Field(pattern="^(https?://.+/|npm:.+@.+|dir:.+)$")]


class Rows(Section):
    train: Positive
    test: Positive


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


class Catalogue(RootModel[dict[str, DataSet]]):
    pass


def find(name: str, path: Path = Path("datasets.yaml")) -> DataSet:
    """Look a data set up in the catalogue.

    Raises:
        UserError: the catalogue is not as it must be, or has no such entry.
    """
    catalogue = check(Catalogue, yaml12.read(path), str(path)).root
    if name not in catalogue:
        raise UserError(
            f"params.yaml: data.name = {name!r}: must be an entry of {path}: {', '.join(catalogue)}"
        )
    return catalogue[name]
