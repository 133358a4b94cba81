"""Listeners behind a proxy: when the protocol inside is made, for whom, and what becomes of those without a header."""

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from cmdserver.net.listener import charged_source_of, source_of
from cmdserver.net.proxied_endpoint import HEADER_SECONDS, MOST_PENDING, ProxiedFactory

PROXY = IPv4Address("TCP", "10.0.0.1", 50000)
SERVER = IPv4Address("TCP", "10.0.0.2", 2022)
HEADER = b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n"
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


@implementer(IHalfCloseableProtocol)
class Inside(Protocol):
    """What is behind the header."""

    def __init__(self) -> None:
        self.got = b""
        self.events: list[str] = []

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.events.append("made")
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        assert data
        self.got += data

    def readConnectionLost(self) -> None:
        self.events.append("input over")

    def writeConnectionLost(self) -> None:
        self.events.append("output over")

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append("lost")


class Listener(Factory):
    """Keeps whom it was asked to let in."""

    def __init__(self) -> None:
        self.callers: list[Any] = []
        self.inside: list[Inside] = []
        self.is_full = False
        self.make: Callable[[], Any] = Inside

    def buildProtocol(self, addr: Any) -> Any:
        self.callers.append(addr)
        if self.is_full:
            return None
        self.inside.append(self.make())
        return self.inside[-1]


class ProxiedTests(SynchronousTestCase):
    """Connections of one listener."""

    def setUp(self) -> None:
        self.protocol = Listener()
        self.clock = Clock()
        self.factory = ProxiedFactory(self.protocol, self.clock)
        self.transports: list[StringTransport] = []

    def connect(self, data: bytes = b"", peer: Any = PROXY) -> Any:
        """Connect as a proxy does."""
        connection: Any = self.factory.buildProtocol(peer)
        transport = StringTransport(hostAddress=SERVER, peerAddress=peer)
        self.transports.append(transport)
        connection.makeConnection(transport)
        if data:
            connection.dataReceived(data)
        return connection

    def complaints(self, call: Callable[[], object]) -> list[str]:
        """Do something, and return what the log says."""
        with capturedLogs() as events:
            call()
        return [formatEvent(event) for event in events]

    def test_provides_what_twisted_calls(self) -> None:
        """It can be half-closed."""
        verifyObject(IHalfCloseableProtocol, self.connect())

    def test_nothing_happens_before_the_header(self) -> None:
        """Nobody is asked to let anybody in, and nothing is said, until its last byte; what follows is the client's."""
        connection = self.connect()
        for byte in HEADER[:-1]:
            connection.dataReceived(bytes([byte]))
        self.assertEqual((self.protocol.callers, self.transports[0].value()), ([], b""))
        connection.dataReceived(HEADER[-1:] + b"upt")
        connection.dataReceived(b"ime\n")

        self.assertEqual(list(map(source_of, self.protocol.callers)), ["203.0.113.9"])
        self.assertEqual((self.protocol.inside[0].got, self.transports[0].value()), (b"uptime\n", b"hello"))
        self.assertEqual(connection.getPeer(), IPv4Address("TCP", "203.0.113.9", 40000))
        self.assertEqual(connection.getHost(), IPv4Address("TCP", "192.0.2.1", 443))

    def test_who_leaves_without_a_header(self) -> None:
        """A look at whether the port is open is nobody's, and no news."""
        connection = self.connect()

        said = self.complaints(lambda: connection.connectionLost(Failure(ConnectionDone())))
        self.clock.advance(2 * HEADER_SECONDS)

        self.assertEqual((said, self.protocol.callers, self.factory._pending), ([], [], {}))

    def test_whom_the_header_does_not_name(self) -> None:
        """It is the proxy, or somebody whom it does not know: its address is told, and nobody is charged."""
        for header in (b"PROXY UNKNOWN\r\n", LOCAL, b"PROXY TCP4 10.0.0.1 10.0.0.2 50000 2022\r\n"):
            connection = self.connect(header)
            caller = self.protocol.callers.pop()
            self.assertEqual(
                (source_of(caller), charged_source_of(caller, source_of(caller))), ("10.0.0.1", "unknown"), header
            )
            self.assertEqual(connection.getPeer(), PROXY)
            self.assertEqual(len(self.protocol.inside[-1].events), 1)

    def test_a_proxy_on_a_socket_of_both_families(self) -> None:
        """It is known for itself by whichever way its address is spelled."""
        self.connect(b"PROXY TCP4 10.0.0.1 10.0.0.2 50000 2022\r\n", IPv6Address("TCP", "::ffff:10.0.0.1", 50000))
        self.assertEqual(charged_source_of(self.protocol.callers[0], source_of(self.protocol.callers[0])), "unknown")

    def test_a_client_beside_the_proxy(self) -> None:
        """It has the proxy's address, and another port: it is a client like others."""
        self.connect(b"PROXY TCP4 10.0.0.1 10.0.0.2 50001 2022\r\n")
        self.assertEqual(charged_source_of(self.protocol.callers[0], source_of(self.protocol.callers[0])), "10.0.0.1")

    def test_a_client_of_a_unix_socket(self) -> None:
        """The proxy's own UNIX socket, or ours: its clients cannot be told apart."""
        for header, peer in ((LOCAL[:12] + b"\x21\x31\0\xd8" + bytes(216), PROXY), (LOCAL, UNIXAddress(None))):
            self.connect(header, peer)
            self.assertEqual(source_of(self.protocol.callers.pop()), "unix")

    def test_something_else_than_a_header(self) -> None:
        """It is closed at once, with one line in the log, and not one for each of a thousand."""
        said = self.complaints(lambda: [self.connect(b"uptime\n") for _ in range(1000)])

        self.assertEqual(said, ["10.0.0.1 is closed: it does not begin with a PROXY header"])
        self.assertTrue(all(transport.disconnecting for transport in self.transports))
        self.assertEqual((self.protocol.callers, self.factory._pending), ([], {}))
        self.clock.advance(60)
        self.assertEqual(len(self.complaints(lambda: self.connect(b"uptime\n"))), 1)

    def test_what_comes_after_it_was_closed(self) -> None:
        """A header that comes too late lets nobody in."""
        connection = self.connect(b"uptime\n")
        connection.dataReceived(HEADER)

        self.assertEqual(self.protocol.callers, [])

    def test_a_header_that_does_not_come(self) -> None:
        """Each connection has its own time for it; who has sent it in time is not asked again."""
        first, late = self.connect(), self.connect(HEADER[:20])
        self.clock.advance(HEADER_SECONDS - 1)
        young = self.connect()
        first.dataReceived(HEADER)
        said = self.complaints(lambda: self.clock.advance(1))

        self.assertEqual([each.disconnecting for each in self.transports], [False, True, False])
        self.assertEqual(said, ["10.0.0.1 is closed: it has sent no PROXY header within 5 s"])
        late.connectionLost(Failure(ConnectionDone()))
        self.clock.advance(HEADER_SECONDS - 1)
        self.assertTrue(self.transports[2].disconnecting)
        young.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_many_without_a_header(self) -> None:
        """The one that has waited longest makes room, so that a proxy, which sends its header at once, gets in."""
        with capturedLogs():
            for _ in range(MOST_PENDING + 1):
                self.connect()
        self.connect(HEADER)

        closed = [number for number, each in enumerate(self.transports) if each.disconnecting]
        self.assertEqual(closed, [0, 1])
        self.assertEqual(len(self.protocol.inside), 1)

    def test_a_full_listener(self) -> None:
        """Whom the protocol inside does not want is closed."""
        self.protocol.is_full = True
        connection = self.connect(HEADER + b"uptime\n")

        self.assertTrue(self.transports[0].disconnecting)
        connection.connectionLost(Failure(ConnectionDone()))

    def test_half_closing(self) -> None:
        """Each direction ends by itself."""
        connection = self.connect(HEADER)
        connection.readConnectionLost()
        connection.writeConnectionLost()
        connection.connectionLost(Failure(ConnectionDone()))

        self.assertEqual(self.protocol.inside[0].events, ["made", "input over", "output over", "lost"])

    def test_half_closing_before_the_header(self) -> None:
        """Who ends its input has nothing more to say: it is closed."""
        self.connect(HEADER[:10]).readConnectionLost()

        self.assertTrue(self.transports[0].disconnecting)

    def test_half_closing_of_what_cannot(self) -> None:
        """A protocol that knows no halves is closed with the first."""
        self.protocol.make = Protocol
        self.connect(HEADER).readConnectionLost()

        self.assertTrue(self.transports[0].disconnecting)
