"""Opens files for a daemon that is still root, and is to become somebody else: the audit file, the log, TLS's files.

Where the daemon's user may put a link, a pipe or a directory in a file's place, root would read or write what that user
wants. So each file is opened as root only where nobody but root could have put it, and else as the daemon's user, who
may be led wherever that user could go.
"""

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from cmdserver.core.model import TargetUser
from cmdserver.files.run_as_owner import acting_as, acting_as_root
from cmdserver.files.safe_path import UnsafePath, open_safely, read_file, safe_place

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
#: Non-blocking for the sake of a FIFO, which would hold the whole daemon up when nobody reads it.
_OURS = _FLAGS | os.O_CLOEXEC | os.O_NONBLOCK

#: What a container's logs are collected from: not opened again, as that takes the rights of who started us.
_STREAM = re.compile(r"/dev/(?:stdout|stderr|fd/([0-9]{1,4}))|/proc/self/fd/([0-9]{1,4})")

#: As much as is read at once, from a file's end towards its beginning.
_BLOCK_BYTES = 1 << 16

#: Opens a file to append to, by its path; raises an OSError.
Opener = Callable[[Path], int]
#: Reads a whole file; raises an OSError.
ReadFile = Callable[[Path], bytes]


def reader_for(target_user: TargetUser | None) -> ReadFile:
    """Make what reads files for a daemon that is to become, or has become, a user; None: it stays who it is."""

    def read(path: Path) -> bytes:
        if target_user is None or os.getuid() != 0:
            return read_file(path)
        with acting_as_root():
            try:
                return read_file(path)
            except UnsafePath as error:
                return _read_as(target_user, path, error)

    return read


def _read_as(target_user: TargetUser, path: Path, unsafe: UnsafePath) -> bytes:
    with acting_as(target_user.uid, target_user.gid):
        try:
            return read_file(path)
        except PermissionError as error:
            text = f"{error.strerror} for the daemon's user, {target_user.name}; and {unsafe.strerror}"
            raise PermissionError(error.errno, text, str(path)) from error


def opener_for(target_user: TargetUser | None, mode: int = 0o600) -> Opener:
    """Make what opens files for a daemon that is to become, or has become, a user.

    Args:
        target_user: None if it stays who it is.
        mode: Of files that are made.
    """

    def open_file(path: Path) -> int:
        if (stream := _stream(path)) is not None:
            return os.dup(stream)
        if os.getuid() != 0:
            return os.open(path, _OURS, mode)
        if target_user is None:
            return open_safely(path, _FLAGS, mode, takes_devices=True)
        with acting_as_root():
            return _open_for(target_user, path, mode)

    return open_file


def _open_for(target_user: TargetUser, path: Path, mode: int) -> int:
    """Open a file as root, for who will write to it; what root has to make becomes theirs."""
    with acting_as(target_user.uid, target_user.gid):
        try:
            # What lies in the state directory is no link; elsewhere, the administrator may have made one, to a device.
            return os.open(path, _OURS if path.is_absolute() else _OURS | os.O_NOFOLLOW, mode)
        except OSError as error:
            refused = error
    if refused.errno not in {errno.EACCES, errno.EPERM}:
        raise refused
    try:
        is_there = _is_there(path)
        descriptor = open_safely(path, _FLAGS, mode, takes_devices=True)
    except UnsafePath as error:
        text = f"{refused.strerror} for the daemon's user, {target_user.name}; and {error.strerror}"
        raise OSError(refused.errno, text, str(path)) from error
    if not is_there:
        os.fchown(descriptor, target_user.uid, target_user.gid)
    return descriptor


def _is_there(path: Path) -> bool:
    with safe_place(path) as place:
        try:
            os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
    return True


def _stream(path: Path) -> int | None:
    """Say which descriptor of ours a path means."""
    found = _STREAM.fullmatch(os.fspath(path))
    if found is None:
        return None
    number = found[1] or found[2] or {"/dev/stdout": "1", "/dev/stderr": "2"}[found[0]]
    return int(number)


def is_same_file(path: Path, descriptor: int) -> bool | None:
    """Whether a path still leads to an open file; None if we may not look."""
    try:
        there = path.stat()
    except PermissionError:
        return None
    except OSError:
        return False
    here = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def ends_within_a_line(descriptor: int) -> bool:
    """Whether a disk was full, or a power failed, in the middle of the last line of a file that is open to append."""
    last = read_last_line(descriptor, 1)
    return bool(last) and last != b"\n"


def read_last_line(descriptor: int, most: int) -> bytes:
    """Read the last line of a regular file that is open to append, with its line feed if it has one.

    Args:
        descriptor: By which the file is read: its path may be another file's by now.
        most: So many bytes of its end are read; of a longer line, what fits.

    Returns:
        Nothing if it is empty, or may only be appended to.
    """
    try:
        reading = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""  # then there is no telling
    with os.fdopen(reading, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(reading).st_mode):
            return b""
        start = file.seek(0, os.SEEK_END)
        parts: list[bytes] = []
        while start and most:
            length = min(start, most, _BLOCK_BYTES)
            start, most = start - length, most - length
            part = os.pread(reading, length, start)
            # The very last byte is the line's own end.
            at = part.rfind(b"\n", 0, len(part) - 1 if not parts else len(part))
            parts.append(part[at + 1 :])
            if at >= 0:
                break
        return b"".join(reversed(parts))
