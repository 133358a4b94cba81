"""Accept connections for one listener, or say why not; what every protocol does in the same way."""

import os
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Busy, Refusal, Throttled
from cmdserver.frontends.common.interface import CertificateOf, FrontEndContext
from cmdserver.frontends.common.interpreter import Interpreter
from cmdserver.net.connection_table import Connections
from cmdserver.net.listener import charged_source_of, endpoint_of, source_of
from cmdserver.net.tcp import LINGER_SECONDS

#: Clients that are turned away and told so, at once: over TLS it takes a handshake, and clients take their time. The
#: rest are closed without a word.
MOST_TURNED_AWAY = 100


class FrontEnd(Factory):
    """The factory of one listener's connections; to be subclassed by each protocol.

    Args:
        listener_auth: Authenticates clients.
        context: What all front ends share.
        certificate_of: Over TLS: what a client's verified certificate says, if it has shown one.
    """

    noisy = False
    #: Whether a client has to have said something before it reads an answer, as in HTTP.
    client_speaks_first = False

    def __init__(
        self, listener_auth: ListenerAuth, context: FrontEndContext, certificate_of: CertificateOf | None = None
    ) -> None:
        self.listener_auth = listener_auth
        self.context = context
        self.certificate_of = certificate_of
        self.interpreter = Interpreter(context.dispatcher)
        self.connections: Connections[Any] = Connections(
            listener_auth.name, context.connection_limit, context.liveness, context.clock
        )
        self.turned_away: set[Protocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Let a client in, or turn it away."""
        source = source_of(addr)
        try:
            pending_login = self.listener_auth.arrive(charged_source_of(addr))
        except (Busy, Throttled) as refusal:
            return self._turn_away(refusal)
        try:
            self.connections.enter(source)
        except Busy as busy:
            pending_login.settle()
            return self._turn_away(busy)
        return self.connect(source, pending_login)

    def _turn_away(self, refusal: Refusal) -> Protocol | None:
        return _TurnedAway(self, self.refusal(refusal)) if len(self.turned_away) < MOST_TURNED_AWAY else None

    def close(self) -> None:
        """End every connection, those with a request under way as soon as it is answered; take no new requests."""
        self.connections.close_when_idle()

    def example_command(self, address: IAddress, command: str) -> str:
        """Return what a person would type to run a command through this listener."""
        over_tcp, over_unix = self.examples
        if isinstance(address, IPv4Address | IPv6Address):
            host, _, port = endpoint_of(address, " ").partition(" ")
            return over_tcp.format(endpoint=endpoint_of(address), host=host, port=port, command=command)
        return over_unix.format(path=os.fsdecode(getattr(address, "name", b"") or b""), command=command)

    # For subclasses

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        """Make the protocol of a connection that is counted.

        Args:
            source: Where the client calls from.
            pending_login: To be settled, at the latest when the connection is gone.
        """
        raise NotImplementedError

    def refusal(self, refusal: Refusal) -> bytes:
        """Say what a client is told for whom there is no room."""
        raise NotImplementedError

    @property
    def examples(self) -> tuple[str, str]:
        """What a person types to run a command through the listener.

        Over TCP, with ``host``, ``port``, ``endpoint`` and ``command`` to be filled in; and over a UNIX socket, with
        ``path`` and ``command``.
        """
        raise NotImplementedError


class _TurnedAway(Protocol):
    """A client for whom there is no room; it does not count as connected."""

    transport: Any

    def __init__(self, front_end: FrontEnd, farewell: bytes) -> None:
        self._front_end = front_end
        self._farewell = farewell
        self._timer: Any = None

    def connectionMade(self) -> None:
        self._front_end.turned_away.add(self)
        if self._front_end.client_speaks_first:
            self._timer = self._front_end.context.clock.callLater(LINGER_SECONDS, self.transport.abortConnection)
        else:
            self.transport.write(self._farewell)
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        del data
        if self._timer is not None and self._farewell:
            self.transport.write(self._farewell)
            self._farewell = b""
            self.transport.loseWriteConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - IProtocol has it
        self._front_end.turned_away.discard(self)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
