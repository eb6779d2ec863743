"""The command line `digits`: daily work with experiments, reviews and models.

A command's heavy imports are inside it: `digits --help` answers at once.
"""

import os
import sys
from pathlib import Path

import typer

from digits.errors import UserError

app = typer.Typer(
    name="digits",
    help="Experiments, reviews and promotion, where DVC and MLflow meet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def at_root() -> None:
    """Experiments, reviews and promotion, where DVC and MLflow meet."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "dvc.yaml").exists():
            os.chdir(folder)
            return
    raise UserError(f"{Path.cwd()}: no dvc.yaml here or in a folder above")


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and exit code 1."""
    try:
        app()
    except (UserError, OSError) as error:
        sys.exit("\n".join(f"digits: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
