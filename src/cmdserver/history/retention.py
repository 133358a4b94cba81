"""How much the history keeps, and which runs go when there are more; within the transaction of whoever calls.

What is still running never goes. Runs that have ended well go before those that have not, and the oldest first.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

#: The last failures of each command stay, however many successes there are.
FAILURES_OF_A_COMMAND: Final = 20
DAY_SECONDS: Final = 86_400

#: The output of one run has at most this part of the file, or it would drive everything else out.
_PART_OF_THE_FILE: Final = 4

#: What a run takes in the file besides its output and its arguments, its indexes included; measured.
ROW_BYTES: Final = 700

_TOO_MANY: Final = """
DELETE FROM runs WHERE number IN (SELECT number FROM runs WHERE state = 'ok' ORDER BY number DESC LIMIT -1 OFFSET ?)"""
_TOO_MANY_FAILURES: Final = """
DELETE FROM runs WHERE number IN (
    SELECT number FROM runs WHERE command = ? AND state NOT IN ('ok', 'queued', 'running')
    ORDER BY number DESC LIMIT -1 OFFSET ?)"""
_TOO_OLD: Final = "DELETE FROM runs WHERE asked_at < ? AND state NOT IN ('queued', 'running')"
_OLDEST_SUCCESSES: Final = "SELECT number, kept_bytes FROM runs WHERE state = 'ok' ORDER BY number LIMIT 256"
_OLDEST_FAILURES: Final = """
SELECT number, kept_bytes FROM runs WHERE state NOT IN ('ok', 'queued', 'running') ORDER BY number LIMIT 256"""
_THESE: Final = "DELETE FROM runs WHERE number IN (SELECT value FROM json_each(?))"


class HistoryLimits(Struct, frozen=True, kw_only=True):
    """What bounds the history; each of them does."""

    #: That have ended well, >= 0; failures are kept besides.
    runs: int = 10_000
    #: Of the output of one run, >= 0.
    output_bytes: int = 1 << 18
    #: Of the file, >= 1, in units of 2**20 bytes; what SQLite keeps beside it is a few more.
    megabytes: int = 256
    #: How old a run may become, >= 1.
    days: int = 30

    @property
    def file_bytes(self) -> int:
        """How large the file may be."""
        return self.megabytes << 20

    @property
    def most_output_bytes(self) -> int:
        """How much is kept of the output of one run, in a file of this size."""
        return min(self.output_bytes, self.file_bytes // _PART_OF_THE_FILE)


def prune(connection: sqlite3.Connection, limits: HistoryLimits, now: float, commands: Iterable[str]) -> None:
    """Remove what is too much or too old.

    Args:
        connection: In a transaction; foreign keys are enforced.
        limits: What may stay.
        now: Seconds since the epoch.
        commands: Of which there may be too many failures.
    """
    connection.execute(_TOO_OLD, (now - limits.days * DAY_SECONDS,))
    connection.execute(_TOO_MANY, (limits.runs,))
    connection.executemany(_TOO_MANY_FAILURES, ((each, FAILURES_OF_A_COMMAND) for each in commands))
    make_room(connection, limits.file_bytes)


def make_room(connection: sqlite3.Connection, most_bytes: int) -> None:
    """Remove the oldest runs until what is left has that many bytes, or nothing is left that may go."""
    while (excess := used_bytes(connection) - most_bytes) > 0:
        oldest = connection.execute(_OLDEST_SUCCESSES).fetchall() or connection.execute(_OLDEST_FAILURES).fetchall()
        if not oldest:
            return
        going = []
        for number, kept_bytes in oldest:
            going.append(number)
            # The column is a hint: somebody may have edited it.
            excess -= ROW_BYTES + (kept_bytes if isinstance(kept_bytes, int) and kept_bytes > 0 else 0)
            if excess <= 0:
                break
        connection.execute(_THESE, (json.dumps(going),))


def used_bytes(connection: sqlite3.Connection) -> int:
    """Count the bytes of the pages that hold something."""
    return (_number(connection, "page_count") - _number(connection, "freelist_count")) * _number(
        connection, "page_size"
    )


def shrink(connection: sqlite3.Connection, most_bytes: int) -> None:
    """Give pages that hold nothing back to the disk, if the file is larger than that; outside of a transaction."""
    excess = _number(connection, "page_count") - most_bytes // _number(connection, "page_size")
    if excess > 0:
        # `execute` would take one step, which is one page.
        connection.executescript(f"PRAGMA incremental_vacuum({excess})")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(found)
