"""dvc.yaml against the code: deps are the imports, parameters are used, outputs are read."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import networkx as nx
import pytest
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from digits import params
from digits.base import yaml12

ROOT = Path(__file__).parents[1]
PACKAGES = ("digits", "stages")
# These see a stage run and write none of its outputs: no stage depends on them.
WATCHERS = ("digits/garbage.py", "digits/tracking", "stages/runner.py")
DATA_SET = params.load(ROOT / "params.yaml").data.name
# Those that params.yaml does not switch on; their parameters wait.
UNUSED_MODELS = set(params.Train.model_fields) - {"seed", "threads", "coverage"}
UNUSED_MODELS -= set(params.load(ROOT / "params.yaml").models)
COMMANDS = {
    "promote": "digits/promotion/gate.py",
    "verify": "digits/review/verification.py",
}  # sections that no stage obeys, and who does


@dataclass(frozen=True)
class Stage:
    """A stage as DVC resolves it: `${...}` filled in, one for each item of a matrix."""

    module: str
    model: str  # empty: none
    cmd: str
    deps: frozenset[str]
    params: frozenset[str]  # "train.seed"; of another file "datasets.yaml:mnist"; whole: "file:"
    outs: frozenset[str]


Stages = dict[str, Stage]
Check = Callable[[Stages], Iterator[str]]


@pytest.fixture(scope="module")
def stages() -> Stages:
    found = {}
    with Repo(ROOT) as repo:
        for stage in repo.index.stages:
            name, _, model = stage.name.partition("@")
            files = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
            keys = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
            found[stage.name] = Stage(
                module=f"stages/{name}.py",
                model=model,
                cmd=stage.cmd,
                deps=frozenset(dep.def_path for dep in files),
                params=frozenset(
                    f"{dep.def_path}:{key}".removeprefix("params.yaml:") or "params.yaml:"
                    for dep in keys
                    for key in dep.params or [""]
                ),
                outs=frozenset(out.def_path for out in stage.outs),
            )
    return found


def imports(source: str) -> set[str]:
    """The modules of ours that a source imports, at its top or inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import, which this function does not resolve"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    ours = {name.replace(".", "/") + ".py" for name in names if name.startswith(PACKAGES)}
    return {path for path in ours if (ROOT / path).exists()}


def resources() -> set[Path]:
    """The files of the packages that are no modules: templates and the like."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.*"))
    files = (path.relative_to(ROOT) for path in files if path.suffix not in (".py", ".pyc"))
    # The page is served whole; the released model and py.typed are the package's, no stage's.
    return {path for path in files if path.parts[1] not in ("serving", "released", "py.typed")}


@cache
def reached(module: str) -> frozenset[str]:
    """A module, those that it imports, those that they import, and the files any of them names.

    Without the watchers, and without what only they import.
    """
    paths: set[str] = set()
    new = {module}
    while new:
        path = new.pop()
        if path.startswith(WATCHERS):
            continue
        paths.add(path)
        source = (ROOT / path).read_text()
        found = imports(source) if path.endswith(".py") else set()
        found |= {str(file) for file in resources() if file.name in source}
        new |= found - paths
    return frozenset(paths)


def key_of(node: ast.AST, model: str) -> str | None:
    """The parameter that an expression is, as dvc.yaml would call it; None: it is none.

    `params.train.seed` is "train.seed", `params.train.recipe(model)` is "train.cnn",
    `catalogue.find(...).classes` is "datasets.yaml:mnist.classes", `params` itself is "".
    """
    match node:
        case ast.Name("params"):
            return ""
        case ast.Attribute(value, name):
            parent = key_of(value, model)
            return None if parent is None else f"{parent}.{name.rstrip('_')}".lstrip(".")
        case ast.Call(ast.Attribute(section, "flat")):
            return key_of(section, model)
        case ast.Call(ast.Attribute(section, "recipe" | "flat_of"), [ast.Name("model")]):
            return f"{key_of(section, model)}.{model}"
        case ast.Call(ast.Attribute(ast.Name("catalogue"), "find")):
            return f"datasets.yaml:{DATA_SET}"
    return None


def used_keys(source: str, model: str = "") -> set[str]:
    """The parameters that a stage's source reads; a section alone where it reads it whole."""
    keys, parts = {}, set()
    for node in ast.walk(ast.parse(source)):
        keys[node] = key_of(node, model)
        match node:  # `params.train` is but a part of `params.train.seed`
            case ast.Call(ast.Attribute(part, "flat" | "recipe" | "flat_of") as method):
                parts |= {part, method}
            case ast.Attribute(part):
                parts.add(part)
    # Who is handed all parameters reads them in its own source: see `sources`.
    found = {key for node, key in keys.items() if key and node not in parts}
    return {key for key in found if not any(key.startswith(f"{other}.") for other in found)}


def sources(stage: Stage) -> Iterator[str]:
    """The sources of a stage that are handed the parameters: its own and some of the library."""
    for path in reached(stage.module):
        source = (ROOT / path).read_text() if path.endswith(".py") else ""
        if "params: Params" in source and path != "digits/params.py":
            yield source


@cache
def read_attributes(source: str) -> set[str]:
    return {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}


def overlap(path: str, other: str) -> bool:
    return Path(path).is_relative_to(other) or Path(other).is_relative_to(path)


# The checks: each gives a line for every mistake it finds.


def dependencies_are_the_imports(stages: Stages) -> Iterator[str]:
    for name, stage in stages.items():
        code = {dep for dep in stage.deps if dep.startswith(PACKAGES)}
        needed = reached(stage.module)
        for path in needed:
            if not any(Path(path).is_relative_to(dep) for dep in code):
                yield f"{name} reads {path}, which is not in its deps"
        for dep in code:
            if not any(Path(path).is_relative_to(dep) for path in needed):
                yield f"{name} has {dep} in its deps, but does not read it"


def dependencies_are_made(stages: Stages) -> Iterator[str]:
    outs = [out for stage in stages.values() for out in stage.outs]
    for name, stage in stages.items():
        data = {dep for dep in stage.deps if not dep.startswith(PACKAGES)}
        for path in data:
            if not any(overlap(path, out) for out in outs):
                yield f"{name} reads {path}, which no stage writes"


def outputs_are_read(stages: Stages) -> Iterator[str]:
    deps = [dep for stage in stages.values() for dep in stage.deps]
    for name, stage in stages.items():
        for path in stage.outs:
            for_people = path.startswith(("reports/", "models/"))
            if not for_people and not any(overlap(path, dep) for dep in deps):
                yield f"{name} writes {path}, which no stage reads"


def parameters_are_the_used_ones(stages: Stages) -> Iterator[str]:
    for name, stage in stages.items():
        if name != "params":  # which checks both files whole, without naming a key
            used = set().union(*(used_keys(source, stage.model) for source in sources(stage)))
            yield from (
                f"{name} reads {key}, which is not in its params" for key in used - stage.params
            )
            yield from (f"{name} has {key}, but does not read it" for key in stage.params - used)


def each_single_parameter_has_a_reader(stages: Stages) -> Iterator[str]:
    """Of a section that is declared whole, each key is an attribute that some module reads."""
    declared = {key for name, stage in stages.items() if name != "params" for key in stage.params}
    declared |= {f"train.{model}" for model in UNUSED_MODELS} | COMMANDS.keys()
    for key, *_ in params.table():
        if not any(f"{key}.".startswith(f"{section}.") for section in declared):
            yield f"no stage has {key} in its params"
    for name, stage in stages.items():
        modules = {path for path in reached(stage.module) if path.endswith(".py")}
        modules -= {"digits/params.py"}
        read = set().union(*(read_attributes((ROOT / path).read_text()) for path in modules))
        for key, *_ in params.table():
            is_declared = any(f"{key}.".startswith(f"{section}.") for section in stage.params)
            if is_declared and key.split(".")[-1] not in read:
                yield f"{name} has {key}, but none of its modules reads it"


def commands_run_the_module_of_that_name(stages: Stages) -> Iterator[str]:
    for name, stage in stages.items():
        expected = f"python3 -m stages.{Path(stage.module).stem} {stage.model}".strip()
        if stage.cmd != expected:
            yield f"{name} runs `{stage.cmd}`, not `{expected}`"


CHECKS: list[Check] = [
    dependencies_are_the_imports,
    dependencies_are_made,
    outputs_are_read,
    parameters_are_the_used_ones,
    each_single_parameter_has_a_reader,
    commands_run_the_module_of_that_name,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_definition_has_no_mistake(check: Check, stages: Stages) -> None:
    assert list(check(stages)) == []


@pytest.mark.parametrize(
    ("stage", "change", "mistake"),
    [
        ("train@cnn", "deps - digits/base", "reads digits/base/quiet.py, which is not in its deps"),
        (
            "validate",
            "deps - digits/intake",
            "reads digits/intake/page.html, which is not in its deps",
        ),
        (
            "validate",
            "deps + digits/review",
            "has digits/review in its deps, but does not read it",
        ),
        ("validate", "deps + data/typo", "reads data/typo, which no stage writes"),
        ("download", "outs + data/scratch", "writes data/scratch, which no stage reads"),
        ("train@cnn", "params - train.cnn", "reads train.cnn, which is not in its params"),
        (
            "compare",
            f"params - datasets.yaml:{DATA_SET}.classes",
            f"reads datasets.yaml:{DATA_SET}.classes, which is not in its params",
        ),
        ("evaluate@mlp", "params + train.seed", "has train.seed, but does not read it"),
        (
            "train@mlp",
            "params + compare",
            "has compare.resamples, but none of its modules reads it",
        ),
        (
            "train@cnn",
            "cmd + ohoh",
            "runs `python3 -m stages.train cnn ohoh`, not `python3 -m stages.train cnn`",
        ),
    ],
)
def test_a_mistake_is_found(stages: Stages, stage: str, change: str, mistake: str) -> None:
    """The checks above can fail: they do on a definition with one entry more or less."""
    field, sign, entry = change.split(" ", 2)
    before = getattr(stages[stage], field)
    if isinstance(before, str):
        after = f"{before} {entry}"
    else:
        assert (entry in before) is (sign == "-")
        after = before ^ {entry}
    broken = stages | {stage: replace(stages[stage], **{field: after})}
    assert f"{stage} {mistake}" in [line for check in CHECKS for line in check(broken)]


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("great_expectations", {"validate"}),
        ("keras", {"train@cnn", "train@mlp"}),
        ("tensorflow", {"train@cnn", "train@mlp"}),
    ],
)
def test_what_takes_seconds_to_import_is_reached_only_where_it_is_needed(
    stages: Stages, library: str, users: set[str]
) -> None:
    found = set()
    for name, stage in stages.items():
        for path in reached(stage.module):
            source = (ROOT / path).read_text() if path.endswith(".py") else ""
            if re.search(rf"^ *(import|from) {library}\b", source, re.MULTILINE):
                found.add(name)
    assert found == users


def test_a_commands_parameters_are_read() -> None:
    for section, module in COMMANDS.items():
        keys = {key.removeprefix(f"{section}.") for key, *_ in params.table(section)}
        assert keys
        assert keys <= read_attributes((ROOT / module).read_text())


def test_a_parameter_of_no_stage_is_found(stages: Stages) -> None:
    broken = stages | {"evaluate@cnn": replace(stages["evaluate@cnn"], params=frozenset())}
    broken |= {"evaluate@mlp": replace(stages["evaluate@mlp"], params=frozenset())}
    assert set(each_single_parameter_has_a_reader(broken)) == {
        f"no stage has evaluate.{key} in its params"
        for key in ("calibration_bins", "seed", "threads")  # `card` has the other two
    }


def test_imports_inside_functions_count() -> None:
    source = (
        "import json\ndef main():\n    from digits.base import files\n    import stages.runner\n"
    )
    assert imports(source) == {"digits/base/files.py", "stages/runner.py"}


def test_the_longest_path_of_a_parameter_counts() -> None:
    source = (
        "recipe = params.train.recipe(model)\n"
        "print(params.train.seed, params.data.flat(), params.data.name, params.validate_)\n"
        "classes = catalogue.find(params.data.name).classes\n"
    )
    expected = {"train.cnn", "train.seed", "data", "validate", f"datasets.yaml:{DATA_SET}.classes"}
    assert used_keys(source, "cnn") == expected


def test_every_module_of_stages_is_a_stage_and_the_reverse(stages: Stages) -> None:
    helpers = {"stages/__init__.py", "stages/runner.py"}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "stages").glob("*.py")}
    assert {stage.module for stage in stages.values()} == modules - helpers


def test_every_file_beside_the_modules_belongs_to_a_stage_or_command(stages: Stages) -> None:
    """A template whose name is put together at run time would be missed without a word."""
    read = reached("digits/cli/main.py").union(
        *(reached(stage.module) for stage in stages.values())
    )
    assert {str(path) for path in resources()} <= read


TRAINED = {"train@mlp", "train@cnn"}
EVALUATED = {"evaluate@mlp", "evaluate@cnn", "card"}
EVERY = {"params", "download", "validate", "preprocess", "compare", *TRAINED, *EVALUATED}


@pytest.mark.parametrize(
    ("changed", "out_of_date"),
    [
        ("digits/serving/page/app.js", set()),
        ("digits/serving/app.py", set()),
        ("digits/recognition/digitizing.py", set()),
        ("digits/review/review.py", set()),
        ("digits/promotion/gate.py", set()),
        ("digits/experiments/sync.py", set()),
        ("digits/tracking/store.py", set()),
        ("digits/cli/main.py", set()),
        ("stages/runner.py", set()),
        ("digits/evaluation/pictures.py", EVALUATED),
        ("digits/inference/model.py", EVALUATED),
        ("digits/rendering/figures.py", EVALUATED | {"validate", "compare"}),
        ("digits/comparison/paired.py", {"compare"}),
        ("digits/training/augmentation.py", TRAINED),
        ("digits/intake/download.py", {"download", "validate", "preprocess"}),
        ("digits/intake/expectations.py", {"validate", "preprocess"}),
        ("stages/evaluate.py", EVALUATED - {"card"}),
        ("digits/base/files.py", EVERY),
        ("digits/params.py", EVERY),
    ],
)
def test_a_changed_file_makes_these_stages_run_again(
    stages: Stages, changed: str, out_of_date: set[str]
) -> None:
    assert (ROOT / changed).exists()
    found = {name for name, s in stages.items() if any(overlap(changed, dep) for dep in s.deps)}
    assert found == out_of_date


def test_no_stage_has_more_than_seven_dependencies_of_code(stages: Stages) -> None:
    for name, stage in stages.items():
        assert len([dep for dep in stage.deps if dep.startswith(PACKAGES)]) <= 7, name


def test_every_stage_comes_after_the_check_of_the_parameters() -> None:
    with Repo(ROOT) as repo:
        graph = repo.index.graph
        (first,) = (stage for stage in graph if stage.name == "params")
        assert {stage for stage in graph if first in nx.descendants(graph, stage)} == {
            stage for stage in graph if stage is not first
        }
        (verdict,) = first.outs
        assert verdict.persist  # so that DVC does not remove it before the check


def test_the_first_stage_checks_both_files_whole(stages: Stages) -> None:
    assert stages["params"].params == {"params.yaml:", "datasets.yaml:"}


def test_the_packages_hold_nothing_a_result_could_depend_on(stages: Stages) -> None:
    """Their __init__ files run with every stage, but are in nobody's deps."""
    digits, other = (ast.parse((ROOT / name / "__init__.py").read_text()).body for name in PACKAGES)
    kinds = [type(node).__name__ for node in digits]
    assert kinds == ["Expr", "Import", "ImportFrom", "Expr", "Assign", "FunctionDef"]
    telemetry_off = "os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')"
    assert [ast.unparse(node) for node in digits[1:4:2]] == ["import os", telemetry_off]
    assert isinstance(digits[-1], ast.FunctionDef)
    assert digits[-1].name == "__getattr__"  # which runs for who asks for the recogniser
    for package in (ROOT / "digits").glob("*/__init__.py"):
        assert imports(package.read_text()) == set(), package
    assert imports((ROOT / "stages/__init__.py").read_text()) == set()
    assert {type(node) for node in other} == {ast.Expr, ast.Import, ast.If}  # defines no name


def test_plots_and_artifacts_name_outputs_of_every_model(stages: Stages) -> None:
    definition = yaml12.read(ROOT / "dvc.yaml")
    outs = set().union(*(stage.outs for stage in stages.values()))
    models = {stage.model for stage in stages.values()} - {""}
    assert {name: artifact["path"] for name, artifact in definition["artifacts"].items()} == {
        model: f"models/{model}" for model in models
    }
    for plot in definition["plots"]:
        for title, parts in plot.items():
            assert set(parts["y"]) <= outs, title
            assert {Path(path).parent.name for path in parts["y"]} == models, title


def test_a_sweep_knows_no_metric_and_no_image_of_the_test_split() -> None:
    """Else the choice of the parameters would spoil what the test images say of the model."""
    for path in (ROOT / "digits/sweeping").glob("*.py"):
        tree = ast.parse(path.read_text())
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        words = {word for text in texts if isinstance(text, str) for word in names_in(text)}
        assert words.isdisjoint({"test", "t10k", "test.npz", "raw"}), path
        assert not [word for word in words if word.startswith("test_")], path
        assert not [name for name in imports(path.read_text()) if "evaluation" in name], path


def names_in(text: str) -> set[str]:
    """What of a text could name a file, a split or a metric; prose has spaces in it."""
    return set() if " " in text else set(text.split("/"))
