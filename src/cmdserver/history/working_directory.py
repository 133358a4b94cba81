"""Lets SQLite open a file in the working directory though the way that leads there is barred to us.

A daemon that root has started keeps its state directory as its working directory; as the user whom it has become it may
not be let through the directories above that. SQLite makes every path absolute and looks at each part of it. Its VFS
has a table of system calls that sandboxes put their own into (``xSetSystemCall``, https://sqlite.org/c3ref/vfs.html,
as Chromium does): here the working directory is called by the name that it has whatever lies above it.
"""

import _sqlite3
import ctypes
import errno
from pathlib import Path
from typing import Final

#: proc(5): a link that is followed without going its way.
_PLACE: Final = b"/proc/self/cwd"


class _VFS(ctypes.Structure):
    """``struct sqlite3_vfs``, version 3."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("following", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("methods", ctypes.c_void_p * 13),
        ("set_system_call", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)),
    )


def is_barred(path: Path) -> bool:
    """Whether a relative path leads somewhere, and the absolute one does not."""
    if path.is_absolute():
        return False
    try:
        path.absolute().parent.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def open_by_working_directory() -> None:
    """Have SQLite call the working directory by that name from now on, in the whole process.

    Raises:
        OSError: This SQLite cannot be told so.
    """
    try:
        find = ctypes.CDLL(_sqlite3.__file__).sqlite3_vfs_find
    except (AttributeError, OSError) as error:
        raise OSError(errno.ENOSYS, f"SQLite cannot be led around it: {error}") from error
    find.restype = ctypes.POINTER(_VFS)
    vfs = find(None)
    for name, call in _CALLS:
        if vfs.contents.version < 3 or vfs.contents.set_system_call(vfs, name, ctypes.cast(call, ctypes.c_void_p)):  # noqa: PLR2004
            raise OSError(errno.ENOSYS, "SQLite cannot be led around it")


def _getcwd(buffer: int | None, size: int) -> int | None:
    if buffer is None or size <= len(_PLACE):
        return None
    ctypes.memmove(buffer, _PLACE + b"\0", len(_PLACE) + 1)
    return buffer


def _lstat(path: bytes, status: int | None) -> int:
    """Say that no part of a path is a link: the file itself is opened with O_NOFOLLOW."""
    del path, status
    ctypes.set_errno(errno.ENOENT)
    return -1


#: As C calls them; SQLite keeps their addresses.
_CALLS: Final = (
    (b"getcwd", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(_getcwd)),
    (b"lstat", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, use_errno=True)(_lstat)),
)
