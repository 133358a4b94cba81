"""Which line the chain of the audit file goes on from when the daemon starts.

When it ends well, the daemon keeps the last line that it has written in a file of the state directory: wherever the
audit file is by then, and however it was compressed, the next start goes on from there; and a tail that was cut off
meanwhile is a gap. Before the next line is written the kept one is removed, so after a crash there is none, and the
last line of the audit file counts; if that is empty, the one of the newest file that it was renamed to.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from cmdserver.audit.chain import GENESIS, Tail
from cmdserver.audit.records import MOST_LINE_BYTES
from cmdserver.files.atomic_file import remove, replace
from cmdserver.files.opening import read_last_line
from cmdserver.files.safe_path import read_file

#: In the state directory.
NAME: Final = "audit-chain"

_COMPRESSED: Final = (".gz", ".xz", ".bz2", ".zst", ".Z")

_log = Logger()


class KeptLine:
    """The last line, kept from one start to the next.

    Args:
        path: None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        #: Whether one is kept.
        self.is_there = False

    def find(self, audit_file: Path, descriptor: int) -> Tail:
        """Say what the next line is written behind, in a file that has just been opened."""
        status = os.fstat(descriptor)
        end = _end_of(descriptor) if stat.S_ISREG(status.st_mode) else None
        is_torn = end is not None and end.is_torn
        kept = self._read()
        if kept is not None:
            if end is not None and end.line != kept:
                text = "the audit file {path} does not end with the line that was written last; the chain shows a gap"
                _log.warn(text, path=audit_file)
            return Tail(kept, is_torn)
        if end is None and stat.S_ISREG(status.st_mode) and status.st_size:
            text = "the audit file {path} may be written and not be read by us, so its chain begins anew"
            _log.warn(text, path=audit_file)
            return Tail(GENESIS)
        return end or _end_of_newest(audit_file) or Tail(GENESIS)

    def forget(self) -> None:
        """Remove what was kept, as it is the last line no longer."""
        if self._path is None or not self.is_there:
            return
        try:
            remove(self._path)
        except OSError as error:
            _log.error("{path} cannot be removed, so the chain will have a gap: {error}", path=NAME, error=error)
        self.is_there = False

    def keep(self, line: bytes) -> None:
        """Keep the last line, when no other will be written."""
        if self._path is None or self.is_there or line == GENESIS:
            return
        try:
            replace(self._path, line)
        except OSError as error:
            _log.warn("the end of the audit file's chain cannot be kept: {error}", error=error)

    def _read(self) -> bytes | None:
        if self._path is None:
            return None
        try:
            line = read_file(self._path, MOST_LINE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warn("{path} is ignored: {error}", path=NAME, error=error.strerror)
            return None
        self.is_there = True
        return line or None


def _end_of(descriptor: int) -> Tail | None:
    found = read_last_line(descriptor, MOST_LINE_BYTES)
    return Tail(found.removesuffix(b"\n"), not found.endswith(b"\n")) if found else None


def _end_of_newest(audit_file: Path) -> Tail | None:
    """Read the last line of the newest file that an audit file was renamed to; None if there is none to be read."""
    for path in sorted(_renamed(audit_file), key=lambda each: each.lstat().st_mtime_ns, reverse=True):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            end = _end_of(descriptor)
        finally:
            os.close(descriptor)
        if end is not None:
            return Tail(end.line)
    return None


def _renamed(audit_file: Path) -> Iterator[Path]:
    for path in audit_file.parent.iterdir():
        is_sibling = path.name.startswith(audit_file.name) and path.name not in {audit_file.name, NAME}
        if is_sibling and path.suffix not in _COMPRESSED and stat.S_ISREG(path.lstat().st_mode):
            yield path
