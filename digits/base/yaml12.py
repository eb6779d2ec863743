"""YAML as DVC reads it, by the rules of YAML 1.2: 1e-3 is a number, 010 is ten, `no` is text."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.resolver import implicit_resolvers

from digits.base.errors import UserError
from digits.base.text import one_line

MOST_VALUES = 1_000_000  # of a file; dvc.lock has some thousands


def read(path: Path) -> Any:
    """Read a file that a person writes, with DVC's own parser, which refuses a key given twice.

    Raises:
        UserError: no file, or not YAML, with the line where it is not.
    """
    try:
        return _require_small(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the folder of dvc.yaml") from None
    except MarkedYAMLError as error:
        raise UserError(f"{path}: line {error.problem_mark.line + 1}: {error.problem}") from None
    except RecursionError:
        raise UserError(f"{path}: not YAML: nested too deeply") from None
    except (YAMLError, ValueError, TypeError) as error:
        # Not UTF-8, a control character, the 31st of June, a number of 50,000 digits.
        raise UserError(f"{path}: not YAML: {one_line(error)}") from None


def parse(text: str | bytes) -> Any:
    """Parse what DVC wrote, or read without a complaint, ten times faster than `read`.

    Raises:
        ValueError: the text is not YAML.
    """
    try:
        return _require_small(yaml.load(text, Loader=_Loader))  # noqa: S506
    except RecursionError:
        raise ValueError("not YAML: nested too deeply") from None
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"not YAML: {one_line(error)}") from None


def _require_small(value: Any) -> Any:
    """Return a value unless its aliases make it expand to more than any file of ours holds.

    Raises:
        ValueError: it does, or refers to itself.
    """
    counts: dict[int, int] = {}
    open_ids: set[int] = set()

    def count(node: Any) -> int:
        if not isinstance(node, Mapping | list):
            return 1
        if id(node) in open_ids:
            raise ValueError("an alias refers to what it is a part of")
        if id(node) not in counts:
            open_ids.add(id(node))
            inner = node.values() if isinstance(node, Mapping) else node
            counts[id(node)] = 1 + sum(map(count, inner))
            open_ids.remove(id(node))
        return counts[id(node)]

    if count(value) > MOST_VALUES:
        raise ValueError(f"its aliases expand to more than {MOST_VALUES} values")
    return value


def flatten(values: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """Join nested mappings into one with keys such as `train.seed`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            inner = flatten(value, separator)
            flat |= {f"{key}{separator}{name}": leaf for name, leaf in inner.items()}
        else:
            flat[str(key)] = value
    return flat


class _Loader(yaml.CSafeLoader):
    """PyYAML's parser in C with the number and text rules of YAML 1.2, and its unique keys."""

    yaml_implicit_resolvers: ClassVar[dict[str, list]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        counts = Counter(str(key.value) for key, _ in node.value)
        if duplicate := next((key for key, count in counts.items() if count > 1), None):
            mark = node.start_mark
            raise yaml.constructor.ConstructorError(None, None, f"key {duplicate!r} twice", mark)
        return super().construct_mapping(node, deep)


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:
        _Loader.add_implicit_resolver(_tag, _pattern, _first)
