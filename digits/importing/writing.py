"""Writing a data set: four IDX files, and an entry of the catalogue."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from digits.base import files, yaml12
from digits.base.errors import UserError
from digits.base.schema import check
from digits.base.text import one_line
from digits.data.catalogue import FILES, Catalogue
from digits.importing.importing import DataSet, Wishes
from digits.intake import idx

FOLDER = Path("data/imported")
NAME = re.compile("[a-z][a-z0-9_]*")  # also a name in MLflow's registry
NO_TEXT = ("null", "true", "false", "inf", "nan")  # in YAML, or in `dvc exp run -S`
INK_MARGIN = 0.02  # on both sides of the mean that was found
SHARE_MARGIN = 0.8  # times the smallest share of a class; the largest is divided by it


def refuse_name(name: str, replace: bool, path: Path = Path("datasets.yaml")) -> None:
    """Check a name before any work.

    Raises:
        UserError: it is no name, or taken, by an entry that no import wrote even with `replace`.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"{name}: a name must be of the form {NAME.pattern}, such as my_letters")
    if name in NO_TEXT:
        raise UserError(
            f"{name}: YAML or `dvc exp run -S` reads it as no text: take another, such as my_{name}"
        )
    entries = check(Catalogue, yaml12.read(path), str(path)).root
    if name in entries and not replace:
        raise UserError(f"{name}: is in {path} already; --replace writes it anew")
    if name in entries and (mirror := _mirror(name)) not in entries[name].mirrors:
        raise UserError(
            f"{name}: no import wrote its entry in {path}, whose mirrors have no {mirror}: "
            "take another name"
        )


def write(name: str, data_set: DataSet, wishes: Wishes, root: Path = Path()) -> Path:
    """Write the four IDX files and the catalogue's entry, each whole or not at all.

    Returns:
        The folder of the files.

    Raises:
        UserError: the name cannot be used, or a text of the entry is none of YAML.
    """
    folder, catalogue = root / FOLDER / name, root / "datasets.yaml"
    text = _without_entry(catalogue.read_text(encoding="utf-8"), name)
    hashes: dict[str, str] = {}
    with files.replacing(folder) as partial:
        partial.mkdir()
        arrays = (part for split in data_set.splits for part in (split.images, split.labels))
        for file, array in zip(FILES, arrays, strict=True):
            idx.write(partial / file, array)
            hashes[file] = hashlib.sha256((partial / file).read_bytes()).hexdigest()
        text += _entry(name, data_set, wishes, hashes)
        try:
            entries = yaml12.parse(text)
        except ValueError as error:
            raise UserError(
                f"{catalogue}: cannot take the entry {name}: {one_line(error)}: change its title "
                "or the names of its classes, or remove an older entry of this name"
            ) from None
        check(Catalogue, entries, str(catalogue))
    files.write_text(catalogue, text)
    return folder


def _entry(name: str, data_set: DataSet, wishes: Wishes, hashes: dict[str, str]) -> str:
    """The catalogue's entry; texts in JSON, of which every one is YAML."""
    means = [float(split.images.mean()) / 255 for split in data_set.splits]
    bounds = [round(max(min(means) - INK_MARGIN, 0), 3), round(min(max(means) + INK_MARGIN, 1), 3)]
    shares = np.array(
        [
            np.bincount(split.labels, minlength=len(data_set.classes)) / len(split.labels)
            for split in data_set.splits
        ]
    )
    low = np.floor(shares.min() * SHARE_MARGIN * 1e5) / 1e5
    high = min(np.ceil(shares.max() / SHARE_MARGIN * 1e5) / 1e5, 1.0)
    rows = ", ".join(
        f"{key}: {len(split.labels)}"
        for key, split in zip(("train", "test"), data_set.splits, strict=True)
    )
    rows += f", validation: {wishes.validation}" if wishes.validation else ""
    lines = [
        "",
        f"{name}:",
        f"  title: {_quoted(wishes.title or name)}",
        f"  classes: {json.dumps(data_set.classes, ensure_ascii=False)}",
        f"  rows: {{{rows}}}",
        f"  image_shape: {list(data_set.train.images.shape[1:])}",
        f"  mean_ink: {bounds}",
        f"  class_share: [{low:.5f}, {high:.5f}]",
        "  mirrors:",
        f"    - {_mirror(name)}",
        "  sha256:",
        *(f"    {file}: {sha256}" for file, sha256 in hashes.items()),
        f"  licence: {_quoted(wishes.licence)}",
        f"  citation: {_quoted(wishes.citation)}",
    ]
    return "\n".join(lines) + "\n"


def _mirror(name: str) -> str:
    return f"dir:{(FOLDER / name).as_posix()}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _without_entry(text: str, name: str) -> str:
    """The catalogue without an entry, its comments left as they are."""
    entry = rf"^\n?{name}:[ \t]*(?:#.*)?\n(?:(?:[ #].*)?\n)*?(?=\n?\S|\Z)"
    return re.sub(entry, "", text, flags=re.MULTILINE)
