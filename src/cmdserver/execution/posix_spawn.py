"""Starts a process and is its transport, with few system calls and reactor events, and never with a fork.

Why not the reactor's own spawnProcess: for each child it lists and queries every open descriptor (1875 commands a
second with none open, 65 with 10,000), leaves the child in the daemon's process group, and forks the whole daemon in
Python as soon as a user or a directory is given. Here a child gets three ``dup2`` actions and a session of its own;
all other descriptors are close-on-exec (`cmdserver.app.host_process` sees to those that we were started with).
"""

import contextlib
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from typing import Any, cast

from twisted.internet import process
from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorFDSet
from twisted.logger import Logger

from cmdserver.execution.pipes import Piped, reason_of
from cmdserver.execution.posix import ProcessGroup, ignored_signals, open_null, output_pipes, standard_input
from cmdserver.execution.spawning import spawn

_log = Logger()


class Spawner:
    """Starts processes that get a standard input and two pipes.

    Args:
        reactor: Watches the pipes, and calls Twisted's reaper when a child has died.
        descriptor_limit: RLIMIT_NOFILE for children, soft and hard; None for the daemon's own.
    """

    def __init__(self, reactor: IReactorFDSet, descriptor_limit: tuple[int, int] | None = None) -> None:
        self._reactor = reactor
        self._descriptor_limit = descriptor_limit
        self._null = open_null()
        self._ignored = ignored_signals()

    def start(
        self,
        protocol: IProcessProtocol,
        path: str,
        argv: Sequence[str | bytes],
        environment: Mapping[str, str],
        stdin: bytes | None = None,
    ) -> IProcessTransport:
        """Start a program with exactly this environment, and this to read; None is /dev/null.

        Raises:
            OSError: At once, whatever the kernel said: no such file, no permission, too many processes or descriptors.
        """
        words = [word.encode() if isinstance(word, str) else word for word in argv]  # UTF-8, whatever our locale is
        variables = {name.encode(): value.encode() for name, value in environment.items()}
        with standard_input(stdin, self._null) as to_read, output_pipes() as pipes:
            descriptors = {0: to_read, 1: pipes.stdout_end, 2: pipes.stderr_end}
            pid = spawn(path, words, variables, descriptors, self._ignored)
        if self._descriptor_limit is not None:
            with contextlib.suppress(OSError):  # it is gone already
                resource.prlimit(pid, resource.RLIMIT_NOFILE, self._descriptor_limit)
        child = Child(self._reactor, protocol, pid)
        child.begin({1: pipes.stdout, 2: pipes.stderr})
        return cast("IProcessTransport", child)


class Child(Piped):
    """A process of ours; leader of its own session and process group."""

    def __init__(self, reactor: Any, protocol: IProcessProtocol, pid: int) -> None:
        super().__init__(reactor, protocol)
        self.pid = pid
        self._group = ProcessGroup(pid)

    def begin(self, pipes: Mapping[int, int]) -> None:
        """Connect the protocol, and begin to read and to wait."""
        self.open(pipes)
        if self.protocol is not None:
            self.protocol.makeConnection(cast("IProcessTransport", self))
        process.registerReapProcessHandler(self.pid, self)

    # As Twisted's reaper calls it, after a SIGCHLD

    def reapProcess(self) -> None:
        pid, status = os.waitpid(cast("int", self.pid), os.WNOHANG)
        if pid:
            process.unregisterReapProcessHandler(pid, self)
            self.processEnded(status)

    def processEnded(self, status: int) -> None:
        """Note that the process is dead, and has been reaped."""
        self.pid = None
        self.exited(reason_of(status))

    def closed(self, number: int) -> None:
        super().closed(number)
        if not self.pipes and self.pid is not None:
            self.reapProcess()  # the signal may come later, and then finds nothing to do

    def signal_group(self, number: int) -> None:
        signal_or_log(self._group, number)

    def look_at_group(self) -> None:
        self._group.look()


def signal_or_log(group: ProcessGroup, number: int) -> None:
    """Signal a process group; that we may not is for the log, as the run's time limit will be met all the same."""
    try:
        group.signal(number)
    except PermissionError as error:
        name = signal.Signals(number).name
        _log.error("cannot send {signal} to process group {group}: {error}", signal=name, group=group.id, error=error)
