"""Schemas of files that people write: what is wrong is told by key, value and what is allowed."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from digits.base.errors import UserError
from digits.base.text import one_line, quote
from digits.base.yaml12 import flatten

Positive = Annotated[int, Field(ge=1)]
Schema = TypeVar("Schema", bound=BaseModel)


class Section(BaseModel):
    """A strict section: no unknown key, no conversion of types but a whole number to a float."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def flat(self) -> dict[str, Any]:
        """The values by dotted key, such as `augmentation.shift`."""
        return flatten(self.model_dump(by_alias=True))


def check(schema: type[Schema], value: Any, source: str) -> Schema:
    """Check a value read from the file `source` against a schema.

    Raises:
        UserError: one line for each wrong value: its key, what it is, what is allowed.
    """
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        root = schema.model_json_schema()
        lines = [_explain(dict(e), root) for e in error.errors()]
        raise UserError("\n".join(f"{source}: {line}" for line in lines)) from None


def rows_of(schema: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Rows of (dotted key, what is allowed, description) of all that a schema knows."""
    root = schema.model_json_schema()
    return _rows(root, root, "")


def _rows(node: dict[str, Any], root: dict[str, Any], prefix: str) -> list[tuple[str, str, str]]:
    rows = []
    for key, inner in node["properties"].items():
        inner = _resolve(inner, root)
        if "properties" in inner:
            rows += _rows(inner, root, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, _allowed(inner), inner.get("description", "")))
    return rows


def _explain(error: dict[str, Any], root: dict[str, Any]) -> str:
    """One line for one of pydantic's errors: the key, the value, what is allowed."""
    key, node, parent = "", root, root
    is_key = error["loc"][-1:] == ("[key]",)  # the key itself is wrong, not its value
    for step in error["loc"][:-1] if is_key else error["loc"]:
        parent = node
        name = str(step) if str(step).isprintable() else repr(step)
        name = one_line(name)
        key += f"[{step}]" if isinstance(step, int) else f".{name}" if key else name
        inner = node.get("items") or node.get("additionalProperties")
        inner = inner if isinstance(inner, dict) else {}  # true: anything is allowed
        node = _resolve(node.get("properties", {}).get(step, inner), root)
    match error["type"]:
        case _ if is_key:
            return f"{key}: not a key: {error['msg']}"
        case "extra_forbidden":
            return f"{key}: unknown key; allowed here: {', '.join(parent['properties'])}"
        case "missing":
            return f"{key}: missing; must be {_allowed(node)}"
        case "value_error":  # our own validators name key and value themselves
            return f"{key + '.' if key else ''}{error['ctx']['error']}"
        case _:
            allowed = f"must be {_allowed(node)}" if node else error["msg"]
            return f"{key or 'the file'} = {quote(error['input'])}: {allowed}"


def _resolve(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    return root["$defs"][node["$ref"].split("/")[-1]] if "$ref" in node else node


def _allowed(node: dict[str, Any]) -> str:
    """What a node of a JSON schema allows, in words."""
    if "enum" in node:
        return " or ".join(map(str, node["enum"]))
    if "anyOf" in node:
        return " or ".join(map(_allowed, node["anyOf"]))
    if node["type"] == "null":
        return "null"
    if node["type"] == "array":
        least, most = node.get("minItems", 0), node.get("maxItems")
        size = f"at least {least}, " if least else ""
        size = f"{least} to {most}, " if most else size
        size = f"{most}, " if least == most else size
        return f"a list ({size}each {_allowed(node['items'])})"
    if keys := node.get("propertyNames", {}).get("enum"):
        return f"a section of the keys {', '.join(keys)}"
    if "pattern" in node:
        return f"text of the form {node['pattern']}"
    if "maxLength" in node:
        return f"text of {node.get('minLength', 0)} to {node['maxLength']} characters"
    names = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
    names |= {"string": "text", "object": "a section of keys and values"}
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = " and ".join(f"{sign} {node[key]}" for key, sign in signs.items() if key in node)
    return f"{names[node['type']]} {bounds}".strip()
