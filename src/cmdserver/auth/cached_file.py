"""Small files that people change while the daemon runs: read again when they have changed, and only then.

Every look costs one ``stat``. What is wrong with a file is logged once for each version of it. A file that cannot be
read, or that others may write to, says nothing at all: whoever is named in it stays out, and the daemon goes on.

A look is made at once, or, where somebody else has to open the file for us, in a coroutine: only that one waits, and
only if it has to.
"""

import errno
import os
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar

from twisted.logger import Logger

from cmdserver.auth.credential_formats import Complaint, Parsed
from cmdserver.core.errors import Unavailable
from cmdserver.core.text_encoding import NotUTF8, decode_leniently
from cmdserver.files.run_as_owner import open_credential_as_root

Value = TypeVar("Value")

#: A file system's clock ticks every few milliseconds: a file as young as this when it was read may have been written
#: again since, in the same tick and to the same length, as a password's hash is. It is read again.
_SETTLED_NANOSECONDS = 100_000_000

#: We, or whoever opens a file for us, are short of something; the file is as it was.
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})

_Version = tuple[int, int, int, int]

#: Has a file opened by somebody who may, and gives a descriptor; raises an OSError, or `Unavailable`.
Fetch = Callable[[Path], Awaitable[int]]

_log = Logger()


def open_to_read(path: Path) -> int:
    """Open a file; raises an OSError."""
    # Non-blocking, because a named pipe would keep the daemon waiting for its writer.
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def open_in(directory: Path, path: Path) -> int:
    """Open a credential file of a state directory; while root can be had again, also one that only root may read."""
    try:
        return open_to_read(path)
    except PermissionError:
        if (descriptor := open_credential_as_root(path, directory)) is not None:
            return descriptor
        raise


class CachedFile(Generic[Value]):
    """A file and what it says; one that is not there says what an empty one says."""

    def __init__(
        self, path: Path, parse: Callable[[str], Parsed[Value]], open_file: Callable[[Path], int] = open_to_read
    ) -> None:
        self.path = path
        self._open_file = open_file
        self._parse = parse
        self._version: _Version | None = None
        self._is_settled = False
        self._parsed = self._nothing = parse("")

    @property
    def is_there(self) -> bool:
        """Whether the last read found a file, or one that cannot be used."""
        return self._version is not None or bool(self._parsed.complaints)

    def read(self) -> Parsed[Value]:
        """Return the file's content as it is now."""
        if self._is_current():
            return self._parsed
        try:
            descriptor = self._open_file(self.path)
        except OSError as error:
            return self._unreadable(error)
        return self._read_from(descriptor)

    async def read_or_fetch(self, fetch: Fetch | None) -> Parsed[Value]:
        """Look at the file as it is now; what we may not open ourselves ``fetch`` has opened, if there is one.

        Raises:
            Unavailable: That cannot be done at the moment; what was known of the file is kept.
        """
        if self._is_current():
            return self._parsed
        try:
            descriptor = await self._opened(fetch)
        except OSError as error:
            if isinstance(error, Unavailable):
                raise
            if error.errno in _SHORT:
                raise Unavailable(error.errno, error.strerror) from error
            return self._unreadable(error)
        return self._read_from(descriptor)

    async def _opened(self, fetch: Fetch | None) -> int:
        try:
            return self._open_file(self.path)
        except PermissionError:
            if fetch is None:
                raise
        return await fetch(self.path)

    def _is_current(self) -> bool:
        """Whether the cached content is current; False if the file is missing or may not be looked at."""
        if not self._is_settled:
            return False
        try:
            return _version(self.path.stat()) == self._version
        except OSError:
            return False

    def _read_from(self, descriptor: int) -> Parsed[Value]:
        read_at = time.time_ns()
        try:
            text, status = read_trusted(descriptor, self.path)
        except OSError as error:
            return self._unreadable(error)
        self._take(_version(status), self._parse(text))
        self._is_settled = read_at - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NANOSECONDS
        return self._parsed

    def _unreadable(self, error: OSError) -> Parsed[Value]:
        if isinstance(error, FileNotFoundError):
            self._take(None, self._nothing)
        else:
            self._take(None, Parsed(self._nothing.value, (Complaint(None, f"cannot be used: {error.strerror}"),)))
        return self._parsed

    def _take(self, version: _Version | None, parsed: Parsed[Value]) -> None:
        if (version, parsed.complaints) != (self._version, self._parsed.complaints):
            for complaint in parsed.complaints:
                _log.warn("{path}:{complaint}", path=self.path, complaint=str(complaint))
        self._version, self._parsed, self._is_settled = version, parsed, False


def read_trusted(descriptor: int, path: Path) -> tuple[str, os.stat_result]:
    """Read an open file that nobody else may have written to, and close it.

    Returns:
        Its text, without a byte order mark before it, in which bytes that are no UTF-8 survive as lone surrogates, and
        what it was when it was opened.

    Raises:
        OSError: It cannot be read or trusted; ``strerror`` says why.
    """
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if trouble := _trouble(status, path.parent.stat()):
            raise PermissionError(None, trouble, str(path))
        file.seek(0)  # another may have read it, who shares it with us
        try:
            return decode_leniently(file.read()), status
        except NotUTF8 as error:
            raise OSError(None, f"it {error}", str(path)) from None


def _version(status: os.stat_result) -> _Version:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _trouble(file: os.stat_result, directory: os.stat_result) -> str | None:
    """Say why a file is not to be trusted, as sshd's StrictModes does, or None."""
    if not stat.S_ISREG(file.st_mode):
        return "it is no regular file"
    if file.st_uid not in {0, os.geteuid(), directory.st_uid}:
        return f"it belongs to somebody else (uid {file.st_uid})"
    if (file.st_mode | directory.st_mode) & 0o022:
        return "others may write to it or its directory; chmod go-w them"
    return None
