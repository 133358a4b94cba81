"""The daemon's log as a file (``twistd --logfile``): twistd's class, with files opened by `cmdserver.files.opening`.

It is rotated as twistd's is: at a megabyte, and at SIGUSR1; and if somebody else has renamed it, as logrotate does,
SIGUSR1 opens it anew.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from twisted.logger import Logger
from twisted.python.logfile import LogFile

from cmdserver.files.opening import Opener, is_same_file

_log = Logger()


class DaemonLog(LogFile):
    """A log file.

    Args:
        path: Absolute.
        open_file: Raises an OSError if it cannot.
        may_rotate: Whether it may be renamed now: not while we are root and its directory is somebody else's.
    """

    _file: BinaryIO

    def __init__(self, path: Path, open_file: Opener, may_rotate: Callable[[], bool]) -> None:
        self._open = open_file
        self._may_rotate = may_rotate
        super().__init__(path.name, str(path.parent))

    def _openFile(self) -> None:
        self.defaultMode = None  # what is there keeps its mode
        self._file = cast("BinaryIO", os.fdopen(self._open(Path(self.path)), "ab", buffering=0))
        self.closed = False
        self.size = self._file.seek(0, os.SEEK_END) if self._file.seekable() else 0

    def shouldRotate(self) -> bool:
        return self._may_rotate() and bool(super().shouldRotate())

    def reopen(self) -> None:
        """Open it anew, and close the old one when that has worked."""
        old = self._file
        self._openFile()
        old.close()

    def rotate_or_reopen(self) -> None:
        """Do what SIGUSR1 asks for; if that fails, log it to the file that stays in use."""
        try:
            if is_same_file(Path(self.path), self._file.fileno()) is False:
                self.reopen()
            elif self._may_rotate():
                self.rotate()
        except OSError as error:
            _log.error("the log {path} cannot be opened anew: {error}", path=self.path, error=error)
