"""What a killed DVC or a full disk leaves behind, and what of it must go before DVC starts again.

DVC notes in .dvc/tmp/rwlock which process works on which file, and writes these notes, like
dvc.lock, in place: a process that is killed meanwhile, or that finds the disk full, leaves
them empty or cut, and then every command of DVC refuses to start. Whole notes are in the way,
too, once the number of their process is another's, which in a restarted container is soon.
"""

import json
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from digits.base import files
from digits.base.errors import UserError

NOTES = Path(".dvc/tmp/rwlock")
LOCK = Path("dvc.lock")
CACHE = Path(".dvc/cache/files/md5")


def mend(root: Path = Path()) -> str:
    """Remove of DVC's notes and of dvc.lock what DVC stumbles over, if it does not work here.

    Returns:
        What was done, in one line; empty where there was nothing to do.

    Raises:
        UserError: the notes are unreadable while a DVC is at work.
    """
    if not find_spec("dvc"):  # the recogniser alone is installed: nothing stumbles
        return ""
    return "; ".join(filter(None, [_mend_notes(root), _mend_lock(root)]))


def clear_cache(root: Path = Path()) -> str:
    """Remove the files that DVC had begun to copy to its cache; `dvc gc` does not see them.

    Returns:
        What was done, in one line; empty where there was nothing to do.
    """
    begun = [] if _workers(root.resolve()) else list((root / CACHE).glob("*/.*.tmp"))
    for path in begun:
        path.unlink(missing_ok=True)
    return f"removed what was copied in part from {CACHE}: {len(begun)}" if begun else ""


def _mend_notes(root: Path) -> str:
    notes = root / NOTES
    try:
        left = _gone(_read(notes))
    except ValueError:
        return _remove_damaged(notes, root)
    return _forget(notes) if left else ""


def _read(notes: Path) -> dict[str, Any]:
    """The notes: `{"write": {path: entry}, "read": {path: [entry, ...]}}`, or nothing at all.

    Raises:
        ValueError: they are not what DVC writes.
    """
    try:
        found = json.loads(notes.read_bytes())
    except FileNotFoundError:
        return {}
    if found == {}:  # as ever but while DVC works: most commands need not import it
        return {}
    from dvc.rwlock import SCHEMA
    from voluptuous import Invalid

    try:
        checked: dict[str, Any] = SCHEMA(found)
    except Invalid as error:
        raise ValueError(str(error)) from None
    return checked


def _remove_damaged(notes: Path, root: Path) -> str:
    if pids := _workers(root.resolve()):
        raise UserError(
            f"{NOTES} is damaged, and DVC is at work as process {', '.join(map(str, pids))}: wait "
            "until it has ended, then run `digits mend`"
        )
    try:
        _read(notes)  # it was being written a moment ago
    except ValueError:
        notes.unlink(missing_ok=True)
        return f"removed {NOTES}: a killed DVC had left it damaged"
    return ""


def _forget(notes: Path) -> str:
    """Take the entries of processes that are gone out of the notes, as DVC changes them."""
    from dvc.lock import LockError, make_lock

    try:
        with make_lock(str(notes.with_name("rwlock.lock")), tmp_dir=str(notes.parent)):
            found = _read(notes)
            gone = _gone(found)
            write = {k: entry for k, entry in found.get("write", {}).items() if entry not in gone}
            read = {
                path: kept
                for path, entries in found.get("read", {}).items()
                if (kept := [entry for entry in entries if entry not in gone])
            }
            files.write_text(notes, json.dumps({"write": write, "read": read}))
    except (LockError, ValueError):  # a DVC is at work on them: it says what it finds
        return ""
    pids = ", ".join(sorted({str(entry["pid"]) for entry in gone}))
    return f"removed from {NOTES}: what a killed DVC, process {pids}, had left"


def _gone(notes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries whose process does not run any more."""
    entries = list(notes.get("write", {}).values())
    entries += [entry for several in notes.get("read", {}).values() for entry in several]
    return [entry for entry in entries if not _runs(entry["pid"], entry["cmd"])]


def _runs(pid: int, command: str) -> bool:
    """Whether a process is still the one that noted its number and its `sys.argv`."""
    import psutil

    if pid == os.getpid():
        return False
    try:
        process = psutil.Process(pid)
        # Where nobody collects dead processes, as in many containers, they stay as zombies.
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        line = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # another user's
        return True
    # `python -m dvc repro` notes the file of the module.
    module = (line.partition(" -m ")[2].split() or [""])[0].replace(".", "/")
    return line.endswith(command) or (bool(module) and module in command)


def _mend_lock(root: Path) -> str:
    """Take out of dvc.lock the entry that was being written, whose stage DVC then runs again."""
    path = root / LOCK
    if not _is_cut(path) or _workers(root.resolve()) or not _is_cut(path):
        return ""
    # What was cut may end within a character.
    text = path.read_text(encoding="utf-8", errors="replace")
    whole = re.split(r"^(?=  \S)", text, flags=re.MULTILINE)[:-1]
    if len(whole) > 1:
        files.write_text(path, "".join(whole))
        return f"removed the last entry from {LOCK}, which was written in part"
    path.unlink(missing_ok=True)
    return f"removed {LOCK}, which was written in part: `dvc repro` writes it anew"


def _is_cut(path: Path) -> bool:
    """Whether a file is without the newline that DVC ends it with."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            return file.read() != b"\n"
    except (FileNotFoundError, IsADirectoryError):
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
