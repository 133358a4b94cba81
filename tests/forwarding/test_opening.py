"""Tests of how a way to a receiver is opened."""

import socket
from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.receivers import Receiver
from cmdserver.forwarding.channel import Channel
from cmdserver.forwarding.opening import open_channel
from tests.forwarding.test_datagrams import FakeOwner, FakeReactor


class Resolving(FakeReactor):
    """A reactor that looks names up when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver = self
        self.asked: list[tuple[Any, str, int]] = []

    def resolveHostName(self, receiver: Any, name: str, port: int, *, transportSemantics: str) -> None:
        assert transportSemantics == "UDP"
        self.asked.append((receiver, name, port))

    def answer(self, *addresses: IPv4Address) -> None:
        """Answer the last question."""
        receiver, _, _ = self.asked[-1]
        receiver.resolutionBegan(None)
        for each in addresses:
            receiver.addressResolved(each)
        receiver.resolutionComplete()


class DatagramTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Resolving()

    def open(self, to: str) -> Deferred[Channel]:
        """Open a way."""
        return open_channel(self.reactor, Receiver.parse(to), None, FakeOwner())

    def test_udp(self) -> None:
        """The name is looked up without waiting; its first address is used."""
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.settimeout(10)
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        opening = self.open(f"udp:logs.example:{port}")
        self.assertNoResult(opening)
        self.assertEqual(self.reactor.asked[0][1:], ("logs.example", port))
        self.reactor.answer(IPv4Address("UDP", "127.0.0.1", port), IPv4Address("UDP", "192.0.2.1", port))
        channel = self.successResultOf(opening)
        self.addCleanup(channel.abort)
        channel.send(b"one")

        self.assertEqual(receiver.recv(99), b"one")

    def test_a_name_that_nobody_has(self) -> None:
        """That is told, and no more than a failure."""
        opening = self.open("udp:nowhere.invalid:514")
        self.reactor.answer()
        self.assertIn("nowhere.invalid has no address", str(self.failureResultOf(opening, OSError).value))

    def test_an_answer_that_comes_too_late(self) -> None:
        """Nobody wants it any more."""
        opening = self.open("udp:logs.example:514")
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.reactor.answer(IPv4Address("UDP", "127.0.0.1", 514))
        self.assertEqual(self.reactor.readers, set())

    def test_a_socket_that_is_not_there(self) -> None:
        """That is a failure as well."""
        self.failureResultOf(self.open("unix:/nowhere/socket"), FileNotFoundError)


class StreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.opening = open_channel(self.reactor, Receiver.parse("tcp:logs.example:514"), None, FakeOwner())

    def test_tcp(self) -> None:
        """A connection is a channel."""
        ((host, port, factory, _, _),) = self.reactor.tcpClients
        self.assertEqual((host, port), ("127.0.0.1", 514))  # whatever the name: the reactor's answer
        protocol = factory.buildProtocol(None)
        assert protocol is not None
        protocol.makeConnection(transport := StringTransport())
        self.successResultOf(self.opening).send(b"one")
        self.assertEqual(transport.value(), b"3 one")

    def test_nobody_there(self) -> None:
        """The reason is told."""
        ((_, _, factory, _, _),) = self.reactor.tcpClients
        factory.clientConnectionFailed(cast("Any", None), Failure(Refused()))
        self.reactor.advance(1)
        self.failureResultOf(self.opening, Refused)

    def test_nobody_wants_it_any_more(self) -> None:
        """Connecting ends."""
        self.opening.cancel()
        self.failureResultOf(self.opening, CancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
