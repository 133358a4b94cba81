"""The runner process as the daemon uses it: an `IReactorProcess` whose executables are names of the allow-list."""

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any, assert_never

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess, IReadWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.core.errors import Unavailable
from cmdserver.privsep.channel import RETRY_SECONDS, Channel, close_all
from cmdserver.privsep.daemon.fetching import Fetches
from cmdserver.privsep.daemon.remote_child import RemoteChild
from cmdserver.privsep.messages import (
    REQUEST_BYTES,
    Exited,
    Fetch,
    Fetched,
    Ran,
    Read,
    Ready,
    Refused,
    Report,
    Request,
    Signal,
    Start,
    Started,
    Trouble,
    decode_report,
    encode,
)

#: Reports in a row, before others have a turn.
_REPORTS_IN_A_ROW = 64

_log = Logger()


class RunnerLost(OSError):  # noqa: N818 - a statement
    """The runner process died while it ran something, and what it ran died with it."""


@implementer(IReactorProcess, IReadWriteDescriptor)
class RemoteBackend:
    """The runner process: what it is asked, and what it reports.

    Args:
        met: Called when a runner is ready, with the process whose place it has taken, if any.
        lost: Called when there is no runner any more, nor one to take its place.
    """

    def __init__(self, reactor: Any, met: Callable[[Ready, int | None], None], lost: Callable[[], None]) -> None:
        self._reactor = reactor
        self._met = met
        self._lost = lost
        self._channel: Channel | None = None
        #: Of the runner that we speak to; -1 until it is ready.
        self._generation = -1
        self._last_id = -1
        self._children: dict[int, RemoteChild] = {}
        self._read: Callable[[Read, tuple[int, ...]], None] | None = None
        self._fetches = Fetches(reactor, lambda name: self._send(encode(Fetch(name))))
        #: The runner's process, for people.
        self.pid: int | None = None

    def attach(self, connection: socket.socket) -> None:
        """Speak to a runner through this socket; it is ours from now on."""
        self._channel = Channel(connection)
        self._reactor.addReader(self)

    @property
    def is_there(self) -> bool:
        """Whether there is a runner that is ready."""
        return self._generation >= 0

    # IReactorProcess

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: Any,
        args: Sequence[Any] = (),
        *_unused: object,
        **_also_unused: object,
    ) -> IProcessTransport:
        """Have a command started.

        The executable and the arguments are texts. Its protocol knows its transport at once; what keeps the process
        from being started, an OSError, is told later, as the reason of its end.

        Raises:
            OSError: There is no runner at the moment, or the arguments are too long.
        """
        if self._generation < 0:
            raise OSError(errno.EAGAIN, "the runner process is being started")
        self._last_id += 1
        packet = encode(Start(self._generation, self._last_id, executable, tuple(args[1:])))
        if len(packet) > REQUEST_BYTES:
            raise OSError(errno.E2BIG, "the arguments are too long")
        child: Any = RemoteChild(self._reactor, processProtocol, self._last_id, self._signal)
        self._children[self._last_id] = child
        processProtocol.makeConnection(child)
        self._send(packet)
        return child  # type: ignore[no-any-return] # of the interface it has what runs use

    # Other requests

    def ask(self, request: Request, read: Callable[[Read, tuple[int, ...]], None] | None = None) -> None:
        """Send a request that is about no run; ``read`` gets the answer to a `Reread`, and the descriptors with it."""
        if read is not None:
            self._read = read
        self._send(encode(request))

    def _signal(self, run_id: int, number: int) -> None:
        self._send(encode(Signal(self._generation, run_id, number)))  # type: ignore[arg-type] # SIGTERM or SIGKILL

    def end(self) -> None:
        """Ask nothing more: the runner ends all that it runs, and itself, and then it is lost."""
        if self._channel is not None:
            self._channel.end_sending()

    def close(self) -> None:
        """Close the socket, which ends the runner and all that it runs."""
        if self._channel is not None:
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            channel, self._channel = self._channel, None
            channel.close()
        self._generation = -1
        self._fetches.end()

    def fetch(self, name: str) -> Deferred[int]:
        """See `Fetches.fetch`."""
        if not self.is_there:
            return fail(Unavailable(errno.EAGAIN, "the runner process is being started"))
        return self._fetches.fetch(name)

    # IReadWriteDescriptor

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._channel.fileno() if self._channel is not None else -1

    def logPrefix(self) -> str:
        return "runner"

    def doRead(self) -> None:
        for _ in range(_REPORTS_IN_A_ROW):
            if self._channel is None or (received := self._channel.receive_with_descriptors()) is None:
                return
            packet, descriptors = received
            try:
                report = decode_report(packet)
            except ValueError:  # an empty packet is the end, and no report
                self._lose()
                return
            self.take(report, descriptors)
            if not self._children:
                return  # nothing is under way; should there be more, the reactor says so

    def doWrite(self) -> None:
        self._reactor.removeWriter(self)
        if self._channel is not None:
            self._channel.flush()
            self._wait_for_room(self._channel)

    def connectionLost(self, reason: Failure) -> None:
        """Twisted has met with an error of ours, and watches the socket no longer: there is no runner without it."""
        _log.failure("the runner process is not understood", reason)
        self._lose()

    def _lose(self) -> None:
        self.close()
        self._end_all()
        self._lost()

    def _send(self, packet: bytes) -> None:
        channel = self._channel
        if channel is None or channel.send_at_once(packet):
            return
        is_waiting = channel.is_clogged
        channel.send(packet)
        if not is_waiting:
            self._wait_for_room(channel)

    def _wait_for_room(self, channel: Channel) -> None:
        if channel.is_short:
            self._reactor.callLater(RETRY_SECONDS, self.doWrite)
        elif channel.is_clogged:
            self._reactor.addWriter(self)

    # Reports

    def take(self, report: Report, descriptors: tuple[int, ...]) -> None:
        """Act on a report."""
        if self._fetches.is_unresponsive:
            self._fetches.heard()
        match report:
            case Started() | Exited() | Ran() | Refused():
                self._take_of_run(report, descriptors)
            case Ready():
                self._meet(report)
            case Read():
                read, self._read = self._read, None
                if read is not None:
                    read(report, descriptors)
                else:
                    close_all(descriptors)
            case Fetched():
                self._fetches.answered(report, descriptors)
            case Trouble():
                _log.warn("runner process: {text}", text=report.text)
            case _:
                assert_never(report)

    def _take_of_run(self, report: Started | Exited | Ran | Refused, descriptors: tuple[int, ...]) -> None:
        find = self._children.get if report.__class__ is Started else self._children.pop
        child = find(report.id, None)
        if child is None:  # we have given it up
            close_all(descriptors)
            return
        match report:
            case Ran():
                child.ran_quickly(report, descriptors)
            case Started():
                if not child.started(report.pid, descriptors):
                    del self._children[report.id]
            case Exited():
                child.ended(report.status, is_alone=report.is_alone)
            case Refused():
                child.refused(OSError(report.errno, report.text))
            case _:
                assert_never(report)

    def _meet(self, ready: Ready) -> None:
        predecessor = self.pid if self._generation >= 0 else None
        self._generation, self.pid = ready.generation, ready.pid
        self._fetches.ask_again()
        self._end_all()
        self._met(ready, predecessor)

    def _end_all(self) -> None:
        children, self._children = self._children, {}
        for child in children.values():
            child.refused(RunnerLost(errno.EPIPE, "the process that ran it died, and the command with it"))
