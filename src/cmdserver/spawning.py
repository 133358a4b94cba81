"""Start a process and be its transport: as few system calls and reactor events as there can be, and never a fork.

Why not the reactor's own spawnProcess: for each child it lists and queries every open descriptor (1875 commands a
second with none open, 65 with 10,000), leaves the child in the daemon's process group, and forks the whole daemon in
Python as soon as a user or a directory is given. Here a child gets three ``dup2`` actions and a session of its own;
all other descriptors are close-on-exec (`cmdserver.process` sees to those that we were started with).

Rule of this file: it knows nothing of commands, limits or callers.
"""

import contextlib
import os
import resource
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from twisted.internet import process
from twisted.internet.error import ConnectionDone, ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import (
    IAddress,
    IProcessProtocol,
    IProcessTransport,
    IReactorFDSet,
    IReactorProcess,
    IReadDescriptor,
)
from twisted.internet.stdio import PipeAddress
from twisted.python.failure import Failure
from zope.interface import implementer

#: As much as a pipe holds.
_READ_BYTES = 65536

_CLOSED = ConnectionDone()


@implementer(IReactorProcess)
class Spawner:
    """An `IReactorProcess` whose children get /dev/null as standard input and two pipes.

    Args:
        reactor: Watches the pipes, and calls Twisted's reaper when a child has died.
        descriptor_limit: RLIMIT_NOFILE for children, soft and hard; None for the daemon's own.
    """

    def __init__(self, reactor: IReactorFDSet, descriptor_limit: tuple[int, int] | None = None) -> None:
        self._reactor = reactor
        self._descriptor_limit = descriptor_limit
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        #: What the daemon ignores (Python ignores SIGPIPE, nohup SIGHUP) a child must not ignore.
        self._ignored = [each for each in signal.valid_signals() if signal.getsignal(each) == signal.SIG_IGN]

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        env: Mapping[Any, Any] | None = None,
        path: bytes | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | tuple[Any, ...] = False,  # noqa: FBT001, FBT002 - IReactorProcess has it so
        childFDs: Mapping[int, int | str] | None = None,
    ) -> IProcessTransport:
        """Start ``args`` with exactly the environment ``env``.

        Raises:
            OSError: At once, whatever the kernel said: no such file, no permission, too many processes or descriptors.
            ValueError: For a directory, user, terminal or descriptors: those would need a fork.
        """
        if path is not None or uid is not None or gid is not None or usePTY or childFDs is not None:
            message = "a directory, a user, a terminal or descriptors need a fork, and the daemon is never forked"
            raise ValueError(message)
        descriptors: list[int] = []
        try:
            descriptors += os.pipe()
            descriptors += os.pipe()
            output, output_end, errors, errors_end = descriptors
            pid = os.posix_spawn(
                executable,
                list(args),
                env or {},
                # All sources are above 2 (process.isolate_descriptors), so no action overwrites the source of another.
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, self._null, 0),
                    (os.POSIX_SPAWN_DUP2, output_end, 1),
                    (os.POSIX_SPAWN_DUP2, errors_end, 2),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=self._ignored,
            )
        except BaseException:
            for descriptor in descriptors:
                os.close(descriptor)
            raise
        os.close(output_end)
        os.close(errors_end)
        os.set_blocking(output, False)
        os.set_blocking(errors, False)
        if self._descriptor_limit is not None:
            with contextlib.suppress(OSError):  # it is gone already
                resource.prlimit(pid, resource.RLIMIT_NOFILE, self._descriptor_limit)
        child = Child(self._reactor, processProtocol, pid, {1: output, 2: errors})
        child.begin()
        return child


@implementer(IProcessTransport)
class Child:
    """A running process, as its protocol sees it; leader of its own session and process group.

    Args:
        reactor: Watches the pipes.
        protocol: Is told what happens.
        pid: The process.
        pipes: The ends that we read, by the number that the other end has in the process.
    """

    def __init__(self, reactor: Any, protocol: IProcessProtocol, pid: int, pipes: Mapping[int, int]) -> None:
        self._reactor = reactor
        #: None when it has been told everything: to let go of it saves the garbage collector a cycle a command.
        self._protocol: IProcessProtocol | None = protocol
        #: None once the process has been reaped: the number may be another's then.
        self.pid: int | None = pid
        self.pipes = {number: _Pipe(self, number, descriptor) for number, descriptor in pipes.items()}
        self._reason: Failure | None = None

    def begin(self) -> None:
        """Introduce ourselves to the protocol, and begin to read and to wait."""
        if self._protocol is not None:
            self._protocol.makeConnection(self)
        for pipe in self.pipes.values():
            self._reactor.addReader(pipe)
        process.registerReapProcessHandler(self.pid, self)

    # As Twisted's reaper calls it, after a SIGCHLD

    def reapProcess(self) -> None:
        """Look whether the process is dead."""
        pid, status = os.waitpid(cast("int", self.pid), os.WNOHANG)
        if pid:
            process.unregisterReapProcessHandler(pid, self)
            self.processEnded(status)

    def processEnded(self, status: int) -> None:
        """It is, and has been reaped."""
        self.pid = None
        self._reason = Failure(_reason(status))
        if self._protocol is not None:
            self._protocol.processExited(self._reason)
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._reason is not None and not self.pipes and self._protocol is not None:
            protocol, self._protocol = self._protocol, None
            protocol.processEnded(self._reason)

    # As the pipes call it

    def received(self, number: int, data: bytes) -> None:
        """Output."""
        if self._protocol is not None:
            self._protocol.childDataReceived(number, data)

    def closed(self, number: int) -> None:
        """No more output on one of the pipes."""
        del self.pipes[number]
        if self._protocol is not None:
            self._protocol.childConnectionLost(number)
        if not self.pipes and self.pid is not None:
            self.reapProcess()  # the signal may come later, and then finds nothing to do
        else:
            self._end_if_over()

    # IProcessTransport, and back-pressure

    def pauseProducing(self) -> None:
        """Read no more for now; the process blocks when its pipes are full."""
        for pipe in self.pipes.values():
            self._reactor.removeReader(pipe)

    def resumeProducing(self) -> None:
        """Read on."""
        for pipe in self.pipes.values():
            if not pipe.is_closing:
                self._reactor.addReader(pipe)

    def loseConnection(self) -> None:
        """Close the pipes, from the reactor's next round on."""
        for number in list(self.pipes):
            self.closeChildFD(number)

    def closeChildFD(self, descriptor: int) -> None:
        """Close one pipe.

        Not at once: the reactor may hold an event for it in this round, and the number, given to another descriptor in
        between, would make that one suffer the event.
        """
        pipe = self.pipes.get(descriptor)
        if pipe is not None and not pipe.is_closing:
            pipe.is_closing = True
            self._reactor.removeReader(pipe)
            self._reactor.callLater(0, pipe.connectionLost, None)

    def closeStdin(self) -> None:
        """There is none."""

    def closeStdout(self) -> None:
        """Close the pipe of standard output."""
        self.closeChildFD(1)

    def closeStderr(self) -> None:
        """Close the pipe of standard error."""
        self.closeChildFD(2)

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Refuse: there is nothing to write to, standard input is /dev/null."""
        raise KeyError(childFD, data)

    def write(self, data: bytes) -> None:
        """Refuse, as `writeToChild` does."""
        self.writeToChild(0, data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Refuse, as `writeToChild` does."""
        self.writeToChild(0, b"".join(iovec))

    def getPeer(self) -> IAddress:
        """Say whom we read from."""
        return PipeAddress()

    def getHost(self) -> IAddress:
        """Say the same: a pipe has no other address."""
        return PipeAddress()

    def signalProcess(self, signalID: str | int) -> None:
        """Signal the process alone, not its group.

        Raises:
            ProcessExitedAlready: It has been reaped.
        """
        if self.pid is None:
            raise ProcessExitedAlready
        os.kill(self.pid, signal.Signals[f"SIG{signalID}"] if isinstance(signalID, str) else signalID)


@implementer(IReadDescriptor)
class _Pipe:
    """The end of a pipe that we read."""

    __slots__ = ("__weakref__", "_child", "_descriptor", "_number", "is_closing")

    def __init__(self, child: Child, number: int, descriptor: int) -> None:
        self._child = child
        self._number = number
        self._descriptor = descriptor
        #: Between our wish to close it and the next round of the reactor.
        self.is_closing = False

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "child"

    def doRead(self) -> Exception | None:  # type: ignore[override] # what the reactor really wants, not what it says
        """Read what there is; and the end, if it is there too, which saves an event for most commands."""
        for _ in range(2):
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return None
            if not data:
                return _CLOSED
            self._child.received(self._number, data)
            if len(data) == _READ_BYTES:
                return None  # there is more, and others have a turn first
        return None

    def connectionLost(self, reason: Failure | None) -> None:  # noqa: ARG002 - the reactor has one
        """The other end, or we, have closed it."""
        if self._descriptor != -1:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            self._child.closed(self._number)


def _reason(status: int) -> ProcessDone | ProcessTerminated:
    """Put a wait status into Twisted's words."""
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return ProcessDone(status)
    if code > 0:
        return ProcessTerminated(code, None, status)
    return ProcessTerminated(None, -code, status)
