"""Pages from templates. HTML ones are one file each: no script, no network, pictures inside."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def render(template: Path, **values: Any) -> str:
    """Fill a template; in HTML, values are escaped."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(values)


def embed(picture: Path) -> str:
    """The data URI of a PNG file, for the `src` of an image."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
