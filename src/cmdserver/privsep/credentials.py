"""Open credential files for the daemon that only root may read, as administrators make them.

Rule of this file: it opens what has the name of a credential file, below the state directory, and nothing else; links
are not followed.
"""

import errno
import os
import stat

from cmdserver.names import is_user_name

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Credentials:
    """The credential files of one directory.

    Args:
        directory: The state directory; empty: none is opened.
    """

    def __init__(self, directory: str) -> None:
        # Its own path is the administrator's, and may lead over links.
        self._directory = os.open(directory, _DIRECTORY) if directory else None

    def open(self, name: str) -> int:
        """Open a file.

        Args:
            name: ``passwd``, ``tokens`` or ``authorized_keys/NAME``.

        Raises:
            OSError: There is none, or it is no credential file.
        """
        directory, _, file = name.rpartition("/")
        is_known = name in {"passwd", "tokens"} or (directory == "authorized_keys" and is_user_name(file))
        if self._directory is None or not is_known:
            raise OSError(errno.EPERM, "that is no credential file")
        if not directory:
            return _open(file, self._directory)
        parent = os.open(directory, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._directory)
        try:
            return _open(file, parent)
        finally:
            os.close(parent)


def _open(name: str, directory: int) -> int:
    descriptor = os.open(name, _FILE, dir_fd=directory)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise OSError(errno.EPERM, "that is a link, or no file")
    return descriptor
