"""The command line `digits`: daily work with experiments, reviews and models.

A command's heavy imports are inside it: `digits --help` answers at once.
"""

import sys

from digits import garbage
from digits.base.errors import UserError, explain
from digits.base.text import printable
from digits.cli import (  # noqa: F401
    checking,
    collection,
    experiments,
    importing,
    page,
    promotion,
    recognition,
    review,
    scoring,
    serving,
    sweeping,
    verify,
)
from digits.cli.app import app


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and exit code 1."""
    garbage.collect_rarely()
    try:
        app()
    except ModuleNotFoundError as error:
        sys.exit(f"digits: {_missing(error)}")
    except (UserError, OSError) as error:
        sys.exit("\n".join(f"digits: {line}" for line in printable(explain(error)).splitlines()))


def _missing(error: ModuleNotFoundError) -> str:
    """Say what to do where a package is missing that only some commands need."""
    module = str(error.name).partition(".")[0]
    if module == "digits":
        raise error
    return (
        f"{' '.join(sys.argv[1:2])}: needs {module}, of the extra `pipeline`: in a checkout "
        "`make setup`, or `pip install '.[pipeline]'`, installs it"
    )


if __name__ == "__main__":
    main()
