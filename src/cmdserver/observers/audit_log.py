"""The audit file: one JSON object a line, ASCII, appended before the answer that it tells of is complete.

What a client sends cannot forge a line: everything outside printable ASCII is escaped as JSON does. A line is written
by one ``write`` to a file opened for appending, so that lines never mix. Rotate the file by renaming it and sending
SIGHUP; if it is removed, the next line starts a new one. A file that is there keeps its owner, its group and its mode:
whoever collects logs may have been given the group.
"""

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_never

from twisted.logger import Logger

from cmdserver.core.errors import AuditError
from cmdserver.core.events import Event, LoggedIn, Requested, Started
from cmdserver.files.opening import Opener, ends_within_a_line, is_same_file, opener_for

#: Disk space, in bytes, below which nothing is run: room for the lines of every request that may be under way.
MIN_FREE_BYTES = 1024 * 1024

_log = Logger()


@dataclass(frozen=True, slots=True)
class Prepared:
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

    Raises:
        AuditError: The file cannot be opened.
    """

    def __init__(self, path: Path, open_file: Opener | None = None) -> None:
        self.path = path
        self._open = open_file or opener_for(None)
        self._descriptor = -1
        #: What keeps us from writing, once it has been logged.
        self._trouble: str | None = None
        self._seems_writable = True
        #: The file ends inside a line, because the disk was full then.
        self._is_torn = False
        self.reopen()

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
        """Switch to a prepared file, and close the old one."""
        self.close()
        self.path, self._descriptor = prepared.path, prepared.descriptor
        self._is_regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._is_torn = self._is_regular and ends_within_a_line(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1

    def require_writable(self) -> None:
        """See `AuditLog`. A file that was removed is made anew; one that failed last time is tried again."""
        self._seems_writable = False
        try:
            self._find_again()
            os.write(self._descriptor, b"")  # /dev/full says no to this already
            if self._is_regular:
                self._require_space()
        except OSError as error:
            raise self._troubled(error.strerror or str(error)) from error
        self._seems_writable = True

    def append(self, events: Sequence[Event]) -> None:
        lines = "".join(_line(event) for event in events).encode("ascii")
        if self._is_torn:
            lines = b"\n" + lines
        try:
            self._find_again()
            written = os.write(self._descriptor, lines)
            while written < len(lines):
                self._is_torn = True
                written += os.write(self._descriptor, lines[written:])
        except OSError as error:
            raise self._troubled(error.strerror or str(error)) from error
        self._is_torn = False
        if self._trouble is not None and self._seems_writable:
            self._trouble = None
            _log.info("the audit file {path} can be written again", path=self.path)

    def _find_again(self) -> None:
        """Create the file again if it was removed."""
        if self._is_regular and not os.fstat(self._descriptor).st_nlink:
            self.reopen()

    def _require_space(self) -> None:
        space = os.fstatvfs(self._descriptor)
        free = (space.f_bfree if os.geteuid() == 0 else space.f_bavail) * space.f_frsize
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


def _line(event: Event) -> str:
    match event:
        case Started():
            record = {"event": "started", **_question(event)}
        case Requested():
            record = _request(event)
        case LoggedIn():
            record = _login(event)
        case _:
            assert_never(event)
    return json.dumps({"time": _utc(event.time), **record}) + "\n"


def _login(event: LoggedIn) -> dict[str, object]:
    return {
        "event": "login",
        "id": event.id,
        "protocol": event.protocol,
        "tls": event.tls,
        "source": event.source,
        "user": event.user,
        "method": event.method,
        "outcome": event.outcome,
        "reason": event.reason,
        "fingerprint": event.fingerprint,
    }


def _question(event: Started | Requested) -> dict[str, object]:
    return {
        "id": event.id,
        "protocol": event.caller.protocol,
        "tls": event.caller.tls,
        "source": event.caller.source,
        "user": event.caller.name,
        "method": event.caller.method,
        "command": event.command,
        "arguments": event.arguments,
    }


def _request(event: Requested) -> dict[str, object]:
    finished = event.finished
    return {
        "event": "request",
        **_question(event),
        "outcome": event.outcome,
        "ended_by": event.ended_by,
        "exit_status": finished and finished.exit_status,
        "signal": finished and finished.signal,
        "duration_seconds": finished and round(finished.duration_seconds, 6),
        "stdout_bytes": finished.stdout_bytes if finished else 0,
        "stderr_bytes": finished.stderr_bytes if finished else 0,
        "truncated": finished.truncated if finished else False,
        "shared": event.shared,
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
