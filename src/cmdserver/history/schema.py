"""The tables of the history, and the views by which people read it with ``sqlite3``.

Rules: a migration that was ever released is never changed, another one is added; a new file is made by all of them in
turn. Only what SQLite 3.34 knows is used, which the oldest supported hosts have. Columns by which runs are found stand
before those that may be long, so that these need not be read.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

#: "cmds", by which file(1) and we know the file; see `PRAGMA application_id`.
APPLICATION_ID: Final = 0x636D6473

#: The statements of one version.
Migration = tuple[str, ...]

_RUNS: Final = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,     -- larger than that of each run that was asked for before
    id TEXT NOT NULL,               -- of the request that asked first
    command TEXT NOT NULL,
    state TEXT NOT NULL,            -- queued, running, ok, failed, timeout, truncated, stopped, fault, lost
    user TEXT,                      -- who asked first; NULL for the anonymous
    protocol TEXT NOT NULL,
    asked_at REAL NOT NULL,         -- seconds since 1970, UTC
    started_at REAL,
    duration_seconds REAL,
    exit_status INTEGER,
    signal TEXT,
    ended_by TEXT,                  -- caller, stop, disconnect, limit, shutdown
    stopped_by TEXT,
    truncated INTEGER NOT NULL,
    stdout_bytes INTEGER NOT NULL,
    stderr_bytes INTEGER NOT NULL,
    kept_bytes INTEGER NOT NULL,    -- of output that is kept
    arguments TEXT NOT NULL,        -- a JSON array
    problem TEXT
)"""

_REQUESTS: Final = """
CREATE TABLE requests (
    id TEXT PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,      -- 0 is who asked first
    user TEXT
) WITHOUT ROWID"""

_OUTPUT: Final = """
CREATE TABLE output (
    run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    stream TEXT NOT NULL,           -- stdout, stderr; omitted: data says how many bytes are missing
    data BLOB NOT NULL,
    PRIMARY KEY (run, position)
)"""

_HISTORY: Final = """
CREATE VIEW history AS SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', asked_at, 'unixepoch') AS asked,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at + duration_seconds, 'unixepoch') AS ended,
    command, arguments, user, protocol, state, exit_status, signal, ended_by, stopped_by, problem, duration_seconds,
    stdout_bytes, stderr_bytes, kept_bytes, truncated, id, number
FROM runs ORDER BY number DESC"""

_HISTORY_OUTPUT: Final = """
CREATE VIEW history_output AS SELECT
    requests.id AS id, output.position AS position, output.stream AS stream,
    CASE output.stream WHEN 'omitted' THEN '[' || CAST(output.data AS TEXT) || ' bytes are missing]'
        ELSE CAST(output.data AS TEXT) END AS text
FROM output JOIN requests ON requests.run = output.run ORDER BY output.run, output.position"""

_HISTORY_WITH_CHECKS: Final = _HISTORY.replace("state, exit_status", "state, check_state, check_text, exit_status")

MIGRATIONS: Final[tuple[Migration, ...]] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        _RUNS,
        _REQUESTS,
        _OUTPUT,
        "CREATE INDEX runs_by_command ON runs (command, number, state)",
        "CREATE INDEX runs_by_state ON runs (state, number)",
        "CREATE INDEX runs_by_time ON runs (asked_at)",
        "CREATE INDEX requests_by_run ON requests (run, position, user)",
        "CREATE INDEX requests_by_user ON requests (user, run) WHERE user IS NOT NULL",
        _HISTORY,
        _HISTORY_OUTPUT,
    ),
    (
        # For whoever asks what was last.
        "CREATE INDEX runs_by_asker ON runs (command, user, state, number)",
        "CREATE INDEX requests_that_share ON requests (position, run, user) WHERE position > 0",
    ),
    (
        # 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; NULL for what is no check.
        "ALTER TABLE runs ADD COLUMN check_state INTEGER",
        "ALTER TABLE runs ADD COLUMN check_text TEXT",
        "DROP VIEW history",
        _HISTORY_WITH_CHECKS,
    ),
)

#: What must be there; more, such as an administrator's index or view, does no harm.
_COLUMNS: Final = """
SELECT tables.name, columns.name FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
WHERE tables.type = 'table'"""


def version_of(connection: sqlite3.Connection) -> int:
    """Say which version a file has: 0 is one without anything in it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring a file, or an empty one, to the newest version; each step is made wholly or not at all.

    Args:
        connection: Without transactions of its own.
        migrations: From version 0 on.
    """
    for version in range(version_of(connection), len(migrations)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in migrations[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def is_ours(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> bool:
    """Whether the tables are those of the newest version, and nothing acts by itself when they are written.

    A trigger would be somebody's program that runs as the daemon.
    """
    if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'trigger'").fetchone() is not None:
        return False
    model = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(model, migrations)
        return set(model.execute(_COLUMNS)) <= set(connection.execute(_COLUMNS))
    finally:
        model.close()
