"""What the kernel makes of an executable file: whether it would start it, and which rights it would take from it.

execve(2) says "No such file or directory" of a script whose interpreter is not there, and nobody sees which file is
meant; so the file is looked at before. Only regular files are read, and a little of them: who looks may be root, and
the file somebody else's. What cannot be found out is no trouble.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from msgspec import Struct

from cmdserver.config import elf
from cmdserver.core.text_encoding import BYTE_ORDER_MARK

#: All that the kernel looks at to tell what a file is (BINPRM_BUF_SIZE, since Linux 5.1).
_HEAD_BYTES = 256
#: An interpreter may be a script itself, so many times (exec_binprm in the kernel's fs/exec.c).
_MOST_INTERPRETERS = 5

#: Formats that an administrator has added to those of the kernel (binfmt_misc).
_FORMATS = Path("/proc/sys/fs/binfmt_misc")


class LentRights(Struct, frozen=True, kw_only=True):
    """What a program would run with besides what its caller has, if it might gain privileges."""

    #: Whose rights a set-user-ID program has, by number.
    uid: int | None = None
    #: Of which group a set-group-ID program is, by number.
    gid: int | None = None
    #: Whether it has capabilities of its own (setcap(8)).
    has_capabilities: bool = False


def trouble_with(path: str) -> str | None:
    """Say why the kernel would not start a file, for after its name; None if it would, or if that cannot be told."""
    return _trouble(path, 0)


def trouble_with_start(path: str, directory: str) -> str | None:
    """Say why a program was not started in a directory, once it is known that it was not; None if that cannot be told.

    For after the event: before it, `trouble_with` and `obstacle_for` say more.
    """
    if trouble := trouble_with(path):
        # Whoever tried may have more rights than we have, and has seen something else then.
        return None if trouble.endswith(os.strerror(errno.EACCES)) else f"it {trouble}"
    if not is_directory(directory):
        return f"its working directory {directory} is not there"
    return None


def is_directory(path: str) -> bool:
    """Whether there is a directory, as far as we can see; pathlib raises where we may not look."""
    return os.path.isdir(path)  # noqa: PTH112


def interpreter_of(path: str) -> tuple[str, str] | None:
    """Say what a script's first line names, and the rest of that line; None if it is no script that we may read."""
    try:
        with _opened(path) as read:
            head = read(0, _HEAD_BYTES)
    except OSError:
        return None
    return _interpreter(head) if head.startswith(b"#!") else None


def rights_lent_by(path: str) -> LentRights:
    """Say what a file would give to whoever runs it; nothing, if it is a script or cannot be looked at."""
    try:
        status = Path(path).stat()
    except OSError:
        return LentRights()
    if interpreter_of(path) is not None:
        return LentRights()
    mode = status.st_mode
    return LentRights(
        uid=status.st_uid if mode & stat.S_ISUID else None,
        # Without the group's x it would be the mark of a mandatory lock.
        gid=status.st_gid if mode & stat.S_ISGID and mode & stat.S_IXGRP else None,
        has_capabilities=_has_attribute(path, "security.capability"),
    )


def obstacle_for(uid: int, gid: int, path: str) -> str | None:
    """Name what a user without other groups may not go through, or execute, on the way to a file or directory.

    Root may enter everything, and execute what anybody may. Where there are access lists nothing is said.
    """
    if uid == 0:
        return None
    for each in (*_way_to(Path(path)), *_way_to(Path(os.path.realpath(path)))):
        try:
            status = each.stat()
        except OSError:
            return None
        shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
        if not status.st_mode >> shift & 1 and not _has_attribute(str(each), "system.posix_acl_access"):
            return str(each)
    return None


def _way_to(path: Path) -> Iterator[Path]:
    """List the directories above a path, from the top, and it itself."""
    yield from reversed(path.parents)
    yield path


def _has_attribute(path: str, name: str) -> bool:
    try:
        return bool(os.getxattr(path, name))
    except OSError:
        return False


@contextmanager
def _opened(path: str) -> Iterator[elf.Read]:
    """Open a regular file to read in it, without waiting for anybody; what it is not, or we may not, is an OSError."""
    # What it is must be known before it is opened: to open a device can mean something.
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(None, "is not a file", path)
        descriptor = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(place)
    try:
        yield lambda start, size: os.pread(descriptor, size, start)
    finally:
        os.close(descriptor)


def _trouble(path: str, depth: int) -> str | None:
    """See `trouble_with`; at a depth, of an interpreter."""
    if depth > _MOST_INTERPRETERS:
        return "is one interpreter too many"
    if trouble := _trouble_outside(path):
        return "is missing" if depth and trouble.endswith(os.strerror(errno.ENOENT)) else trouble
    try:
        with _opened(path) as read:
            return _trouble_inside(path, read, depth)
    except OSError:  # to execute a program one need not be allowed to read it
        return None


def _trouble_outside(path: str) -> str | None:
    try:
        status, system = Path(path).stat(), os.statvfs(path)
    except OSError as error:
        return f"cannot be run: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "is not a file"
    if system.f_flag & os.ST_NOEXEC:
        return "is on a file system that is mounted noexec"
    return None if os.access(path, os.X_OK) else "is not executable"


def _trouble_inside(path: str, read: elf.Read, depth: int) -> str | None:
    head = read(0, _HEAD_BYTES)
    if head.startswith(b"#!"):
        return _trouble_with_script(head, depth)
    if not head.startswith(elf.MAGIC):
        trouble: str | None = _trouble_with_format(head)
    else:
        trouble = _trouble_with_program(elf.parse(read), depth)
    return None if trouble and _is_added_format(path, head) else trouble


def _trouble_with_script(head: bytes, depth: int) -> str | None:
    line, end, _ = head[2:].partition(b"\n")
    interpreter, _ = _interpreter(head)
    if not end and len(head) == _HEAD_BYTES and len(line.strip(b" \t").split()) == 1:
        return f"cannot be run: the name of its interpreter goes beyond the {_HEAD_BYTES} bytes that the kernel reads"
    if line.endswith(b"\r"):
        text = "the kernel takes the CR for a part of what its first line names; save it with LF alone"
        return rf"cannot be run: its lines end in CR LF, as on Windows, and {text}, or: sed -i 's/\r$//'"
    if not interpreter:
        return "cannot be run: its first line names no interpreter; write one such as #!/bin/sh"
    if not interpreter.startswith("/"):
        return f"cannot be run: its interpreter {interpreter} is no absolute path; write #!/usr/bin/env {interpreter}"
    trouble = _trouble(interpreter, depth + 1)
    return f"cannot be run: its interpreter {interpreter} {trouble}" if trouble else None


def _interpreter(head: bytes) -> tuple[str, str]:
    """Read a script's first line as the kernel does: a path, and the rest as one argument."""
    words = head[2:].partition(b"\n")[0].partition(b"\0")[0].strip(b" \t").split(None, 1)
    path, argument = (*words, b"", b"")[:2]
    return os.fsdecode(path), os.fsdecode(argument)


def _trouble_with_format(head: bytes) -> str:
    if head.startswith(BYTE_ORDER_MARK + b"#!"):
        return "cannot be run: a byte order mark in front of the #! hides that from the kernel; save it without"
    if not head:
        return "cannot be run: it is empty"
    if b"\0" in head:
        return "cannot be run: it is no program of a kind that this host knows"
    return "cannot be run: it has no first line that names its interpreter, such as #!/bin/sh"


def _trouble_with_program(header: elf.Header | None, depth: int) -> str | None:
    if header is None:
        return "cannot be run: it is a program that is cut off or damaged"
    if header.is_object:
        return "cannot be run: it is an object file, which is yet to be linked"
    ours = _own_header()
    if ours is not None and not header.runs_beside(ours):
        return f"cannot be run: it is a program for {header.machine_name}, and this host is {ours.machine_name}"
    trouble = _trouble(header.loader, depth + 1) if header.loader is not None else None
    return f"cannot be run: its loader {header.loader} {trouble}" if trouble else None


@cache
def _own_header() -> elf.Header | None:
    """Look at the program that we are: what that is for, this host is."""
    try:
        with _opened("/proc/self/exe") as read:
            return elf.parse(read)
    except OSError:
        return None


def _is_added_format(path: str, head: bytes) -> bool:
    """Whether the kernel hands such files to an interpreter that somebody has registered (binfmt_misc)."""
    try:
        entries = [each.read_text("ascii", "replace") for each in _FORMATS.iterdir() if each.name != "register"]
    except OSError:
        return False
    return any(map(partial(_is_format, path, head), entries))


def _is_format(path: str, head: bytes, entry: str) -> bool:
    """Compare a file with an entry as the kernel's documentation has it (admin-guide/binfmt-misc.rst)."""
    fields = dict(each.partition(" ")[::2] for each in entry.split("\n"))
    if "enabled" not in fields:
        return False
    if "extension" in fields:
        return path.endswith(fields["extension"])
    try:
        magic = bytes.fromhex(fields["magic"])
        mask = bytes.fromhex(fields.get("mask", "ff" * len(magic)))
        start = int(fields.get("offset", "0"))
    except (KeyError, ValueError):
        return False
    found = head[start : start + len(magic)]
    return (
        bool(magic)
        and len(found) == len(magic)
        and all(a & m == b & m for a, b, m in zip(found, magic, mask, strict=False))
    )
