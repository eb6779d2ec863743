"""What a user can mend: the one exception for it, and what is said of the system's."""

import errno

WAYS_OUT = {
    errno.ENOSPC: "make room on the disk, then run the same command again",
    errno.EDQUOT: "make room within the quota, then run the same command again",
    errno.EACCES: "make it readable and writable for this user",
    errno.EROFS: "the disk is read-only: make it writable, or work on another",
}


class UserError(Exception):
    """A wrong parameter, bad data, no network: the message names the cause and the way out.

    Whoever runs a command sees the message alone, without a traceback.
    """


def explain(error: UserError | OSError) -> str:
    """Say what went wrong and, of the system's errors too, the way out where it is known."""
    way = WAYS_OUT.get(error.errno) if isinstance(error, OSError) and error.errno else None
    return f"{error}; {way}" if way else str(error)
