"""The lines that users have typed at the prompt, kept from session to session: a file for each, in the state directory.

A line is appended when it is entered, so that sessions at the same time do not overwrite each other's. That is done
where it happens, as with the audit file: one write of half a kilobyte into the kernel's cache, which nobody waits for.
What goes wrong is logged once, and costs nobody a prompt. Which lines may be kept is decided elsewhere.
"""

import errno
import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from twisted.logger import Logger

from cmdserver.core.names import PROMPT_HISTORY, is_user_name
from cmdserver.files.atomic_file import locked, make_directory, replace

#: Of one user. The file may have twice as many before it is written anew.
MOST_BYTES: Final = 1 << 16

#: In a line there is none: it was typed into an editor that takes none.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
#: A file that is a link, or a pipe, was not put there by us.
_CAREFULLY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_log = Logger()


class LineHistory(Protocol):
    """Keeps lines. Whatever goes wrong, nothing is raised."""

    def read(self, user: str) -> Sequence[str]:
        """Return a user's lines, oldest first."""

    def add(self, user: str, line: str) -> None:
        """Keep one more; it has no control characters."""


class KeptLines:
    """The files.

    Args:
        state_directory: They are in a folder there, which is made when there is a line to be kept.
    """

    def __init__(self, state_directory: Path) -> None:
        self._folder = state_directory / PROMPT_HISTORY
        #: What keeps us from it, once that has been logged.
        self._trouble: str | None = None

    def read(self, user: str) -> Sequence[str]:
        if not is_user_name(user):
            return ()
        try:
            descriptor = os.open(self._folder / user, os.O_RDONLY | _CAREFULLY)
        except FileNotFoundError:
            return ()
        except OSError as error:
            self._complain(error)
            return ()
        try:
            return _lines_of(_end_of(descriptor))
        except OSError as error:
            self._complain(error)
            return ()
        finally:
            os.close(descriptor)

    def add(self, user: str, line: str) -> None:
        if not is_user_name(user):
            return
        path = self._folder / user
        try:
            make_directory(self._folder)
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _CAREFULLY, 0o600)
            try:
                size = _append(descriptor, line.encode(errors="replace") + b"\n")
                content = _end_of(descriptor) if size > 2 * MOST_BYTES else None
            finally:
                os.close(descriptor)
            if content is not None:
                with suppress(TimeoutError), locked(self._folder, 0):
                    replace(path, content)
        except OSError as error:
            self._complain(error)
        else:
            self._trouble = None

    def _complain(self, error: OSError) -> None:
        if self._trouble != error.strerror:
            self._trouble = error.strerror
            text = "the lines typed at the SSH prompt are not kept for other sessions: {error}"
            _log.warn(text, error=str(error))


def _append(descriptor: int, data: bytes) -> int:
    """Append a line, or nothing of it; return how large the file is then."""
    size = _size_of(descriptor)
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        data = b"\n" + data  # a power cut has left half a line
    written = os.write(descriptor, data)
    if written < len(data):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return size + written


def _end_of(descriptor: int) -> bytes:
    """Read the last whole lines of a file."""
    size = _size_of(descriptor)
    start = max(size - MOST_BYTES, 0)
    data = os.pread(descriptor, MOST_BYTES, start)
    return data.partition(b"\n")[2] if start else data


def _size_of(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is no regular file")
    return status.st_size


def _lines_of(data: bytes) -> Sequence[str]:
    """Decode lines; one that nobody can have typed is left out."""
    lines = data.decode(errors="replace").split("\n")
    return [line for line in lines if line and _CONTROL.search(line) is None]
