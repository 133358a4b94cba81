"""POSIX processes, as the daemon and the runner process both need them: pipes, process groups, deaths, limits.

Rule: no Twisted, which would double the memory of the runner process; and no fork, which is the runner's alone.
"""

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from typing import NamedTuple


class OutputPipes(NamedTuple):
    """Pipes for standard output and standard error of a process that is about to be started."""

    stdout: int
    stdout_end: int
    stderr: int
    stderr_end: int


@contextlib.contextmanager
def output_pipes() -> Iterator[OutputPipes]:
    """Make pipes, with whose ends the process is started within the context.

    Afterwards the two ends are closed, and the others are non-blocking and the caller's to close; if the process could
    not be started all four are closed.

    Raises:
        OSError: There is no room for more descriptors.
    """
    descriptors: list[int] = []
    try:
        descriptors += os.pipe()
        descriptors += os.pipe()
        pipes = OutputPipes(*descriptors)
        yield pipes
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    os.close(pipes.stdout_end)
    os.close(pipes.stderr_end)
    os.set_blocking(pipes.stdout, False)
    os.set_blocking(pipes.stderr, False)


def open_null() -> int:
    """Open /dev/null for reading: standard input of all that we start."""
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def in_memory(content: bytes) -> int:
    """Put bytes into a file that has no name; return its descriptor, at the beginning, and close-on-exec.

    Raises:
        OSError: There is no room for more descriptors, or no memory.
    """
    descriptor = os.memfd_create("cmdserver", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def standard_input(content: bytes | None, null: int) -> Iterator[int]:
    """Give the descriptor of what a process reads, for the time of its start: a text, or /dev/null, which is ``null``.

    A file in memory, and no pipe: nobody has to write while the process reads, or to be told that it does not.
    """
    if content is None:
        yield null
        return
    descriptor = in_memory(content)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def ignored_signals() -> list[int]:
    """List the signals that we ignore (Python ignores SIGPIPE, nohup SIGHUP), and that a program must not ignore."""
    return [each for each in signal.valid_signals() if signal.getsignal(each) == signal.SIG_IGN]


def become(uid: int, gid: int) -> None:
    """Become a user for good, with this group and no other; raises an OSError if the kernel refuses."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def raise_descriptor_limit(needed: int) -> tuple[int, int] | None:
    """Raise our limit of open descriptors (RLIMIT_NOFILE), as far as that is possible.

    Returns:
        The limits, soft and hard, that we had, if they were changed: commands get those, as programs that use select(2)
        must not have more.
    """
    soft, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if possible <= soft:
        return None
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    return limits


def next_death() -> tuple[int, int] | None:
    """Reap a child; return its number and its status, or None if none is dead."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


class ProcessGroup:
    """A process group that we started: signalled as a whole, and never after it is gone.

    Its number is its leader's process id, which the kernel gives to no other process as long as the group has a member,
    and no longer. So once the group has been seen to be empty it is not signalled any more.
    """

    __slots__ = ("id", "is_gone")

    def __init__(self, group_id: int) -> None:
        if group_id <= 1:  # to killpg(2), 0 is our own group; and 1 is init's
            raise ValueError(group_id)
        self.id = group_id
        #: Whether it has been seen to be empty.
        self.is_gone = False

    def look(self) -> None:
        """See whether anybody is left in it; a leader that was not yet reaped counts."""
        with contextlib.suppress(PermissionError):
            self.signal(0)

    def signal(self, number: int) -> None:
        """Send a signal to everybody in it; harmless if nobody is.

        Raises:
            PermissionError: All who are in it run as somebody else, by a set-user-ID program, say.
        """
        if not self.is_gone:
            try:
                os.killpg(self.id, number)
            except ProcessLookupError:
                self.is_gone = True
