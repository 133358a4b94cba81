"""Replaces a file atomically, with one writer at a time.

Whenever a writer is killed, the file is the old one or the new one; what it had begun is a hidden file beside it, which
the next writer overwrites. The lock is the kernel's: it ends with its holder, so none can be left behind.

Rule: every change is made while `locked`.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from cmdserver.files.safe_path import opened

#: Never removed: who waits for the lock of a file that is gone would not see whoever locks the new one.
LOCK_NAME = ".lock"
_RETRY_SECONDS = 0.01


@contextlib.contextmanager
def locked(directory: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a directory, so that nobody else changes files in it; a change takes milliseconds.

    Raises:
        TimeoutError: Somebody else has held it for that long.
        OSError: The lock file cannot be made.
    """
    path = directory / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _is_locked_by_us(descriptor):
            if time.monotonic() >= deadline:
                text = f"another process has held this lock for {wait_seconds:g} s"
                raise TimeoutError(None, text, str(path))
            time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _is_locked_by_us(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def replace(path: Path, content: bytes, *, durably: bool = True) -> None:
    """Give a file this content and mode 0600; make it if it is not there.

    Args:
        path: Of the file.
        content: All of it.
        durably: Whether to wait until it is on the disk; else a power cut may leave an old file, or an empty one.

    Raises:
        OSError: The disk is full, say; the file is as it was.
    """
    new = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(content)
            file.flush()
            if durably:
                os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        raise
    if durably:
        _keep_names(path.parent)


def remove(path: Path) -> bool:
    """Remove a file durably.

    Returns:
        Whether it was there.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _keep_names(path.parent)
    return True


def make_directory(path: Path) -> None:
    """Make a directory for us alone, durably, if it is not there."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        _keep_names(path.parent)


def _keep_names(directory: Path) -> None:
    """Write a directory's names to the disk, which fsync of a file does not."""
    with opened(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as descriptor:
        os.fsync(descriptor)
