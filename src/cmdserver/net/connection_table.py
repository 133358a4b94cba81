"""The open connections of one listener: counted, timed, and watched for clients that are gone.

A connection is something that has a source and can be told that it is overdue.
"""

from collections.abc import Hashable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.deadlines import Deadlines
from cmdserver.net.peer_liveness import PeerLiveness

#: How often deadlines are looked at, and whether clients that are not read from have been killed.
TICK_SECONDS = 0.5

_log = Logger()


class Connection(Hashable, Protocol):
    """What the table asks of a connection."""

    #: Where its client calls from.
    source: str
    transport: Any

    def overdue(self) -> None:
        """A deadline of `Connections.expect_within` has passed."""

    def close_when_idle(self) -> None:
        """Close when the requests under way are answered."""


SomeConnection = TypeVar("SomeConnection", bound=Connection)


class Connections(Generic[SomeConnection]):
    """The open connections of a listener."""

    def __init__(
        self, protocol: str, connection_limit: ConnectionLimit, liveness: PeerLiveness, clock: IReactorTime
    ) -> None:
        self._protocol = protocol
        self._connection_limit = connection_limit
        self._liveness = liveness
        self._clock = clock
        #: In the order in which they were opened.
        self._open: dict[SomeConnection, None] = {}
        self._deadlines: Deadlines[SomeConnection] = Deadlines()
        #: With their descriptors, which are no longer known when they are closed.
        self._watched: dict[SomeConnection, int] = {}
        self._tick = LoopingCall(self._look)
        self._tick.clock = clock

    def enter(self, source: str, *, is_proxy: bool = False) -> None:
        """Count a connection that is to be, before it is made; see `ConnectionLimit.enter`.

        Raises:
            Busy: There is no room; nothing was counted.
        """
        self._connection_limit.enter(self._protocol, source, is_proxy=is_proxy)

    def opened(self, connection: SomeConnection) -> None:
        """Add a connection that `enter` has counted."""
        self._open[connection] = None
        if not self._tick.running:
            self._tick.start(TICK_SECONDS, now=False)

    def closed(self, connection: SomeConnection) -> None:
        """Remove a connection, and count it out."""
        self._deadlines.end(connection)
        del self._open[connection]
        if connection in self._watched:
            self._liveness.forget(self._watched.pop(connection))
        self._connection_limit.leave(self._protocol, connection.source)

    def watch(self, connection: SomeConnection) -> None:
        """Abort a connection that is not read from when its client is gone."""
        descriptor = self._watched[connection] = connection.transport.getHandle().fileno()
        self._liveness.watch(descriptor, connection.transport.abortConnection)

    def unwatch(self, connection: SomeConnection) -> None:
        """Stop watching: it is read from again."""
        if connection in self._watched:
            self._liveness.forget(self._watched.pop(connection))

    def expect_within(self, connection: SomeConnection, seconds: float) -> None:
        """Set the connection's one deadline: call `Connection.overdue` after so many seconds."""
        self._deadlines.begin(connection, seconds, self._clock.seconds())

    def expect_nothing(self, connection: SomeConnection) -> None:
        """Clear the connection's deadline."""
        self._deadlines.end(connection)

    def close_when_idle(self) -> None:
        for connection in list(self._open):
            connection.close_when_idle()

    def _look(self) -> None:
        for connection in self._deadlines.expired(self._clock.seconds()):
            try:
                connection.overdue()
            except Exception:  # noqa: BLE001 - one connection's mistake must not switch off the deadlines of the others
                _log.failure("a connection from {source} that was overdue", source=connection.source)
                connection.transport.abortConnection()
        for connection in list(self._watched):
            transport = connection.transport
            if self._liveness.is_killed(transport.getPeer(), transport.getHost()):
                transport.abortConnection()
