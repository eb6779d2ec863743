import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from dvc.utils import hydra
from hypothesis import given
from hypothesis import strategies as st

from digits import params
from digits.base import schema, yaml12
from digits.base.errors import UserError

ROOT = Path(__file__).parents[2]
REAL: dict[str, Any] = yaml12.read(ROOT / "params.yaml")
# The resnet inherits from the CNN: by copies, so that a test may change either alone.
REAL = json.loads(json.dumps(REAL))
CONVOLUTIONS = {model: len(REAL["train"][model]["filters"]) for model in ("cnn", "resnet")}


def paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every section and value below `value`."""
    below = value.items() if isinstance(value, dict) else ()
    return [p for key, inner in below for p in [(*path, key), *paths(inner, (*path, key))]]


def put(path: tuple[str, ...], key: Any, value: Any) -> dict[str, Any]:
    """The real parameters, but for the value of `key` in the section at `path`."""
    changed = section = copy.deepcopy(REAL)
    for step in path:
        section = section[step]
    section[key] = value
    return changed


PATHS = paths(REAL)
SECTIONS = [(), *(p for p in PATHS if any(other[:-1] == p for other in PATHS))]
LEAVES = [p for p in PATHS if p not in SECTIONS]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text()
keys = st.text() | st.integers() | st.none() | st.booleans() | st.floats(allow_nan=False)
yamlish = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)
numbers = st.integers(-3, 300) | st.floats(-2, 300) | st.lists(st.integers(-1, 9), max_size=4)


def complaints(value: Any) -> list[str]:
    """The lines of the error that `value` gives; none if it is accepted."""
    try:
        schema.check(params.Params, value, "params.yaml")
    except UserError as error:
        return str(error).splitlines()
    return []


def test_the_real_file_is_valid() -> None:
    assert params.load(ROOT / "params.yaml").models == REAL["models"]


def test_a_comment_explains_every_value() -> None:
    lines = (ROOT / "params.yaml").read_text().splitlines()
    values = [line for line in lines if re.match(r" *[\w<]+: *[^# &]", line)]
    start, *_ = (n for n, line in enumerate(lines) if line.startswith("  resnet:"))
    end = lines.index("evaluate:")  # between them: what the CNN explains already
    explained = [line for line in values if line not in lines[start:end]]
    named = {key.rpartition(".")[2] for key, *_ in params.table() if ".resnet." not in f".{key}."}
    assert {line.split(":")[0].strip() for line in explained} == named
    assert [line for line in explained if not re.search(r" # \S", line)] == []


@given(st.sampled_from(PATHS), yamlish | numbers)
def test_any_value_at_any_key_is_accepted_or_named(path: tuple[str, ...], value: Any) -> None:
    for line in complaints(put(path[:-1], path[-1], value)):
        assert line.startswith(f"params.yaml: {path[0]}")
        assert path[-1] in line


@given(st.sampled_from(SECTIONS), keys.filter(lambda key: key not in REAL), yamlish)
def test_any_further_key_is_named(path: tuple[str, ...], key: Any, value: Any) -> None:
    lines = complaints(put(path, key, value))
    where = ".".join(path)
    assert len(lines) == 1
    assert lines[0].startswith(f"params.yaml: {where}")
    assert f"{key}" in lines[0] or f"{key!r}" in lines[0] or f"{int(key)}" in lines[0]


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_a_missing_key_is_named(path: tuple[str, ...]) -> None:
    changed = section = copy.deepcopy(REAL)
    for step in path[:-1]:
        section = section[step]
    del section[path[-1]]
    (line,) = complaints(changed)
    assert line.startswith(f"params.yaml: {'.'.join(path)}: missing; must be ")


@pytest.mark.parametrize("key", ["epochs", "filters", "augmentation.shift"])
@pytest.mark.parametrize(("changed", "other"), [("cnn", "resnet"), ("resnet", "cnn")])
def test_what_dvc_sets_of_one_model_is_not_the_others(
    tmp_path: Path, key: str, changed: str, other: str
) -> None:
    """An alias of YAML in params.yaml is one object for DVC, unless it is merged."""
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text())
    kept = params.load(path).train.recipe(other).flat()
    value = {"epochs": "3", "filters": "[2,2,2,2,2]", "augmentation.shift": "9.0"}[key]
    if (changed, key) == ("resnet", "filters"):
        value = "[2,2,2,2,2,2]"
    hydra.apply_overrides(str(path), [f"train.{changed}.{key}={value}"])
    after = params.load(path).train
    assert str(after.recipe(changed).flat()[key]).replace(" ", "") == value
    inherits = {} if other == "cnn" or key == "filters" else {key: after.cnn.flat()[key]}
    now = after.recipe(other).flat()
    assert {k: v for k, v in now.items() if k not in inherits} == {
        k: v for k, v in kept.items() if k not in inherits
    }


@pytest.mark.parametrize("value", [None, [], 3, "text"])
def test_a_file_that_is_no_mapping_is_refused(value: Any) -> None:
    (line,) = complaints(value)
    assert line == f"params.yaml: the file = {value!r}: must be a section of keys and values"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("train.cnn.epochs", "abc", " = 'abc': must be a whole number >= 1 and <= 100000"),
        ("train.cnn.epochs", 2.0, " = 2.0: must be a whole number >= 1 and <= 100000"),
        ("train.cnn.epochs", True, " = True: must be a whole number >= 1 and <= 100000"),
        ("train.cnn.learning_rate", -0.1, " = -0.1: must be a number > 0"),
        ("train.cnn.learning_rate", float("nan"), " = nan: must be a number > 0"),
        ("train.mlp.dropout", 1.0, " = 1.0: must be a number >= 0 and < 1"),
        ("train.cnn.pooling", "median", " = 'median': must be max or average"),
        (
            "train.cnn.filters",
            [],
            " = []: must be a list (at least 1, each a whole number >= 1 and <= 65536)",
        ),
        ("train.cnn.filters", [8, 0, 8], "[1] = 0: must be a whole number >= 1 and <= 65536"),
        ("train.cnn.batch_size", 2**63, f" = {2**63}: must be a whole number >= 1 and <= 65536"),
        ("train.cnn.kernel_sizes", [29], "[0] = 29: must be a whole number >= 1 and <= 28"),
        (
            "train.cnn.strides",
            [1, 1],
            f" = [1, 1] must have one value for each of filters, {CONVOLUTIONS['cnn']}",
        ),
        ("models", ["cnn", "cnn"], " = ['cnn', 'cnn'] must name each model once"),
        ("models", ["cnn", "svm"], "[1] = 'svm': must be mlp or cnn or resnet"),
        ("train.mlp.members", 0, " = 0: must be a whole number >= 1 and <= 20"),
        ("train.mlp.views", 2, " = 2: must be 1 or 5"),
        ("train.mlp.augmentation.spoiled", 1.0, " = 1.0: must be a number >= 0 and < 1"),
        ("train.cnn.padding", ["none"], "[0] = 'none': must be same or valid"),
        (
            "train.resnet.padding",
            ["same"],
            f" = ['same'] must have one value for each of filters, {CONVOLUTIONS['resnet']}",
        ),
        ("validate.min_class_share", 0.5, " = 0.5 must not be above max_class_share, 0.12"),
        ("train.cnn.augmentation", None, " = None: must be a section of keys and values"),
    ],
)
def test_a_complaint_says_what_is_allowed(key: str, value: Any, complaint: str) -> None:
    *path, last = key.split(".")
    assert complaints(put(tuple(path), last, value)) == [f"params.yaml: {key}{complaint}"]


def test_every_mistake_is_told_at_once() -> None:
    changed = put(("train",), "threads", 0)
    changed["compare"]["seed"] = "x"
    assert len(complaints(changed)) == 2


@given(st.text() | st.text("[]{}:-&*!?#'\"\n ax01.%|>"))
def test_any_text_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        yaml12.read(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\na: 2", 'line 2: found duplicate key "a" with value "2" (original value: "1")'),
        ("a:\n  - [1, 2\nb: 3", "line 3: "),
        ("a: 2026-06-31", "not YAML: "),
        ("a: \x07", "not YAML: "),
    ],
)
def test_what_is_not_yaml_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(f"params.yaml: {complaint}")):
        yaml12.read(tmp_path / "params.yaml")


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"a: \xff")
    with pytest.raises(UserError, match=r"not YAML: .*utf-8"):
        yaml12.read(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1E3", 1000.0), ("0.5", 0.5), ("010", 10), ("1_000", 1000), ("no", "no")],
)
def test_numbers_are_those_that_dvc_reads(tmp_path: Path, text: str, value: Any) -> None:
    from dvc.utils.serialize import parse_yaml

    (tmp_path / "params.yaml").write_text(f"a: {text}")
    assert yaml12.read(tmp_path / "params.yaml") == {"a": value}
    assert parse_yaml(f"a: {text}", "params.yaml") == {"a": value}


def test_flatten_gives_dotted_keys() -> None:
    flat = params.load(ROOT / "params.yaml").train.mlp.flat()
    assert flat["epochs"] == REAL["train"]["mlp"]["epochs"]
    assert flat["augmentation.zoom"] == REAL["train"]["mlp"]["augmentation"]["zoom"]


def test_the_table_has_a_row_for_each_key_of_the_real_file() -> None:
    rows = params.table()
    assert sorted(key for key, _, _ in rows) == sorted(map(".".join, LEAVES))
    assert all(allowed and description for _, allowed, description in rows)


def test_the_table_of_a_section_is_a_part_of_it() -> None:
    assert params.table("data") == [row for row in params.table() if row[0].startswith("data.")]


def test_the_documentation_is_up_to_date(python: Any) -> None:
    printed = python("-m", "digits.params", cwd=ROOT).stdout
    assert (ROOT / "docs/parameters.md").read_text() == printed, "run `make docs`"
