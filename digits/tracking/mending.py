"""What a killed DVC leaves behind, and what of it must go before anything starts again.

DVC notes in .dvc/tmp/rwlock who works on which file. A process that is killed between
opening and writing it leaves it empty, and then every command of DVC refuses to start.
"""

import json
import os
from pathlib import Path

from digits.base.errors import UserError

NOTES = Path(".dvc/tmp/rwlock")


def mend(root: Path = Path()) -> str:
    """Remove DVC's notes if they are unreadable and no DVC works in this workspace.

    Returns:
        What was done, in one line; empty where there was nothing to do.

    Raises:
        UserError: the notes are unreadable while a DVC is at work.
    """
    notes = root / NOTES
    if _is_readable(notes):
        return ""
    if pids := _workers(root.resolve()):
        raise UserError(
            f"{NOTES} is damaged, and DVC is at work as process {', '.join(map(str, pids))}: wait "
            "until it has ended, then run `digits mend`"
        )
    if _is_readable(notes):  # it was being written a moment ago
        return ""
    notes.unlink(missing_ok=True)
    return f"removed {NOTES}: a killed DVC had left it damaged"


def _is_readable(notes: Path) -> bool:
    try:
        return isinstance(json.loads(notes.read_bytes()), dict)
    except FileNotFoundError:
        return True
    except ValueError:
        return False


def _workers(root: Path) -> list[int]:
    """The processes of DVC in a workspace or below it, but for this one and those above it."""
    import psutil  # a rare need, and no part of the recogniser alone

    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()[:3]
            is_dvc = any(Path(word).name == "dvc" for word in words)
            is_here = process.pid not in own and Path(process.cwd()).is_relative_to(root)
            if is_dvc and is_here and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):  # it has ended, or is another user's
            continue
    return found
