"""Listeners behind a proxy that says who calls (haproxy's PROXY protocol), with half-closing.

The protocol inside is made when the header is complete, so that nobody is greeted, counted or charged before it is
known who calls. Until then a connection is nobody's: its time and the number of such connections are bounded, and one
that ends without a header has no consequence, as that is how proxies find out whether a server is there.
"""

from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from cmdserver.core.addresses import parse_address
from cmdserver.net import proxy_protocol

#: How long a header may take. The specification asks for at least 3 s, so that a lost packet can come again.
HEADER_SECONDS: Final = 5.0
#: Connections of one listener whose header is not complete; the one that has waited longest makes room for the next. A
#: proxy sends its header at once, so that those who wait for long are others. As many as the kernel may hand over in
#: one go (`cmdserver.net.listener.BACKLOG`) are no others.
MOST_PENDING: Final = 1024
#: At most so often a listener complains in the log of what comes in the place of a header.
_COMPLAINT_SECONDS: Final = 60.0

_log = Logger()


@implementer(IAddress)
class ProxyItself:
    """The address of a client that is, for all that is known, the proxy: its header says nothing, or names itself.

    Health checks come so. They are not to be charged to anybody.
    """

    def __init__(self, address: IAddress) -> None:
        self.address = address


@implementer(IHalfCloseableProtocol)
class ProxiedConnection(ProtocolWrapper):
    """Reads the header, and then passes everything through to the protocol inside."""

    factory: "ProxiedFactory"
    transport: Any
    #: None until the header is complete, and after the end.
    wrappedProtocol: Any

    _peer: IAddress | None = None
    _host: IAddress | None = None

    def __init__(self, factory: "ProxiedFactory") -> None:
        super().__init__(factory, None)  # type: ignore[arg-type] # there is none yet
        self._received = b""

    # Protocol, as called by the transport

    def makeConnection(self, transport: Any) -> None:
        directlyProvides(self, providedBy(transport))
        self.transport = transport
        self.connected = True
        self.factory.wait_for(self)

    def dataReceived(self, data: bytes) -> None:
        if self.wrappedProtocol is not None:
            self.wrappedProtocol.dataReceived(data)
        elif not self.disconnecting:
            self._received += data
            self._read_header()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.wait_no_longer(self)
        inside, self.wrappedProtocol = self.wrappedProtocol, None
        if inside is not None:
            inside.connectionLost(reason)

    # IHalfCloseableProtocol

    def readConnectionLost(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.readConnectionLost()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.writeConnectionLost()

    # Transport, as seen by the protocol inside

    def getPeer(self) -> IAddress:
        peer: IAddress = self._peer or self.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        host: IAddress = self._host or self.transport.getHost()
        return host

    # Steps

    def _read_header(self) -> None:
        try:
            parsed = proxy_protocol.parse(self._received)
        except ValueError as error:
            self.factory.complain(self, str(error))
            self.give_up()
            return
        if parsed is None:
            return
        self.factory.wait_no_longer(self)
        header, rest = parsed
        self._received = b""
        self._peer, self._host = header.client, header.server
        own = self.transport.getPeer()
        is_own = self._peer is None or _same(self._peer, own)
        self.wrappedProtocol = self.factory.wrappedFactory.buildProtocol(ProxyItself(own) if is_own else self._peer)
        if self.wrappedProtocol is None:
            self.give_up()
            return
        self.wrappedProtocol.makeConnection(self)
        if rest and self.wrappedProtocol is not None:
            self.wrappedProtocol.dataReceived(rest)

    def give_up(self) -> None:
        """Abort a connection whose header did not come or was refused."""
        self.factory.wait_no_longer(self)
        self._received = b""
        self.disconnecting = 1
        self.transport.abortConnection()


class ProxiedFactory(WrappingFactory):
    """Makes connections that begin with a header, for a factory that knows nothing of it."""

    noisy = False

    def __init__(self, factory: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(factory)
        self._clock = clock
        #: Until when each may wait, in the order in which they came.
        self._pending: dict[ProxiedConnection, float] = {}
        self._timer: IDelayedCall | None = None
        self._complained_at: float | None = None

    def buildProtocol(self, addr: IAddress | None) -> ProxiedConnection:
        """Accept every connection: the client is known when its header is complete."""
        del addr
        return ProxiedConnection(self)

    # As seen by connections

    def wait_for(self, connection: ProxiedConnection) -> None:
        """Start a connection's deadline for its header."""
        if len(self._pending) >= MOST_PENDING:
            longest = next(iter(self._pending))
            self.complain(longest, f"{MOST_PENDING} connections have sent no PROXY header yet")
            longest.give_up()
        self._pending[connection] = self._clock.seconds() + HEADER_SECONDS
        if self._timer is None:
            self._timer = self._clock.callLater(HEADER_SECONDS, self._look)

    def wait_no_longer(self, connection: ProxiedConnection) -> None:
        """End the deadline: the header is complete, or the connection is gone. Idempotent."""
        self._pending.pop(connection, None)

    def complain(self, connection: ProxiedConnection, what: str) -> None:
        """Log, at a limited rate, that something else came."""
        now = self._clock.seconds()
        if self._complained_at is None or now - self._complained_at >= _COMPLAINT_SECONDS:
            self._complained_at = now
            peer = connection.transport.getPeer()
            _log.warn("{peer} is closed: {what}", peer=getattr(peer, "host", "a client on a UNIX socket"), what=what)

    def _look(self) -> None:
        """Abort connections whose deadline has passed."""
        self._timer = None
        now = self._clock.seconds()
        for connection, deadline in list(self._pending.items()):
            if deadline > now:
                self._timer = self._clock.callLater(deadline - now, self._look)
                break
            self.complain(connection, f"it has sent no PROXY header within {HEADER_SECONDS:g} s")
            connection.give_up()


@implementer(IStreamServerEndpoint)
class ProxyEndpoint:
    """An endpoint whose every connection begins with a PROXY header."""

    def __init__(self, endpoint: IStreamServerEndpoint, clock: IReactorTime) -> None:
        self._endpoint = endpoint
        self._clock = clock

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen as the endpoint inside does."""
        return self._endpoint.listen(ProxiedFactory(protocolFactory, self._clock))


def _same(one: IAddress, other: IAddress) -> bool:
    """Whether two addresses are equal, an IPv4 one mapped into IPv6 included."""
    if not isinstance(one, IPv4Address | IPv6Address) or not isinstance(other, IPv4Address | IPv6Address):
        return False
    return one.port == other.port and parse_address(one.host) == parse_address(other.host)
