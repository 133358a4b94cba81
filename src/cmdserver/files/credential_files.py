"""Opens credential files for the daemon that only root may read, as administrators make them.

Rule: it opens what has the name of a credential file, below the state directory, and nothing else; links are not
followed.
"""

import errno
import os
import stat
from contextlib import nullcontext
from pathlib import Path

from cmdserver.core.names import is_user_name
from cmdserver.files.safe_path import UnsafePath, opened, safe_place

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class CredentialDirectory:
    """The credential files of the state directory; where its name is empty, none is opened."""

    def __init__(self, directory: str) -> None:
        self._directory = _open_directory(Path(directory)) if directory else None

    def open(self, name: str) -> int:
        """Open a file.

        Args:
            name: ``passwd``, ``tokens`` or ``authorized_keys/NAME``.

        Raises:
            OSError: There is none, or it is no credential file.
        """
        return open_credential(name, self._directory)


def open_credential(name: str, directory: int | Path | None) -> int:
    """Open a credential file; see `CredentialDirectory.open`.

    Args:
        name: Of the file.
        directory: The state directory, opened, or its path, which leads nowhere else; None: it cannot be trusted.
    """
    parent, _, file = name.rpartition("/")
    is_known = name in {"passwd", "tokens"} or (parent == "authorized_keys" and is_user_name(file))
    if directory is None or not is_known:
        raise OSError(errno.EPERM, "that is no credential file")
    flags = _DIRECTORY | os.O_NOFOLLOW
    with nullcontext(directory) if isinstance(directory, int) else opened(directory, flags) as top:
        if not parent:
            return _open(file, top)
        with opened(parent, flags, top) as below:
            return _open(file, below)


def _open_directory(path: Path) -> int | None:
    """Open the state directory, whose path may lead over links of root's; not where others could have made another."""
    if os.geteuid() != 0:
        return os.open(path, _DIRECTORY)
    try:
        with safe_place(path) as place:
            return os.open(place.name, _DIRECTORY, dir_fd=place.directory)
    except UnsafePath:
        return None


def _open(name: str, directory: int) -> int:
    descriptor = os.open(name, _FILE, dir_fd=directory)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise OSError(errno.EPERM, "that is a link, or no file")
    return descriptor
