"""TLS around protocols written for TCP: ends, back-pressure, and what Twisted's private names are relied on for."""

import contextlib
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from cmdserver.net.tcp import LINGER_SECONDS
from cmdserver.net.tls_transport import FAREWELL_SECONDS, TLSFactory, TLSTransport
from tests.tls_doubles import (
    FULL_BYTES,
    Client,
    Composition,
    FakeTCP,
    Halves,
    Plain,
    TLSFilesTestCase,
    Wire,
    client_context,
)


class TransportTestCase(TLSFilesTestCase):
    """A connection at a time."""

    def connect(self, kind: type[Plain] = Halves, client: Client | None = None) -> Wire:
        self.composition = Composition(kind)
        wire = Wire(TLSFactory(self.composition, self.load(), self.composition.clock), client or Client())
        self.inside = self.composition.protocols[0]
        return wire

    def tearDown(self) -> None:
        if hasattr(self, "composition"):
            self.composition.clock.advance(FAREWELL_SECONDS)
            self.assertEqual([], self.composition.clock.getDelayedCalls(), "no timer outlives a connection")


class PrivateNamesTests(TLSFilesTestCase):
    """What a release of Twisted may change without a word."""

    def test_they_are_there(self) -> None:
        """All that is overridden, called or read of TLSMemoryBIOProtocol exists."""
        for name in ("_flushReceiveBIO", "_flushSendBIO", "_shutdownTLS", "_tlsShutdownFinished"):
            self.assertTrue(callable(getattr(TLSMemoryBIOProtocol, name)), name)
        for name in ("_handshakeDone", "_lostTLSConnection", "_aborted", "_reason"):
            self.assertFalse(getattr(TLSMemoryBIOProtocol, name), name)

    def test_they_are_called(self) -> None:
        """Data and the end of the output still go the way that is overridden."""
        called = []

        class Spy(TLSTransport):
            def _flushReceiveBIO(self) -> None:
                called.append("receive")
                super()._flushReceiveBIO()

            def _shutdownTLS(self) -> None:
                called.append("shutdown")
                super()._shutdownTLS()

        composition = Composition()
        factory = TLSFactory(composition, self.load(), composition.clock)
        factory.protocol = Spy
        wire = Wire(factory, Client())
        called.clear()

        wire.client.send(b"x")
        wire.settle()
        self.assertEqual(["receive"], called)
        composition.protocols[0].transport.loseWriteConnection()
        self.assertEqual(["receive", "shutdown"], called)


class ClientEndsTests(TransportTestCase):
    """The client ends its input, or is gone."""

    def test_close_notify(self) -> None:
        """After a close_notify there is time to answer."""
        wire = self.connect()
        wire.client.send(b"uptime\n")
        wire.settle()
        wire.client.end_input()
        wire.settle()
        self.assertEqual(["made", "input over"], self.inside.told)
        self.assertFalse(wire.server.is_input_cut)

        self.inside.transport.write(b"answer\n")
        wire.settle()
        self.inside.transport.loseConnection()
        wire.settle()

        self.assertEqual(b"answer\n", wire.client.got)
        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        self.assertEqual(["made", "input over", "lost: ConnectionDone"], self.inside.told)

    def test_close_notify_with_the_last_bytes(self) -> None:
        """What came before the end is told before the end, even if it came at once."""
        client = Client()
        wire = self.connect(client=client)
        client.connection.send(b"one\ntwo\n")
        client.end_input()
        wire.settle()

        self.assertEqual(b"one\ntwo\n", self.inside.got)
        self.assertEqual(["made", "input over"], self.inside.told)

    def test_fin_after_close_notify(self) -> None:
        """Both say the same once."""
        wire = self.connect()
        wire.client.end_input()

        wire.client_fin()

        self.assertEqual(["made", "input over"], self.inside.told)
        self.assertFalse(wire.server.is_input_cut)

    def test_fin_alone(self) -> None:
        """A FIN without a close_notify, as ncat sends it, leaves time too, but the input may have been cut."""
        wire = self.connect()
        wire.client.send(b"uptime\n")

        wire.client_fin()
        self.inside.transport.write(b"answer\n")
        wire.settle()

        self.assertEqual(["made", "input over"], self.inside.told)
        self.assertTrue(self.inside.transport.is_input_cut)
        self.assertEqual(b"answer\n", wire.client.got)

        self.inside.transport.loseConnection()
        wire.settle()
        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        self.assertEqual("lost: ConnectionDone", self.inside.told[-1])

    def test_fin_before_the_handshake(self) -> None:
        """Who goes before the handshake is gone."""
        self.composition = Composition()
        wire = Wire.__new__(Wire)
        server: Any = TLSFactory(self.composition, self.load(), self.composition.clock).buildProtocol(None)
        wire.client, wire.server, wire.tcp = Client(), server, FakeTCP(server)
        wire.is_client_reading = True
        server.makeConnection(wire.tcp)

        server.readConnectionLost()
        while wire._server_turn():
            pass

        self.assertEqual(["made", "lost: ConnectionLost"], self.composition.protocols[0].told)

    def test_reset(self) -> None:
        """A connection that breaks is lost."""
        wire = self.connect()

        wire.tcp.lose(OSError())

        self.assertEqual(["made", "lost: ConnectionLost"], self.inside.told)

    def test_nonsense(self) -> None:
        """Bytes that are no TLS end the connection, before and after the handshake."""
        for is_connected in (True, False):
            wire = self.connect(client=Client() if is_connected else _Mute())
            wire.server.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
            wire.settle()
            self.assertFalse(wire.tcp.is_open)
            self.assertTrue(self.inside.told[-1].startswith("lost"))
            self.assertEqual(b"", self.inside.got)


class _Mute(Client):
    """A client that does nothing."""

    def turn(self) -> bytes:
        return b""


class ServerEndsTests(TransportTestCase):
    """We end our output, or the connection."""

    def test_output_alone(self) -> None:
        """LoseWriteConnection sends what was written, a close_notify and a FIN, and reading goes on."""
        wire = self.connect()
        self.inside.transport.write(b"answer\n")
        self.inside.transport.loseWriteConnection()
        wire.settle()
        self.assertEqual(b"answer\n", wire.client.got)
        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        self.assertEqual(["made", "output over"], self.inside.told)

        wire.client.send(b"more\n")
        wire.settle()
        self.assertEqual(b"more\n", self.inside.got)
        self.inside.transport.write(b"dropped")
        self.inside.transport.loseWriteConnection()
        wire.client.end_input()
        wire.settle()
        self.assertEqual(["made", "output over", "input over"], self.inside.told)

        self.inside.transport.loseConnection()
        wire.settle()
        self.assertEqual("lost: ConnectionDone", self.inside.told[-1])

    def test_output_after_input(self) -> None:
        """When both have ended, the connection has."""
        wire = self.connect()
        wire.client.end_input()
        wire.settle()

        self.inside.transport.loseWriteConnection()
        wire.settle()

        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        self.assertEqual(["made", "input over", "lost: ConnectionDone"], self.inside.told)

    def test_connection(self) -> None:
        """LoseConnection does the same, drops what comes then, and waits for the client's end."""
        wire = self.connect()
        self.inside.transport.write(b"answer\n")
        self.inside.transport.loseConnection()
        wire.client.send(b"more\n")
        wire.settle()
        self.assertEqual(b"answer\n", wire.client.got)
        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        self.assertEqual(b"", self.inside.got)
        self.assertTrue(wire.tcp.is_open)

        wire.client.end_input()
        wire.settle()

        self.assertEqual(["made", "lost: ConnectionDone"], self.inside.told)

    def test_connection_and_fin(self) -> None:
        """A FIN will do."""
        wire = self.connect()
        self.inside.transport.loseConnection()
        wire.settle()

        wire.client_fin()

        self.assertEqual(["made", "lost: ConnectionDone"], self.inside.told)

    def test_client_that_stays(self) -> None:
        """One who does not part is parted from, but not before everything was sent."""
        wire = self.connect()
        wire.is_client_reading = False
        self.inside.transport.write(b"answer\n")
        self.inside.transport.loseConnection()
        self.inside.transport.loseConnection()
        self.composition.clock.advance(10 * LINGER_SECONDS)
        self.assertTrue(wire.tcp.is_open)

        wire.is_client_reading = True
        wire.settle()
        self.composition.clock.advance(LINGER_SECONDS - 0.1)
        self.assertTrue(wire.tcp.is_open)
        self.composition.clock.advance(0.2)

        self.assertEqual(["made", "lost: ConnectionDone"], self.inside.told)
        self.assertEqual(["close_notify", "fin"], wire.client.ends, "no reset")

    def test_paused(self) -> None:
        """A protocol that has paused its input can be parted from all the same."""
        wire = self.connect()
        self.inside.transport.pauseProducing()
        self.inside.transport.loseConnection()
        wire.client.end_input()
        wire.settle()

        self.assertEqual(["made", "lost: ConnectionDone"], self.inside.told)

    def test_connection_after_output(self) -> None:
        """LoseConnection after loseWriteConnection ends it at once, as TCP's does."""
        wire = self.connect()
        self.inside.transport.loseWriteConnection()
        wire.settle()

        self.inside.transport.loseConnection()

        self.assertFalse(wire.tcp.is_open)

    def test_in_one_go(self) -> None:
        """A protocol may end it while it is given data, in any way, and is given nothing afterwards."""
        for end in ("loseConnection", "abortConnection", "loseWriteConnection"):

            class ExitStatus(Halves):
                end_by = end

                def dataReceived(self, data: bytes) -> None:
                    super().dataReceived(data)
                    getattr(self.transport, self.end_by)()

            client = Client()
            wire = self.connect(ExitStatus, client)
            for data in (b"one\n", b"two\n"):
                client.connection.send(data)
            wire.settle()
            self.assertEqual(b"one\ntwo\n" if end == "loseWriteConnection" else b"one\n", self.inside.got, end)
            wire.client_fin()
            self.inside.transport.loseConnection()
            wire.settle()
            self.assertFalse(wire.tcp.is_open, end)

    def test_last_word_when_the_output_has_ended(self) -> None:
        """The connection may end within the very bytes that bring the client's end."""

        class Lingering(Halves):
            def readConnectionLost(self) -> None:
                super().readConnectionLost()
                self.transport.loseConnection()

        client = Client()
        wire = self.connect(Lingering, client)
        self.inside.transport.loseWriteConnection()
        wire.settle()
        client.connection.send(b"more\n")
        client.end_input()
        wire.settle()

        self.assertEqual(b"more\n", self.inside.got)
        self.assertEqual(["made", "output over", "input over", "lost: ConnectionDone"], self.inside.told)

    def test_abort(self) -> None:
        """AbortConnection resets, whatever waits to be sent."""
        wire = self.connect()
        wire.is_client_reading = False
        self.inside.transport.write(b"answer\n")

        self.inside.transport.abortConnection()
        wire.settle()
        self.inside.transport.abortConnection()

        self.assertEqual(["reset"], wire.client.ends)
        self.assertTrue(self.inside.told[-1].startswith("lost"))

    def test_farewell_before_the_handshake(self) -> None:
        """Who is turned away is told so after the handshake, if they hurry."""

        class TurnedAway(Plain):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.transport.write(b"busy\n")
                self.transport.loseConnection()

        wire = self.connect(TurnedAway)
        self.assertEqual(b"busy\n", wire.client.got)
        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        wire.client_fin()
        self.assertFalse(wire.tcp.is_open)

        wire = self.connect(TurnedAway, _Mute())
        self.composition.clock.advance(FAREWELL_SECONDS)
        wire.settle()
        self.assertEqual(["reset"], wire.client.ends)

    def test_nothing_to_say_before_the_handshake(self) -> None:
        """Without a word to say there is no handshake either."""

        class Refused(Plain):
            def connectionMade(self) -> None:
                self.transport.loseConnection()

        wire = self.connect(Refused)

        self.assertEqual(["reset"], wire.client.ends)
        self.assertFalse(wire.tcp.is_open)

    def test_output_ends_before_the_handshake(self) -> None:
        """What was written and ended before the handshake arrives after it."""

        class Early(Halves):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.transport.write(b"early\n")
                self.transport.loseWriteConnection()

        wire = self.connect(Early)

        self.assertEqual(b"early\n", wire.client.got)
        self.assertEqual(["made", "output over"], self.inside.told)
        self.inside.transport.loseConnection()


class Raising(Halves):
    """One that raises something: when the handshake is complete, or at the first bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def dataReceived(self, data: bytes) -> None:
        self.calls += 1
        raise LookupError(data)


@implementer(IHandshakeListener)
class RaisingAtOnce(Raising):
    def handshakeCompleted(self) -> None:
        raise LookupError


class Hasty(Client):
    """A client that ends its input with the last bytes of its handshake."""

    def turn(self) -> bytes:
        data = super().turn()
        if self.is_connected:
            self.end_input()
            with contextlib.suppress(SSL.WantReadError):
                data += self.connection.bio_read(1 << 16)
        return data


class ReactorWire(Wire):
    """Ends a connection whose protocol raises, as the reactor does."""

    def _client_turn(self) -> bool:
        try:
            return super()._client_turn()
        except LookupError as error:
            self.tcp.lose(error)
            return True


class RaisingTests(TransportTestCase):
    """A protocol inside that raises something is not given what else has come."""

    def visit(self, kind: type[Raising]) -> Raising:
        """Send a lot, and the end of it, along with the last bytes of the handshake."""
        self.composition = Composition(kind)
        client = Hasty()
        client.send(b"uptime\n")
        wire = ReactorWire(TLSFactory(self.composition, self.load(), self.composition.clock), client)
        self.assertFalse(wire.tcp.is_open)
        inside: Raising = self.composition.protocols[0]
        return inside

    def test_when_the_handshake_is_complete(self) -> None:
        """What was sent ahead is not for it; it is told of the end, once."""
        inside = self.visit(RaisingAtOnce)

        self.assertEqual((inside.calls, inside.told), (0, ["made", "lost: LookupError"]))

    def test_at_the_first_bytes(self) -> None:
        """No more come."""
        inside = self.visit(Raising)

        self.assertEqual((inside.calls, inside.told), (1, ["made", "lost: LookupError"]))


class PlainProtocolTests(TransportTestCase):
    """A protocol that knows nothing of half-closing gets what Twisted's TLS gives it."""

    def test_close_notify(self) -> None:
        """The client's end is the connection's, with what was written before sent."""
        wire = self.connect(Plain)
        wire.is_client_reading = False
        self.inside.transport.write(b"answer\n")
        wire.client.end_input()
        wire.settle()
        wire.is_client_reading = True
        wire.settle()

        self.assertEqual(["made", "lost: ConnectionDone"], self.inside.told)
        self.assertEqual(b"answer\n", wire.client.got)
        self.assertEqual(["close_notify", "fin"], wire.client.ends)

    def test_fin(self) -> None:
        """A FIN is the end."""
        wire = self.connect(Plain)

        wire.client_fin()

        self.assertEqual(["made", "lost: ConnectionLost"], self.inside.told)

    def test_output_alone(self) -> None:
        """It may end its output; it is not told."""
        wire = self.connect(Plain)
        self.inside.transport.loseWriteConnection()
        wire.settle()

        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        self.assertEqual(["made"], self.inside.told)


@implementer(IPushProducer)
class Flood(Halves):
    """Writes whenever it may."""

    left = 0
    is_paused = False
    pauses = 0

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self, True)

    def write_all(self, chunks: int) -> None:
        self.left = chunks
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.is_paused = False
        while self.left and not self.is_paused:
            self.left -= 1
            self.transport.write(b"x" * 10_000)

    def pauseProducing(self) -> None:
        self.pauses += 1
        self.is_paused = True

    def stopProducing(self) -> None:
        self.left = 0


class FlowTests(TransportTestCase):
    """Neither side's pace is overrun."""

    def test_slow_client(self) -> None:
        """A producer waits for a client that does not read, and goes on when it does."""
        wire = self.connect(Flood)
        wire.is_client_reading = False
        self.inside.write_all(100)
        wire.settle()
        self.assertTrue(self.inside.is_paused)
        self.assertLess(len(wire.tcp.unsent), FULL_BYTES + 20_000)
        self.assertGreater(self.inside.left, 90)

        wire.is_client_reading = True
        wire.settle()
        self.inside.transport.unregisterProducer()
        self.inside.transport.loseConnection()
        wire.settle()

        self.assertEqual(1_000_000, len(wire.client.got))
        self.assertGreater(self.inside.pauses, 5)
        self.assertEqual(["close_notify", "fin"], wire.client.ends)

    def test_end_waits_for_the_producer(self) -> None:
        """The output ends when the producer has, not before; both ways of ending it."""
        for end in ("loseConnection", "loseWriteConnection"):
            wire = self.connect(Flood)
            getattr(self.inside.transport, end)()
            self.inside.transport.write(b"answer\n")
            wire.settle()
            self.assertEqual([], wire.client.ends)

            self.inside.transport.unregisterProducer()
            wire.settle()

            self.assertEqual(b"answer\n", wire.client.got)
            self.assertEqual(["close_notify", "fin"], wire.client.ends)

    def test_client_ends_first(self) -> None:
        """A client that ends its input while the last of ours is under way gets all of it."""
        wire = self.connect(Flood)
        self.inside.transport.loseConnection()
        wire.client.end_input()
        wire.settle()
        self.inside.transport.write(b"answer\n")
        self.inside.transport.unregisterProducer()
        wire.settle()

        self.assertEqual(b"answer\n", wire.client.got)
        self.assertEqual(["close_notify", "fin"], wire.client.ends)
        self.assertEqual(["made", "lost: ConnectionDone"], self.inside.told)

    def test_busy_server(self) -> None:
        """A client waits for a protocol that does not read."""
        wire = self.connect()
        self.inside.transport.pauseProducing()
        wire.client.send(b"uptime\n")
        wire.settle()
        self.assertEqual(b"", self.inside.got)

        self.inside.transport.resumeProducing()
        wire.settle()

        self.assertEqual(b"uptime\n", self.inside.got)

    def test_what_is_written_before_the_handshake(self) -> None:
        """It waits, and so does a producer."""

        class Greeting(Flood):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.transport.write(b"hello\n")

        wire = self.connect(Greeting)

        self.assertEqual(b"hello\n", wire.client.got)
        self.assertEqual(1, self.inside.pauses)
        self.assertFalse(self.inside.is_paused)


class SurroundingsTests(TransportTestCase):
    """The rest of what a protocol asks of its transport, and a factory of its listeners."""

    def test_descriptor(self) -> None:
        """The descriptor is the connection's, for those who watch it."""
        wire = self.connect()

        self.assertEqual(42, self.inside.transport.getHandle().fileno())
        self.assertEqual("peer", self.inside.transport.getPeer())
        wire.tcp.lose(OSError())

    def test_handshake_is_told(self) -> None:
        """A protocol that wants to know is told when the handshake is complete, once, before any data."""

        @implementer(IHandshakeListener)
        class Listening(Halves):
            def handshakeCompleted(self) -> None:
                self.told.append("handshake")

            def dataReceived(self, data: bytes) -> None:
                self.told.append("data")

        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            client = Client(client_context(maximum=version))
            client.send(b"uptime\n")
            wire = self.connect(Listening, client)
            wire.settle()
            self.assertEqual(["made", "handshake", "data"], self.inside.told)

    def test_nobody_is_let_in(self) -> None:
        """A factory that makes no protocol closes the listener, as without TLS."""

        class Closed(Composition):
            def buildProtocol(self, addr: object) -> None:
                return None

        self.assertIsNone(TLSFactory(Closed(), self.load(), Closed().clock).buildProtocol(None))

    def test_nothing_is_kept(self) -> None:
        """When a connection is lost, the factory and the transport forget it."""
        self.composition = Composition()
        factory = TLSFactory(self.composition, self.load(), self.composition.clock)
        wire = Wire(factory, Client())
        self.assertEqual(1, len(factory.protocols))

        wire.tcp.lose(OSError())

        self.assertEqual({}, factory.protocols)
        self.assertIsNone(wire.server.wrappedProtocol)
        self.assertIsNone(wire.server.getHandle())

    def test_behind_a_wrapper(self) -> None:
        """A wrapper that passes on no half-closing (PROXY's) costs the wait for the client, and nothing else."""
        for end, told in (("loseConnection", ["made"]), ("loseWriteConnection", ["made", "output over"])):
            self.composition = Composition()
            factory: Any = WrappingFactory(TLSFactory(self.composition, self.load(), self.composition.clock))
            factory.protocol = ProtocolWrapper
            wire = Wire(factory, Client())
            inside = self.composition.protocols[0]
            inside.transport.write(b"answer\n")
            getattr(inside.transport, end)()
            self.assertEqual(told, inside.told)

            wire.settle()
            self.assertEqual(b"answer\n", wire.client.got)
            inside.transport.loseConnection()
            wire.settle()
            self.assertEqual([*told, "lost: ConnectionDone"], inside.told)


class PlainClient(Client):
    """A client that knows nothing of TLS.

    Args:
        says: What it sends first, in pieces.
    """

    def __init__(self, *says: bytes) -> None:
        super().__init__()
        self.pieces = list(says)

    def take(self, data: bytes) -> None:
        self.got += data

    def turn(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


class Telling(Halves):
    """A protocol that has something to say to such a client."""

    def answer_plain(self, data: bytes) -> bytes:
        self.told.append(f"plain: {data.decode()}")
        return b"speak TLS\n"


class PlainTextTests(TransportTestCase):
    def test_it_is_told(self) -> None:
        """It gets an answer and the end of the output; what else it sends is dropped, and it need not close."""
        client = PlainClient(b"GET /", b" HTTP/1.1\r\n")
        wire = self.connect(Telling, client)

        self.assertEqual((client.got, client.ends), (b"speak TLS\n", ["fin"]))
        self.assertEqual((self.inside.told, self.inside.got), (["made", "plain: GET /"], b""))
        self.assertTrue(wire.tcp.is_open)
        self.composition.clock.advance(LINGER_SECONDS)
        wire.settle()
        self.assertEqual(self.inside.told[2:], ["lost: ConnectionDone"])

    def test_it_closes(self) -> None:
        """Then nothing is waited for."""
        wire = self.connect(Telling, PlainClient(b"uptime\n"))
        wire.client_fin()

        self.assertEqual(self.inside.told[2:], ["lost: ConnectionDone"])

    def test_nothing_else_is_said(self) -> None:
        """What the protocol inside writes later would be taken for a part of the answer."""
        wire = self.connect(Telling, PlainClient(b"uptime\n"))
        self.inside.transport.write(b"secret")
        self.inside.transport.loseConnection()
        wire.settle()

        self.assertEqual(wire.client.got, b"speak TLS\n")

    def test_it_may_be_aborted(self) -> None:
        """By whoever does not want to wait."""
        wire = self.connect(Telling, PlainClient(b"uptime\n"))
        self.inside.transport.abortConnection()
        wire.settle()

        self.assertEqual(self.inside.told[2:], ["lost: ConnectionAborted"])

    def test_behind_a_wrapper(self) -> None:
        """One that passes on no half-closing costs the wait for the client."""
        self.composition = Composition(Telling)
        factory: Any = WrappingFactory(TLSFactory(self.composition, self.load(), self.composition.clock))
        factory.protocol = ProtocolWrapper
        wire = Wire(factory, PlainClient(b"GET / HTTP/1.1\r\n"))

        self.assertEqual(wire.client.got, b"speak TLS\n")
        self.assertFalse(wire.tcp.is_open)

    def test_only_the_first_bytes_count(self) -> None:
        """A record of TLS may come in pieces, of which one may begin with a letter."""
        client = PlainClient(b"\x16\x03\x01\x01\x00", b"GET / HTTP/1.1\r\n")
        self.connect(Telling, client)

        self.assertNotIn(b"speak TLS", client.got)

    def test_who_has_nothing_to_say(self) -> None:
        """Leaves it to TLS, as before."""
        client = PlainClient(b"GET / HTTP/1.1\r\n")
        wire = self.connect(Halves, client)

        self.assertEqual((self.inside.told, wire.tcp.is_open), (["made", "lost: Error"], False))
