"""The audit file: one JSON object a line, ASCII, appended before the answer that it tells of is complete.

A line is written by one ``write`` to a file opened for appending, so that lines never mix. Rotate the file by renaming
it and sending SIGHUP; if it is removed, the next line starts a new one. A file that is there keeps its owner, its group
and its mode: whoever collects logs may have been given the group.

The lines are a chain. Each goes on from the last one that this daemon has written, wherever that lies by now: so what
others have done to the file meanwhile shows.
"""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from twisted.logger import Logger

from cmdserver.audit.chain import Tail, sealed
from cmdserver.audit.records import line_of
from cmdserver.core.errors import AuditError
from cmdserver.core.events import Event
from cmdserver.files.opening import Opener, ends_within_a_line, is_same_file, opener_for
from cmdserver.observers.last_line import KeptLine

#: Disk space, in bytes, below which nothing is run: room for the lines of every request that may be under way.
MIN_FREE_BYTES = 1024 * 1024

_log = Logger()


#: An event, and its line as it is in the file, without the line feed.
Written = tuple[Event, bytes]


class Prepared(Struct, frozen=True):
    """An audit file that is open, and not in use yet."""

    path: Path
    descriptor: int

    def discard(self) -> None:
        """Close it unused."""
        os.close(self.descriptor)


class AuditFile:
    """A `AuditLog` that is a file.

    Args:
        path: Made with mode 0600 if it does not exist; its directory must.
        open_file: Opens it.
        on_written: Is told of lines when they are in the file, in their order.
        kept_line: Where the end of the chain is kept until the next start; None: nowhere.

    Raises:
        AuditError: The file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        open_file: Opener | None = None,
        on_written: Callable[[Sequence[Written]], None] = lambda _: None,
        kept_line: Path | None = None,
    ) -> None:
        self.path = path
        self._on_written = on_written
        self._kept_line = KeptLine(kept_line)
        self._open = open_file or opener_for(None)
        self._descriptor = -1
        #: What keeps us from writing, once it has been logged.
        self._trouble: str | None = None
        self._seems_writable = True
        self._tail = Tail()
        self.reopen()
        try:
            self._tail = self._kept_line.find(self.path, self._descriptor)
        except OSError as error:
            _log.warn("the end of the audit file {path} cannot be read: {error}", path=self.path, error=error)

    def reopen(self) -> None:
        """Open the file anew under its path, and let go of the old one only when that has worked.

        Raises:
            AuditError: It cannot be opened; the old one stays in use.
        """
        self.adopt(self.prepare(self.path))

    def prepare(self, path: Path) -> "Prepared":
        """Open a file to go on in; the same path is a new file if the old one was renamed.

        One that root has opened for us, and that we may not open, is gone on in for as long as it lies in its place.

        Raises:
            AuditError: It cannot be opened.
        """
        try:
            return Prepared(path, self._open(path))
        except OSError as error:
            text = f"cannot open the audit file {path.absolute()}: {error.strerror}"
            if isinstance(error, PermissionError) and self._descriptor != -1 and path == self.path:
                if is_same_file(path, self._descriptor) is not False:
                    return Prepared(path, os.dup(self._descriptor))
                text += (
                    f"; let who rotates it make it anew for the user {os.geteuid()}, or keep it in a directory of"
                    " that user's"
                )
            raise AuditError(text) from error

    def adopt(self, prepared: "Prepared") -> None:
        """Switch to a prepared file, and close the old one; the chain goes on."""
        self._let_go()
        self.path, self._descriptor = prepared.path, prepared.descriptor
        self._is_regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        #: Whether space is ours that is kept for root; None: not known, as the daemon may yet become somebody else.
        self._is_root: bool | None = None
        self._tail = Tail(self._tail.line, self._is_regular and ends_within_a_line(self._descriptor))

    def close(self) -> None:
        """Close the file, and keep the end of its chain."""
        if self._descriptor != -1:
            self._kept_line.keep(self._tail.line)
        self._let_go()

    def _let_go(self) -> None:
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1

    def require_writable(self) -> None:
        """See `AuditLog`. A file that was removed is made anew; one that failed last time is tried again."""
        self._seems_writable = False
        try:
            if self._is_regular:
                self._find_again()
                self._require_space()
            else:
                os.write(self._descriptor, b"")  # /dev/full says no to this already
        except OSError as error:
            raise self._troubled(error.strerror or str(error)) from error
        self._seems_writable = True

    def append(self, events: Sequence[Event]) -> None:
        try:
            if self._is_regular:
                self._find_again()
            lines = self._sealed(events)
            data = b"\n".join([b"", *lines, b""] if self._tail.is_torn else [*lines, b""])
            if self._kept_line.is_there:
                self._kept_line.forget()
            self._write(data, list(zip(events, lines, strict=True)))
        except OSError as error:
            raise self._troubled(error.strerror or str(error)) from error
        if self._trouble is not None and self._seems_writable:
            self._trouble = None
            _log.info("the audit file {path} can be written again", path=self.path)

    def _sealed(self, events: Sequence[Event]) -> list[bytes]:
        """Write events as lines that follow each other, and the last line in the file."""
        before = self._tail.line
        return [before := sealed(before, line_of(event)) for event in events]

    def _write(self, data: bytes, meant: Sequence[Written]) -> None:
        """Write all of it, and go on from what is in the file then, also if that is only a part."""
        written, size = 0, len(data)
        try:
            while written < size:
                written += os.write(self._descriptor, data[written:] if written else data)
        finally:
            missing = size - written
            if missing or self._tail.is_torn or not meant:
                self._tail = self._tail.after(data[:written] if missing else data)
            else:
                self._tail = Tail(meant[-1][1])
            self._tell(_whole(meant, missing) if missing else meant)

    def _tell(self, written: Sequence[Written]) -> None:
        """Tell of lines that are in the file; what comes of that is nobody's trouble here."""
        try:
            self._on_written(written)
        except Exception:  # noqa: BLE001 - whatever it is, the lines are written
            _log.failure("a line of the audit file could not be passed on")

    def _find_again(self) -> None:
        """Create a regular file again if it was removed; and see whether it was emptied in its place."""
        status = os.fstat(self._descriptor)
        if not status.st_nlink:
            self.reopen()
        elif self._tail.is_torn and not status.st_size:
            self._tail = Tail(self._tail.line)

    def _require_space(self) -> None:
        space = os.fstatvfs(self._descriptor)
        if self._is_root is None:
            self._is_root = os.geteuid() == 0
        free = (space.f_bfree if self._is_root else space.f_bavail) * space.f_frsize
        if free < MIN_FREE_BYTES:
            raise self._troubled(f"less than {MIN_FREE_BYTES} bytes of disk are left", f": {free}")

    def _troubled(self, trouble: str, details: str = "") -> AuditError:
        """Log a trouble once, not at every request; return the error to raise."""
        if trouble != self._trouble:
            self._trouble = trouble
            _log.critical(
                "audit file {path}: {trouble}; no command runs until this is mended",
                path=self.path,
                trouble=trouble,
            )
        return AuditError(f"cannot write the audit file {self.path}: {trouble}{details}")


def _whole(meant: Sequence[Written], missing: int) -> Sequence[Written]:
    """Return the lines that are whole without so many bytes at the end."""
    count = len(meant)
    while missing > 0 and count:
        count -= 1
        missing -= len(meant[count][1]) + 1
    return meant[:count]
