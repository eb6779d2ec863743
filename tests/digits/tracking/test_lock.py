from pathlib import Path

import pytest
from dvc.utils.serialize import dumps_yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from digits.tracking import lock

names = st.from_regex(r"[a-z_]{1,8}(@[a-z]{1,4})?", fullmatch=True)
md5s = st.from_regex(r"[0-9a-f]{32}(\.dir)?", fullmatch=True)
paths = st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6}){0,2}\.[a-z]{1,3}", fullmatch=True)
scalars = (
    st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abc 01-.:#'\n", max_size=12)
    | st.sampled_from(["no", "off", "y", "1e3", "0x1", "12:30:45", "2020-02-02", "1_0", "~", "="])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=3,
)
keys = st.dictionaries(names | st.just("no"), values, min_size=1, max_size=3)
stages = st.fixed_dictionaries(
    {"cmd": st.text("abc -.", min_size=1, max_size=150)},
    optional={
        "deps": st.dictionaries(paths, md5s, min_size=1, max_size=3),
        "params": st.dictionaries(paths, keys, min_size=1, max_size=2),
        "outs": st.dictionaries(paths, md5s, min_size=1, max_size=3),
    },
)


@given(st.dictionaries(names, stages, max_size=3))
def test_what_dvc_writes_is_read(entries: dict) -> None:
    written = {
        name: {
            key: [
                {"path": path, "hash": "md5", "md5": md5, "size": 1} for path, md5 in part.items()
            ]
            if key in ("deps", "outs")
            else part
            for key, part in entry.items()
        }
        for name, entry in entries.items()
    }
    read = lock.read(dumps_yaml({"schema": "2.0", "stages": written}))
    assert read == {
        name: lock.Stage(
            name, entry.get("params", {}), entry.get("deps", {}), entry.get("outs", {})
        )
        for name, entry in entries.items()
    }


def test_this_projects_lock_is_read_as_dvc_reads_it(root: Path) -> None:
    text = (root / lock.FILE).read_text()
    expected = YAML(typ="safe").load(text)["stages"]
    found = lock.read(text)
    assert list(found) == list(expected)
    for name, stage in found.items():
        assert stage.params == expected[name].get("params", {})
        assert dict(stage.deps) == {d["path"]: d["md5"] for d in expected[name].get("deps", [])}
        assert dict(stage.outs) == {o["path"]: o["md5"] for o in expected[name].get("outs", [])}


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [("train@.*", ["train@mlp", "train@cnn"]), ("download", ["download"]), ("load", [])],
)
def test_only_stages_whose_whole_name_matches(root: Path, pattern: str, chosen: list) -> None:
    assert sorted(lock.read((root / lock.FILE).read_text(), pattern)) == sorted(chosen)


@pytest.mark.parametrize("text", ["", "schema: '2.0'\n", "schema: '2.0'\nstages: {}\n"])
def test_no_stage_ran_yet(text: str) -> None:
    assert lock.read(text) == {}


@pytest.mark.parametrize("text", ["1e-05", "1e-3", "-2.5E+3", "5e2"])
def test_a_number_in_scientific_notation_is_one(text: str) -> None:
    entry = f"stages:\n  train:\n    params:\n      params.yaml:\n        rate: {text}\n"
    assert lock.read(entry)["train"].params == {"params.yaml": {"rate": float(text)}}
