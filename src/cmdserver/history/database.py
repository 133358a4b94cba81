"""The database of runs: one connection, used by one thread at a time.

It knows no reactor and no time: whoever calls waits. What is in the file is believed no more than what a client sends;
a row that is no run is passed over.
"""

import contextlib
import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import nlargest
from pathlib import Path
from typing import Final, Self, assert_never

from cmdserver.history import connecting, retention
from cmdserver.history.changes import Began, Change, Ended, Forgotten
from cmdserver.history.database_file import BESIDE, Identity, is_there
from cmdserver.history.errors import Unavailable
from cmdserver.history.retention import HistoryLimits
from cmdserver.history.rows import (
    INSERT_RUN,
    Row,
    Unreadable,
    output_of,
    pieces_of,
    read_run,
    read_runs,
    requests_of,
    row_of,
    storable,
    storable_user,
)
from cmdserver.history.schema import MIGRATIONS, Migration
from cmdserver.history.trimming import size_of, trimmed, with_few_requests
from cmdserver.runs.history import USUAL_RUNS, KeptRun
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery, Sight
from cmdserver.runs.record import RunRecord

#: What is told of a run that the daemon did not see the end of.
LOST_PROBLEM: Final = "the daemon ended before it did; what it has said is gone"

#: Of changes that SQLite has not put into the file yet: a program that reads for long keeps it from that.
_MOST_LOG_BYTES: Final = 64 << 20
#: Of the output of a run, as it is read: there is less, unless somebody has edited the file.
_MOST_OUTPUT_BYTES: Final = 1 << 25
#: No run is asked for after this one.
_LAST_NUMBER: Final = (1 << 63) - 1

_FIND: Final = """
SELECT number FROM runs
WHERE command IN (SELECT value FROM json_each(:all)) AND number < :before
AND (state = :state OR (:state IS NULL AND state NOT IN ('queued', 'running')))
AND (:user IS NULL OR EXISTS (SELECT 1 FROM requests WHERE requests.run = number AND requests.user = :user))
UNION
SELECT number FROM requests AS mine CROSS JOIN runs ON number = mine.run
WHERE mine.user = :me AND mine.run < :before AND command IN (SELECT value FROM json_each(:own))
AND (state = :state OR (:state IS NULL AND state NOT IN ('queued', 'running')))
AND (:user IS NULL OR EXISTS (SELECT 1 FROM requests WHERE requests.run = number AND requests.user = :user))
ORDER BY number DESC"""
_OUTPUT: Final = "SELECT stream, data FROM output WHERE run = ? ORDER BY position"
#: One step for each command, not one for each run.
_COMMANDS: Final = """
WITH RECURSIVE names (name) AS (
    SELECT min(command) FROM runs UNION ALL
    SELECT (SELECT min(command) FROM runs WHERE command > name) FROM names WHERE name IS NOT NULL)
SELECT name FROM names WHERE name IS NOT NULL"""
_DURATIONS: Final = """
SELECT number, duration_seconds FROM runs WHERE command = ? AND state = 'ok' AND duration_seconds >= 0
ORDER BY number DESC LIMIT ?"""
#: Of those who have asked first, then of those who have asked, too: few runs have such.
_NEWEST: Final = """
SELECT command, user, max(newest), max(success) FROM (
    SELECT command, user, max(number) AS newest, max(CASE state WHEN 'ok' THEN number END) AS success FROM runs
    WHERE state NOT IN ('queued', 'running') GROUP BY command, user
    UNION ALL
    SELECT command, others.user, number, CASE state WHEN 'ok' THEN number END
    FROM requests AS others CROSS JOIN runs ON number = others.run
    WHERE others.position > 0 AND state NOT IN ('queued', 'running'))
GROUP BY command, user"""
_LOSE: Final = """
UPDATE runs SET state = 'lost', problem = ?, duration_seconds = NULL
WHERE state IN ('queued', 'running') AND number NOT IN (SELECT value FROM json_each(?))"""


class Database:
    """A history that is open; see `open`.

    Each method may raise `Unavailable` or `Corrupt`; then nothing was changed.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, identity: Identity) -> None:
        self.path = path
        self._connection = connection
        self._identity = identity

    @classmethod
    def open(cls, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Self:
        """Open a history, and make it if it is not there.

        Args:
            path: Its directory must be there.
            migrations: By which older versions become the newest.

        Raises:
            Unavailable: It cannot be opened now.
            Corrupt: It is damaged.
            NotOurs: It is something else, or of a newer version.
        """
        return cls(path, *connecting.connect(path, migrations))

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still where it was opened: if not, what is written to it is written for nobody."""
        return is_there(self.path, self._identity)

    def close(self) -> None:
        """Close it; what was written stays written, whether this works or not."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def lose(self, alive: Collection[int]) -> None:
        """Mark runs as lost that are not over, but for those that go on.

        Args:
            alive: The numbers of those.
        """
        with self._transaction():
            self._connection.execute(_LOSE, (LOST_PROBLEM, json.dumps([*alive])))
            # Left by somebody who has deleted runs and no more.
            for table in ("output", "requests"):
                self._connection.execute(f"DELETE FROM {table} WHERE run NOT IN (SELECT number FROM runs)")  # noqa: S608

    def write(self, changes: Iterable[Change], limits: HistoryLimits, now: float) -> None:
        """Make changes, and keep to the limits: all at once, or nothing.

        Args:
            changes: The last for a run counts.
            limits: What may be kept.
            now: Seconds since the epoch.
        """
        self._require_small_log()
        latest = {each.record.number: each for each in changes}
        with self._transaction():
            retention.make_room(self._connection, limits.file_bytes - sum(map(_bytes_of, latest.values())))
            for change in latest.values():
                self._apply(change, limits)
            touched = {storable(each.record.command) for each in latest.values() if isinstance(each, Ended)}
            retention.prune(self._connection, limits, now, touched)
        self._shrink(limits)

    def prune(self, limits: HistoryLimits, now: float) -> None:
        """Remove what new limits do not allow.

        Args:
            limits: What may be kept.
            now: Seconds since the epoch.
        """
        with self._transaction():
            retention.prune(self._connection, limits, now, self.commands())
        self._shrink(limits)

    def find(self, query: RunQuery, sight: Sight, before: int | None) -> tuple[RunRecord, ...]:
        """List runs that are over, newest first; see `is_listed`."""
        found: list[RunRecord] = []
        for number in self._numbers(query, sight, before):
            with contextlib.suppress(Unreadable):
                record = self._record(number)
                if sight.includes(record) and query.matches(record) and (before is None or record.number < before):
                    found.append(record)
            if len(found) >= query.limit:
                break
        return tuple(found)

    def get(self, request_id: str) -> KeptRun | None:
        """Look a run that is over up, by the id of any request that shares it; None if there is none."""
        if storable(request_id) != request_id:
            return None
        with connecting.translated(self.path), contextlib.suppress(Unreadable):
            for (number,) in self._connection.execute(
                "SELECT run FROM requests WHERE id = ?", (request_id,)
            ).fetchall():
                record = self._record(number)
                return None if record.state.is_alive else KeptRun(record, self._output(number))
        return None

    def commands(self) -> frozenset[str]:
        """Name the commands of which there are runs."""
        with connecting.translated(self.path):
            return frozenset(name for (name,) in self._connection.execute(_COMMANDS) if isinstance(name, str))

    def durations(self, command: str) -> dict[int, float]:
        """Say how long the last successes of a command have run, in seconds, by their numbers."""
        with connecting.translated(self.path):
            rows = self._connection.execute(_DURATIONS, (storable(command), USUAL_RUNS)).fetchall()
        return {number: seconds for number, seconds in rows if isinstance(seconds, float) and math.isfinite(seconds)}

    def newest(self, most_users: int) -> tuple[RunRecord, ...]:
        """Find of each command the newest run and the newest success of each who has asked for one, in any order.

        Args:
            most_users: Of each command and kind: of those who have asked last.
        """
        numbers: dict[tuple[object, int], list[int]] = {}
        with connecting.translated(self.path):
            for command, _, *newest in self._connection.execute(_NEWEST):
                for kind, number in enumerate(newest):
                    if number is not None:
                        numbers.setdefault((command, kind), []).append(number)
            wanted = {number for each in numbers.values() for number in nlargest(most_users, each)}
            return tuple(read_runs(self._connection, wanted))

    def _numbers(self, query: RunQuery, sight: Sight, before: int | None) -> Iterator[int]:
        """Find runs that may be meant; who reads them looks again, as the file may say one thing and mean another."""
        if query.state is not None and query.state.is_alive:
            return
        everybodys, own = sight.all, sight.own
        if query.command is not None:
            everybodys, own = everybodys & {query.command}, own & {query.command}
        values = {
            "all": json.dumps([*everybodys]),
            "own": json.dumps([*own]),
            "me": storable_user(sight.user),
            "user": storable_user(query.user),
            "state": query.state and str(query.state),
            "before": _LAST_NUMBER if before is None else before,
        }
        with connecting.translated(self.path):
            for (number,) in self._connection.execute(_FIND, values):
                yield number

    def _record(self, number: int) -> RunRecord:
        with connecting.translated(self.path):
            return read_run(self._connection, number)

    def _output(self, number: int) -> KeptOutput:
        rows: list[Row] = []
        room = _MOST_OUTPUT_BYTES
        with connecting.translated(self.path), contextlib.suppress(sqlite3.DataError):
            for stream, data in self._connection.execute(_OUTPUT, (number,)):
                room -= len(data) if isinstance(data, bytes) else 0
                if room < 0:
                    break
                rows.append((stream, data))
        return output_of(rows)

    def _apply(self, change: Change, limits: HistoryLimits) -> None:
        self._connection.execute("DELETE FROM runs WHERE number = ?", (change.record.number,))
        match change:
            case Began(record):
                self._insert(record, KeptOutput())
            case Ended(record, output):
                self._insert(record, trimmed(output, limits.most_output_bytes))
            case Forgotten():
                pass
            case _:
                assert_never(change)

    def _insert(self, record: RunRecord, output: KeptOutput) -> None:
        record = with_few_requests(record)
        self._connection.execute(INSERT_RUN, row_of(record, size_of(output)))
        self._connection.executemany("INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?)", requests_of(record))
        pieces = ((record.number, position, *piece) for position, piece in enumerate(pieces_of(output)))
        self._connection.executemany("INSERT INTO output VALUES (?, ?, ?, ?)", pieces)

    def _shrink(self, limits: HistoryLimits) -> None:
        # What was written is written: that the file is too large for now is no reason to write it again.
        with contextlib.suppress(Unavailable), connecting.translated(self.path):
            retention.shrink(self._connection, limits.file_bytes)

    def _require_small_log(self) -> None:
        log = self.path.with_name(self.path.name + BESIDE[0])
        try:
            is_small = log.stat().st_size <= _MOST_LOG_BYTES
        except OSError:
            return
        if not is_small:
            with connecting.translated(self.path):
                (is_busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                raise Unavailable(f"another program reads {self.path} for so long that {log} becomes too large")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with connecting.translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has done so itself when the disk was full.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _bytes_of(change: Change) -> int:
    return retention.ROW_BYTES + (size_of(change.output) if isinstance(change, Ended) else 0)
