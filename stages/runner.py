"""What every stage's command line shares: --help, the check of the parameters, errors."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from digits import garbage, params
from digits.base.errors import UserError, explain
from digits.base.text import printable

KILLED = 128 + signal.SIGTERM  # as a shell reports it
INTERRUPTED = 128 + signal.SIGINT


def run(main: Callable[..., None], stage: str, *, of_model: bool = False) -> NoReturn:
    """Check the parameters, run a stage's `main` on them, and exit.

    Args:
        main: takes the parameters and, with `of_model`, a model's name.
        stage: the name of the stage, of its module and of its section in params.yaml.
        of_model: whether the command line names a model.
    """
    garbage.collect_rarely()
    rows = params.table(stage) or params.table()
    parser = argparse.ArgumentParser(
        prog=f"python3 -m stages.{stage}",
        description=main.__globals__["__doc__"],
        epilog="parameters, in params.yaml:\n"
        + "\n".join(f"  {key:<33} {allowed}: {text}" for key, allowed, text in rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if of_model:
        parser.add_argument("model", help="one of `models` in params.yaml")
    arguments = vars(parser.parse_args())
    signal.signal(signal.SIGTERM, _stop)
    try:
        checked = params.load()
        if of_model and arguments["model"] not in checked.models:
            allowed = " or ".join(checked.models)
            raise UserError(f"model {arguments['model']!r}: must be {allowed}, see params.yaml")
        main(checked, **arguments)
    except (UserError, OSError) as error:  # OSError: a full disk, a missing permission
        sys.exit("\n".join(f"{stage}: {line}" for line in printable(explain(error)).splitlines()))
    except KeyboardInterrupt:
        print(f"{stage}: interrupted", file=sys.stderr)
        _leave(INTERRUPTED)
    except SystemExit as error:
        if error.code == KILLED:  # what the handler of SIGTERM raised
            _leave(KILLED)
        raise
    sys.exit(0)


def _stop(*_: object) -> NoReturn:
    """Raise, so that `finally` runs; to its end: `timeout` sends SIGTERM twice."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(KILLED)


def _leave(code: int) -> NoReturn:
    """End at once: Python's own end frees what TensorFlow's threads still use, and may abort."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
