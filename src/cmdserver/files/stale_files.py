"""Removes what a daemon leaves behind: its pid file, its UNIX sockets, and the locks that Twisted keeps beside those.

At the daemon's end the runner removes what only root may remove; what lies where others may write is left to who may.
At the next start what a killed daemon has left is removed, or in a container it would never start again: numbers begin
anew there, so that a dead daemon's is soon somebody's, and often the new daemon's own.

Rule: nothing is removed that is not what it should be.
"""

import contextlib
import os
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from cmdserver.files.safe_path import opened, read_file, safe_place

#: Of a number and a line break there are fewer.
NUMBER_BYTES = 32


def remove_pid_file(path: Path, daemon: int) -> None:
    """Remove the daemon's pid file, unless it is another's by now."""
    with contextlib.suppress(OSError, ValueError), safe_place(path) as place:
        if int(read_file(path, NUMBER_BYTES)) == daemon:
            os.unlink(place.name, dir_fd=place.directory)


def remove_sockets(paths: Iterable[Path], daemon: int) -> None:
    """Remove the daemon's sockets, and the locks beside them: links to the daemon's number."""
    for path in paths:
        with contextlib.suppress(OSError), safe_place(path) as place:
            if _lock_holder(place.name, place.directory) == daemon:
                _remove_socket(place.name, place.directory)


def remove_stale_socket(path: Path, owners: Collection[int]) -> None:
    """Remove a socket, and its lock, that no daemon has any more; what is not certain is left.

    Args:
        path: The socket's; whoever calls this may work in its directory.
        owners: Whose it may be: nobody else's are removed.
    """
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    with contextlib.suppress(OSError), opened(path.parent, flags) as directory:
        holder = _lock_holder(path.name, directory)
        lock = os.stat(f"{path.name}.lock", dir_fd=directory, follow_symlinks=False)
        if holder is not None and lock.st_uid in owners and not is_daemon(holder):
            _remove_socket(path.name, directory)


def is_daemon(number: int) -> bool:
    """Whether a daemon runs under a number, of those that twistd starts; we, and who has started us, are none."""
    if number in _ourselves_and_ancestors():
        return False
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return True  # it is there, and we may not see what it is
    return b"cmdserver" in words or any(word.rpartition(b"/")[2] == b"twistd" for word in words)


def _remove_socket(name: str, directory: int) -> None:
    """Remove the socket first: killed in between, we find the lock again."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return
        os.unlink(name, dir_fd=directory)
    os.unlink(f"{name}.lock", dir_fd=directory)


def _lock_holder(name: str, directory: int) -> int | None:
    """Say whose a socket's lock is; None if there is none."""
    try:
        return int(os.readlink(f"{name}.lock", dir_fd=directory))
    except (OSError, ValueError):
        return None


def _ourselves_and_ancestors() -> set[int]:
    found = {os.getpid()}
    parent = os.getppid()
    while parent > 0 and parent not in found:
        found.add(parent)
        try:
            status = Path(f"/proc/{parent}/stat").read_bytes()
            parent = int(status.rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found
