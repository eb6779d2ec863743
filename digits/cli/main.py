"""The command line `digits`: daily work with experiments, reviews and models.

A command's heavy imports are inside it: `digits --help` answers at once.
"""

import sys

from digits.base.errors import UserError
from digits.cli import experiments, importing, promotion, recognition, review, serving  # noqa: F401
from digits.cli.app import app


def main() -> None:
    """Run the command line; a user's mistake ends it with one line and exit code 1."""
    try:
        app()
    except (UserError, OSError) as error:
        sys.exit("\n".join(f"digits: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
