"""The metrics.json that each stage writes: numbers by name, sections of them inside."""

import json
from typing import Any

from digits.base.errors import UserError
from digits.base.text import one_line, quote
from digits.base.yaml12 import flatten


def parse_metrics(content: str | bytes, source: str) -> dict[str, Any]:
    """Read the content of a metrics.json.

    Returns:
        Numbers, and mappings of them, by name.

    Raises:
        UserError: it is anything else: cut off, binary, in conflict, text for a number.
    """
    try:
        values = json.loads(content)
        if not isinstance(values, dict):
            raise ValueError(f"it is {quote(values)}")
        for key, value in flatten(values).items():
            if not isinstance(value, int | float):
                raise ValueError(f"{one_line(key)} is {quote(value)}, which is no number")
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{source}: not what its stage writes: {one_line(error)}; `dvc repro` writes it anew"
        ) from None
    return values
