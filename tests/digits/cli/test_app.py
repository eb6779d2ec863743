"""What all commands share."""

import pytest
from typer.testing import CliRunner

from digits.cli.main import app


@pytest.mark.parametrize(
    ("command", "default"),
    [
        ("predict", "by default models/cnn if there is one, else the model in the package."),
        ("score", "runs:/ID. [default: models:/mnist@champion]"),
        ("export-page", "runs:/ID. [default: models/cnn]"),
    ],
)
def test_the_help_names_the_default_of_the_model(command: str, default: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"]).output
    assert default in " ".join(said.split())
