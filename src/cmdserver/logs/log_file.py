"""The daemon's log, if it is a file (``twistd --logfile``), or systemd's journal.

A file is twistd's class, with files opened by `opening`. It is rotated as twistd's is: at a megabyte, and at SIGUSR1;
and if somebody else has renamed it, as logrotate does, SIGUSR1 opens it anew.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, TextIO, cast

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, eventAsText
from twisted.python.logfile import LogFile
from zope.interface import implementer

from cmdserver.files.opening import Opener, is_same_file

#: sd-daemon(3): what stands before a line for the journal, by level.
_PRIORITIES: Final = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
#: What is said at no level, by libraries' old ways of logging.
_USUAL_PRIORITY: Final = 6

_log = Logger()


def goes_to_journal(environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether systemd has started us and takes what we say; a terminal's shell may have its variables, too."""
    return not is_terminal and bool(environment.get("JOURNAL_STREAM") or environment.get("NOTIFY_SOCKET"))


@implementer(ILogObserver)
class JournalLog:
    """Writes events as the journal wants them: each line with its priority, and the time left to the journal.

    Args:
        stream: What systemd listens to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        priority = _PRIORITIES.get(event.get("log_level"), _USUAL_PRIORITY)
        # Each line has one, or the next ones of a traceback would be less than an error.
        self._stream.write("".join(f"<{priority}>{line}\n" for line in text.splitlines()))
        self._stream.flush()


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
