"""The pipes of a process's output, whoever has started it: the daemon or the runner process."""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from twisted.internet.error import ConnectionDone, ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IProcessProtocol, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

#: As much as a pipe holds.
_READ_BYTES = 65536
#: In a row, of a process that has exited: whoever writes on must not keep others from their turn.
_MOST_READS = 4

_CLOSED = ConnectionDone()


class Piped:
    """What a run has for the transport of its process; subclasses signal it, and say when it has exited.

    Of Twisted's `IProcessTransport` it has what runs use: nothing is written, and a group is signalled as one.
    """

    def __init__(self, reactor: Any, protocol: IProcessProtocol) -> None:
        self._reactor = reactor
        #: None when it has been told everything, so that no reference cycle is left of a command.
        self.protocol: IProcessProtocol | None = protocol
        #: The ends that we read, by the number that the other end has in the process.
        self.pipes: dict[int, _Pipe] = {}
        #: None until the process runs, and once it has been reaped: the number may be another's then.
        self.pid: int | None = None
        self._reason: Failure | None = None
        self._is_paused = False

    def open(self, pipes: Mapping[int, int]) -> None:
        """Begin to read, unless we have been paused.

        Args:
            pipes: Descriptors, by the number that the other end has in the process; they are ours from now on.
        """
        self.pipes = {number: _Pipe(self, number, descriptor) for number, descriptor in pipes.items()}
        if not self._is_paused:
            for pipe in self.pipes.values():
                self._reactor.addReader(pipe)

    def ran(self, pipes: Mapping[int, int], reason: Failure) -> None:
        """Take the end of a process that has exited already, and what it has said.

        Most often that is all there is: both pipes are at their end, and the reactor need not hear of them. Somebody
        who still holds one, or a client that does not keep up, makes of it an end as of any other process.

        Args:
            pipes: As in `open`; the descriptors are non-blocking.
            reason: How it ended.
        """
        said: list[tuple[int, bytes]] = []
        left = {}
        for number, descriptor in pipes.items():
            if not self._is_paused and _reads_to_end(number, descriptor, said):
                os.close(descriptor)
            else:
                left[number] = descriptor
        if left:
            self.open(left)
        protocol = self.protocol
        if protocol is not None:
            self._reason = reason
            protocol.processExited(reason)
            for number, data in said:
                protocol.childDataReceived(number, data)
            for number in pipes:
                if number not in left:
                    protocol.childConnectionLost(number)
            self._end_if_over()

    def exited(self, reason: Failure) -> None:
        """Note that the process has exited."""
        self._reason = reason
        if self.protocol is not None:
            self.protocol.processExited(reason)
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._reason is not None and not self.pipes and self.protocol is not None:
            protocol, self.protocol = self.protocol, None
            protocol.processEnded(self._reason)

    # As the pipes call it

    def closed(self, number: int) -> None:
        """Note that one of the pipes is closed."""
        del self.pipes[number]
        if self.protocol is not None:
            self.protocol.childConnectionLost(number)
        self._end_if_over()

    # As the run calls it

    def pauseProducing(self) -> None:
        """Read no more for now; the process blocks when its pipes are full."""
        self._is_paused = True
        for pipe in self.pipes.values():
            self._reactor.removeReader(pipe)

    def resumeProducing(self) -> None:
        self._is_paused = False
        for pipe in self.pipes.values():
            if not pipe.is_closing:
                self._reactor.addReader(pipe)

    def loseConnection(self) -> None:
        """Close the pipes, from the reactor's next round on.

        Not at once: the reactor may hold an event for one in this round, and the number, given to another descriptor in
        between, would make that one suffer the event.
        """
        for pipe in self.pipes.values():
            if not pipe.is_closing:
                pipe.is_closing = True
                self._reactor.removeReader(pipe)
                self._reactor.callLater(0, pipe.connectionLost, None)

    def signal_group(self, number: int) -> None:
        """Signal everybody who is in the process's group."""
        raise NotImplementedError

    def look_at_group(self) -> None:
        """Note whether nobody is left in the group: its number may be another's then."""
        raise NotImplementedError


@implementer(IReadDescriptor)
class _Pipe:
    """The end of a pipe that we read."""

    __slots__ = ("__weakref__", "_child", "_descriptor", "_number", "is_closing")

    def __init__(self, child: Piped, number: int, descriptor: int) -> None:
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
            if (protocol := self._child.protocol) is not None:
                protocol.childDataReceived(self._number, data)
            if len(data) == _READ_BYTES:
                return None  # there is more, and others have a turn first
        return None

    def connectionLost(self, reason: Failure | None) -> None:  # noqa: ARG002 - the reactor has one
        """Close our end: the other one is closed, or we want no more."""
        if self._descriptor != -1:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            self._child.closed(self._number)


def _reads_to_end(number: int, descriptor: int, said: list[tuple[int, bytes]]) -> bool:
    """Read what there is; return whether that was all there will be."""
    for _ in range(_MOST_READS):
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            return True
        said.append((number, data))
    return False


@lru_cache(maxsize=512)
def reason_of(status: int) -> Failure:
    """Say with Twisted's exceptions how a process ended, given its wait status; of one status there is one failure."""
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return Failure(ProcessDone(status))
    if code > 0:
        return Failure(ProcessTerminated(code, None, status))
    return Failure(ProcessTerminated(None, -code, status))
