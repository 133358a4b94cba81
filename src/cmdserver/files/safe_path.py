"""Opens what an administrator has put there, and nothing that somebody else could have put in its place.

Root that opens a path in a directory that others may write opens what they choose: a link to a secret (CWE-59), a named
pipe that keeps it waiting, a file without an end. So root takes the way that sshd's ``safe_path`` looks at, but by
descriptors, so that what was looked at is what is opened: every directory on it is root's and nobody else may write to
it, links are followed where root alone could have made them, and at the end there is a regular file.

Whoever is not root has nobody's rights but their own to lose: for them a path is a path, and only what would keep them
waiting or never end is refused.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

#: Of a file that is read whole: a configuration, a certificate.
MOST_BYTES = 1 << 20

#: As many as Linux follows, see path_resolution(7).
_MOST_LINKS = 40
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Non-blocking for the sake of named pipes, which would keep us waiting for their other end.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class UnsafePath(PermissionError):  # noqa: N818 - a statement
    """Somebody else could put something else in a file's place; ``strerror`` says where, and what to do."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(errno.EPERM, text, path)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class Place(NamedTuple):
    """Where a file is, or would be made."""

    #: Opened with O_PATH.
    directory: int
    #: Of the file itself: it is no link, unless somebody has made it one since.
    name: str
    #: Everybody may make files there, and nobody may remove another's (the sticky bit), as in /tmp.
    is_shared: bool


@contextmanager
def opened(path: str | Path, flags: int, parent: int | None = None) -> Iterator[int]:
    """Open something, mostly a directory, for a while; a relative path begins at ``parent``, if there is one."""
    descriptor = os.open(path, flags, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def safe_place(path: Path) -> Iterator[Place]:
    """Go to where a file is, over directories, and links, that are root's alone.

    Raises:
        UnsafePath: One of them is not.
        OSError: One of them is not there.
    """
    way = _Way(os.fspath(path))
    try:
        yield way.to_the_end()
    finally:
        way.close()


def open_safely(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600, *, takes_devices: bool = False) -> int:
    """Open a file as root, at a place where nobody else could have put it; it is non-blocking.

    Args:
        path: Absolute, or meant from the current directory.
        flags: As of `os.open`; never O_TRUNC, as the file is looked at only when it is open.
        mode: If it is made.
        takes_devices: Whether a named pipe or a device of root's will do.

    Raises:
        UnsafePath: Somebody else could have.
        OSError: It cannot be opened, or is no regular file.
    """
    with safe_place(path) as place:
        try:
            descriptor = os.open(place.name, flags | _CAREFULLY, mode, dir_fd=place.directory)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        try:
            _look_at(os.fstat(descriptor), path, is_shared=place.is_shared, takes_devices=takes_devices)
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def read_file(path: Path, most: int = MOST_BYTES, *, decides: bool = False) -> bytes:
    """Read a whole file; root only from a place where nobody else could have put it.

    Args:
        path: Where it is.
        most: Bytes that it may have.
        decides: What is in it decides what root does, so root must be the only one who writes to it.

    Raises:
        UnsafePath: We are root, and somebody else could have put it there, or written to it.
        OSError: It cannot be read, is no regular file, or has more bytes.
    """
    is_root = os.geteuid() == 0
    descriptor = open_safely(path) if is_root else _open_regular(path)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if is_root and decides and (status.st_uid not in _trusted() or may_others_write(status)):
            whose = f"belongs to somebody else (uid {status.st_uid})" if status.st_uid else "may be written by others"
            raise UnsafePath(
                str(path), f"{whose}, who would decide what root does; chown it to root, and chmod go-w it"
            )
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", str(path))
    return content


def read_deciding_file(path: Path, most: int) -> bytes:
    """Read what decides what the daemon does; see `read_file`."""
    return read_file(path, most, decides=True)


def read_shown_file(path: Path, most: int) -> bytes:
    """Read what somebody shows, of which nothing depends: from wherever it is, a pipe too (``<(git show …)``).

    Raises:
        OSError: It cannot be read, or has more bytes than ``most``.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", str(path))
    return content


def _look_at(status: os.stat_result, path: Path, *, is_shared: bool, takes_devices: bool) -> None:
    is_roots = status.st_uid in _trusted()
    if is_shared and not is_roots:
        raise UnsafePath(str(path), f"belongs to somebody else (uid {status.st_uid})")
    is_special = stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode)
    if not (takes_devices and is_special and is_roots):
        _require_regular(status, path)


def _open_regular(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _require_regular(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))


class _Way:
    """The way to a file, a directory at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rest = _names(path if path.startswith("/") else f"{Path.cwd()}/{path}")
        self._links = 0
        #: From the root directory on: the name of each, its descriptor, and whether it is shared.
        self._directories: list[tuple[str, int, bool]] = []
        self._enter("/", None)

    def close(self) -> None:
        """Let go of all directories."""
        self._leave(0)

    def to_the_end(self) -> Place:
        """Go on until nothing but the file's own name is left."""
        while self._rest:
            name = self._rest.pop(0)
            _, directory, is_shared = self._directories[-1]
            if name == "..":
                self._leave(max(1, len(self._directories) - 1))
            elif self._is_link(name, directory, is_shared):
                self._follow(os.readlink(name, dir_fd=directory))
            elif not self._rest:
                return Place(directory, name, is_shared)
            else:
                self._enter(name, directory)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self._path)

    def _is_link(self, name: str, directory: int, is_shared: bool) -> bool:  # noqa: FBT001 - of a place
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError as error:
            if not self._rest:
                return False  # it may be about to be made
            raise FileNotFoundError(error.errno, error.strerror, self._path) from None
        if not stat.S_ISLNK(status.st_mode):
            return False
        if is_shared and status.st_uid not in _trusted():
            raise UnsafePath(self._path, f"the link {name} on its way belongs to somebody else (uid {status.st_uid})")
        return True

    def _follow(self, target: str) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
        if target.startswith("/"):
            self._leave(1)
        self._rest = _names(target) + self._rest

    def _enter(self, name: str, parent: int | None) -> None:
        try:
            descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from None
        status = os.fstat(descriptor)
        is_writable = may_others_write(status)
        is_shared = is_writable and bool(status.st_mode & stat.S_ISVTX)
        self._directories.append((name, descriptor, is_shared))
        if status.st_uid not in _trusted() or (is_writable and not is_shared):
            where = "/" + "/".join(each for each, *_ in self._directories[1:])
            is_ours = status.st_uid in _trusted()
            whose = "may be written by others" if is_ours else f"belongs to somebody else (uid {status.st_uid})"
            text = f"the directory {where} {whose}, who could put anything there; root opens only what lies in"
            raise UnsafePath(self._path, f"{text} directories that are root's and that nobody else may write to")

    def _leave(self, kept: int) -> None:
        while len(self._directories) > kept:
            os.close(self._directories.pop()[1])


def may_others_write(status: os.stat_result) -> bool:
    """Whether others than the owner may write to something; root's own group is nobody else."""
    return bool(status.st_mode & 0o002) or (bool(status.st_mode & 0o020) and status.st_gid != 0)


def _trusted() -> frozenset[int]:
    """Say who may do anything anyhow: root, who owns ``/`` (root from outside of a user namespace), and we."""
    return frozenset({0, os.stat("/").st_uid, os.geteuid()})  # noqa: PTH116 - of a name, not of a path


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in {"", "."}]
