"""What is removed from the file of collected digits: by wish, by age, for want of room."""

import sqlite3


def forget(
    connection: sqlite3.Connection, session: str | None = None, before: float | None = None
) -> int:
    """Remove a session, or all before a time, also from the free space of the file.

    Returns:
        How many digits were removed.
    """
    column, value = ("session =", session) if session is not None else ("time <", before)
    with connection:
        removed = connection.execute(f"DELETE FROM digits WHERE {column} ?", [value])  # noqa: S608
        connection.execute(f"DELETE FROM pictures WHERE {column} ?", [value])  # noqa: S608
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA incremental_vacuum").fetchall()
    return removed.rowcount


def trim(connection: sqlite3.Connection, most_bytes: int, oldest: float) -> int:
    """Remove what is older than a time, then the oldest tenth until the file is small enough.

    Returns:
        How many digits were removed.
    """
    removed = connection.execute("DELETE FROM digits WHERE time < ?", [oldest]).rowcount
    connection.execute("DELETE FROM pictures WHERE time < ?", [oldest])
    while _bytes(connection) > most_bytes:
        (count,) = connection.execute("SELECT COUNT(*) FROM digits").fetchone()
        pick = "SELECT time FROM digits ORDER BY time LIMIT 1 OFFSET ?"
        found = connection.execute(pick, [min(count // 10 + 1, count - 1)]).fetchone()
        if count < 2 or found is None:
            break
        gone = connection.execute("DELETE FROM digits WHERE time <= ?", [found["time"]])
        connection.execute("DELETE FROM pictures WHERE time <= ?", [found["time"]])
        removed += gone.rowcount
    return removed


def _bytes(connection: sqlite3.Connection) -> int:
    """What is in use of the file."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
