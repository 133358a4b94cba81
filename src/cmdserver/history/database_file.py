"""The file of a history before SQLite opens it: made for us alone, no link, and moved aside when it is damaged.

Rule: no file of a database is opened here while SQLite has it open, as to close it would take SQLite's locks from it
(fcntl(2), "Record locks": they are gone when the process closes *any* descriptor of the file).
"""

import contextlib
import os
import stat
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cmdserver.files.safe_path import open_safely
from cmdserver.history.errors import Corrupt, NotOurs
from cmdserver.history.schema import APPLICATION_ID

#: What SQLite keeps beside the file: changes that are not yet in it, and who reads them.
BESIDE: Final = ("-wal", "-shm")
#: Damaged files that are kept, for whoever wants to know what has happened.
MOST_MOVED_ASIDE: Final = 3

_FLAGS: Final = os.O_RDWR | os.O_CREAT
_CAREFULLY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: See "The Database Header" in SQLite's "Database File Format".
_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_APPLICATION_ID: Final = struct.Struct(">68xI28x")

#: Device and inode.
Identity = tuple[int, int]


def prepare(path: Path) -> Identity:
    """Make the file with mode 0600 if it is not there, and look at it: the mode of one that is there is left.

    Raises:
        Corrupt: It is no database.
        NotOurs: It is a link or no regular file, or another program's database.
        OSError: It cannot be opened or made.
    """
    for name in (path, *(path.with_name(path.name + end) for end in BESIDE)):
        _require_regular(name)
    descriptor = open_safely(path, _FLAGS) if os.geteuid() == 0 else os.open(path, _FLAGS | _CAREFULLY, 0o600)
    try:
        status = os.fstat(descriptor)
        header = os.pread(descriptor, _HEADER_BYTES, 0)
    finally:
        os.close(descriptor)
    if header and (len(header) < _HEADER_BYTES or not header.startswith(_MAGIC)):
        raise Corrupt(f"{path} is no SQLite database")
    if header and _APPLICATION_ID.unpack(header)[0] not in {0, APPLICATION_ID}:
        raise NotOurs(f"{path} is another program's database")
    return status.st_dev, status.st_ino


def is_there(path: Path, identity: Identity) -> bool:
    """Whether a file is still in its place."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity


def move_aside(path: Path, now: float) -> Path:
    """Give a damaged database, and what SQLite keeps beside it, another name; of those there are a few at most.

    Args:
        path: Its own; SQLite has it not open.
        now: Seconds since the epoch.

    Raises:
        OSError: It cannot be renamed.
    """
    # Of the same second there is one: the last.
    new = path.with_name(f"{path.name}.corrupt-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}")
    for end in BESIDE:
        # First, as a log without its database is of no use, and would be taken for the new one's.
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(new.with_name(new.name + end))
    path.rename(new)
    _remove_oldest(path)
    return new


def _remove_oldest(path: Path) -> None:
    names = [each for each in os.listdir(path.parent) if each.startswith(f"{path.name}.corrupt-")]  # noqa: PTH208
    kept = sorted(each for each in names if not each.endswith(BESIDE))[-MOST_MOVED_ASIDE:]
    for name in names:
        if name.removesuffix(BESIDE[0]).removesuffix(BESIDE[1]) not in kept:
            with contextlib.suppress(OSError):
                path.with_name(name).unlink()


def _require_regular(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise NotOurs(f"{path} is no regular file, or a link, which is not followed")
