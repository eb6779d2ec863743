"""The profiles, sets of parameters for a purpose: a file in profiles/ each, a value a line."""

from pathlib import Path

from digits.base import schema, yaml12
from digits.params import Params

PROFILES = Path("profiles")


def settings(profile: str) -> list[str]:
    """Read the `key=value` lines of a profile, as `dvc exp run -S` takes them."""
    lines = (PROFILES / profile).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def params_of(profile: str) -> Params:
    """Load params.yaml with a profile's values, or as it is where the name is empty."""
    values = yaml12.read(Path("params.yaml"))
    for setting in settings(profile) if profile else []:
        key, _, value = setting.partition("=")
        *path, last = key.split(".")
        section = values
        for step in path:
            section = section[step]
        section[last] = yaml12.parse(value)
    return schema.check(Params, values, f"profiles/{profile}")
