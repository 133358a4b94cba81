"""Runs as rows of the database, and rows as runs.

Rule: what is read may have been written by anybody; what is no run raises `Unreadable`, and nothing else.
"""

import contextlib
import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec

from cmdserver.core.output import Stream
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import Asked, RunRecord

#: What SQLite gives and takes.
Value = int | float | str | bytes | None
Row = tuple[Value, ...]

_COLUMNS: Final = (
    "number", "id", "command", "state", "user", "protocol", "asked_at", "started_at", "duration_seconds",
    "exit_status", "signal", "ended_by", "stopped_by", "truncated", "stdout_bytes", "stderr_bytes", "arguments",
    "problem", "check_state", "check_text",
)  # fmt: skip
_SELECT_RUN: Final = f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE number = ?"  # noqa: S608 - of constants
_SELECT_OTHERS: Final = "SELECT id, user FROM requests WHERE run = ? AND position > 0 ORDER BY position LIMIT 99"
_SELECT_RUNS: Final = (
    f"SELECT {', '.join(_COLUMNS)} FROM runs "  # noqa: S608 - of constants
    "WHERE number IN (SELECT value FROM json_each(?))"
)
_SELECT_OTHERS_OF_RUNS: Final = """
SELECT run, id, user FROM requests WHERE run IN (SELECT value FROM json_each(?)) AND position BETWEEN 1 AND 99
ORDER BY run, position"""
INSERT_RUN: Final = (
    f"INSERT INTO runs ({', '.join(_COLUMNS)}, kept_bytes) "  # noqa: S608 - of constants
    f"VALUES ({', '.join('?' * len(_COLUMNS))}, ?)"
)

#: The end of the year 9999, which is the last that people and programs can be told.
_LAST_TIME: Final = 253_402_300_799.0
_OMITTED: Final = "omitted"
_STREAMS: Final = {stream.name.lower(): stream for stream in Stream}
#: Digits of a count of bytes; more are nobody's.
_MOST_DIGITS: Final = 18


class Unreadable(ValueError):  # noqa: N818 - a statement
    """A row is no run: somebody has edited the file."""


def storable(text: str) -> str:
    """Spell what UTF-8 has no bytes for (half of a surrogate pair) as an escape, as SQLite would not take it."""
    return text.encode("utf-8", "backslashreplace").decode()


def storable_user(user: str | None) -> str | None:
    """Take a name that cannot be written as it is for nobody's: spelled otherwise it could be somebody else's."""
    return user if user is None or storable(user) == user else None


def row_of(record: RunRecord, kept_bytes: int) -> Row:
    """Spell a run for `INSERT_RUN`."""
    return (
        record.number,
        storable(record.id),
        storable(record.command),
        str(record.state),
        storable_user(record.user),
        storable(record.protocol),
        record.asked_at,
        record.started_at,
        record.duration_seconds,
        record.exit_status,
        record.signal,
        record.ended_by and str(record.ended_by),
        record.stopped_by and storable(record.stopped_by),
        int(record.truncated),
        record.stdout_bytes,
        record.stderr_bytes,
        json.dumps(record.arguments),
        record.problem and storable(record.problem),
        record.check_state,
        record.check_text and storable(record.check_text),
        kept_bytes,
    )


def requests_of(record: RunRecord) -> Iterator[Row]:
    """Spell the requests that share a run: id, run, position, user."""
    everybody = (Asked(id=record.id, user=record.user), *record.others)
    for position, asked in enumerate(everybody):
        yield storable(asked.id), record.number, position, storable_user(asked.user)


def read_run(connection: sqlite3.Connection, number: int) -> RunRecord:
    """Read a run.

    Raises:
        Unreadable: It is none, or there is none.
        sqlite3.Error: The file cannot be read.
    """
    try:
        row: Row | None = connection.execute(_SELECT_RUN, (number,)).fetchone()
        others = connection.execute(_SELECT_OTHERS, (number,)).fetchall()
    except sqlite3.DataError as error:  # larger than anything that we write
        raise Unreadable(str(error)) from None
    if row is None:
        raise Unreadable("it is not there")
    return record_of(row, others)


def read_runs(connection: sqlite3.Connection, numbers: Collection[int]) -> Iterator[RunRecord]:
    """Read many runs, in any order; what is none is passed over. Raises `sqlite3.Error`."""
    array = json.dumps([*numbers])
    others: dict[Value, list[Row]] = {}
    try:
        rows: list[Row] = connection.execute(_SELECT_RUNS, (array,)).fetchall()
        for number, *other in connection.execute(_SELECT_OTHERS_OF_RUNS, (array,)):
            others.setdefault(number, []).append(tuple(other))
    except sqlite3.DataError:  # one is larger than anything that we write: which?
        for number in numbers:
            with contextlib.suppress(Unreadable):
                yield read_run(connection, number)
        return
    for row in rows:
        with contextlib.suppress(Unreadable):
            yield record_of(row, others.get(row[0], ()))


def record_of(row: Row, others: Iterable[Row]) -> RunRecord:
    """Make a run of what was read.

    Args:
        row: The columns in their order.
        others: Id and user of each other request that shares it.

    Raises:
        Unreadable: It is none.
    """
    fields = dict(zip(_COLUMNS, row, strict=True))
    arguments, truncated = fields["arguments"], fields["truncated"]
    if not isinstance(arguments, str) or truncated not in {0, 1}:
        raise Unreadable("it has no arguments, or is neither truncated nor not")
    try:
        values = json.loads(arguments)
        shared = [{"id": each, "user": user} for each, user in others]
        more = {"arguments": values, "truncated": bool(truncated), "others": shared}
        record = msgspec.convert(fields | more, RunRecord)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    _require_plausible(record)
    return record


def _require_plausible(record: RunRecord) -> None:
    times = [record.asked_at, *(each for each in (record.started_at, record.duration_seconds) if each is not None)]
    if not all(math.isfinite(each) and 0 <= each <= _LAST_TIME for each in times):
        raise Unreadable("it has a time that there is not")
    if min(record.number, record.stdout_bytes, record.stderr_bytes) < 0:
        raise Unreadable("it has a negative number")


def pieces_of(output: KeptOutput) -> Iterator[tuple[str, bytes]]:
    """Spell the output of a run: stream and data, in the order of their positions."""
    for stream, data in output.first:
        yield stream.name.lower(), data
    if output.omitted_bytes:
        yield _OMITTED, b"%d" % output.omitted_bytes
    for stream, data in output.last:
        yield stream.name.lower(), data


def output_of(rows: Iterable[Row]) -> KeptOutput:
    """Read output; a piece that is none is left out.

    Args:
        rows: Stream and data, in the order of their positions.
    """
    parts: tuple[list[tuple[Stream, bytes]], list[tuple[Stream, bytes]]] = ([], [])
    omitted_bytes = 0
    for stream, data in rows:
        if not isinstance(data, bytes) or not isinstance(stream, str):
            continue
        if stream == _OMITTED and data.isdigit() and len(data) <= _MOST_DIGITS:
            omitted_bytes += int(data)
        elif stream in _STREAMS:
            parts[bool(omitted_bytes)].append((_STREAMS[stream], data))
    return KeptOutput(tuple(parts[0]), omitted_bytes, tuple(parts[1]))
