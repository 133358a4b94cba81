"""Opens the database of a history: its version, its settings, and whether it is whole.

The settings are those that SQLite's "Defense Against The Dark Arts" has for files that others may have written.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cmdserver.history.database_file import Identity, is_there, prepare
from cmdserver.history.errors import Corrupt, NotOurs, OtherVersion, Unavailable
from cmdserver.history.schema import APPLICATION_ID, Migration, is_ours, migrate, version_of
from cmdserver.history.working_directory import is_barred, open_by_working_directory

#: How long somebody else's lock is waited for.
BUSY_SECONDS: Final = 0.2
#: Of one value: more than any that we write.
MOST_VALUE_BYTES: Final = 1 << 25

_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_SETTINGS: Final = (
    # Functions in the schema are those that can do no harm.
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA synchronous = NORMAL",
    # In pages: what is read at a start, at most, when the daemon was killed.
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA journal_size_limit = 8388608",
)


def connect(path: Path, migrations: Sequence[Migration]) -> tuple[sqlite3.Connection, Identity]:
    """Open a file, bring it to the newest version, and look whether it is whole; see `Database.open`."""
    with translated(path):
        identity = prepare(path)
        if is_barred(path):
            open_by_working_directory()
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # it is used by one at a time, whichever that is
        )
        try:
            _set_up(connection, path, migrations)
            _require_in_place(path, identity)
        except BaseException:
            connection.close()
            raise
    return connection, identity


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what the system and SQLite say of a file in words of ours."""
    try:
        yield
    except sqlite3.Error as error:
        kind = Corrupt if getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT else Unavailable
        raise kind(f"{path}: {error}") from error
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error


def _set_up(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_VALUE_BYTES)
    connection.text_factory = _text
    for setting in _SETTINGS:
        connection.execute(setting)
    _require_ours(connection, path)
    version = version_of(connection)
    if version > len(migrations):
        raise OtherVersion(f"{path} is of version {version}, and this daemon knows {len(migrations)} at most")
    if version == 0:
        # Before there is a table, or never. The first version is written without a log beside the file, so that
        # whoever looks at its beginning always finds whose it is.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    migrate(connection, migrations)
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise Corrupt(f"{path} is damaged")
    if not is_ours(connection, migrations):
        raise NotOurs(f"{path} has not the tables of a history, or triggers")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    is_empty = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    if application_id != APPLICATION_ID and not (is_empty and application_id == 0 and version_of(connection) == 0):
        raise NotOurs(f"{path} is another program's database")


def _require_in_place(path: Path, identity: Identity) -> None:
    """Refuse a file that somebody has put there between our look at it and SQLite's."""
    if not is_there(path, identity):
        raise Unavailable(f"{path} was replaced while it was opened")


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
