"""HTML pages that are one file each: no script, no network, the pictures inside."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """Fill a template of digits/templates; values are escaped."""
    environment = Environment(
        loader=PackageLoader("digits"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)


def embed(picture: Path) -> str:
    """The data URI of a PNG file, for the `src` of an image."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
