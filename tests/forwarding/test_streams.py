"""Tests of streams."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.forwarding.streams import StreamChannel, StreamFactory
from tests.forwarding.test_datagrams import FakeOwner


class StreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.owner = Clock(), FakeOwner()
        self.transport = StringTransport()
        self.opened: Deferred[StreamChannel] = Deferred()

    def channel(self, *, is_tls: bool = False) -> StreamChannel:
        """Connect."""
        channel = StreamChannel(self.clock, self.owner, self.opened, is_tls=is_tls)
        self.assertIs(StreamFactory(channel).buildProtocol(None), channel)
        channel.makeConnection(self.transport)
        return channel

    def test_messages(self) -> None:
        """Each with its length before it; an answer is dropped."""
        channel = self.channel()
        self.assertIs(self.successResultOf(self.opened), channel)
        self.assertTrue(channel.send(b"one"))
        self.assertTrue(channel.send(b"three"))
        channel.dataReceived(b"what?")

        self.assertEqual(self.transport.value(), b"3 one5 three")

    def test_a_receiver_that_does_not_read(self) -> None:
        """Nothing more is given to the transport until it says so."""
        channel = self.channel()
        channel.pauseProducing()
        self.assertFalse(channel.send(b"one"))
        channel.resumeProducing()
        self.assertTrue(channel.send(b"one"))

        self.assertEqual((self.transport.value(), self.owner.said), (b"3 one", ["ready"]))

    def test_a_lost_connection(self) -> None:
        """The owner hears of it, once, and that nobody knows what has arrived."""
        channel = self.channel()
        channel.connectionLost(Failure(ConnectionDone()))
        channel.abort()

        self.assertEqual(self.owner.said, [("Connection was closed cleanly; what was on its way then may be lost", 0)])

    def test_tls(self) -> None:
        """Nothing is sent before the certificate is known to be good."""
        channel = self.channel(is_tls=True)
        self.assertNoResult(self.opened)
        channel.handshakeCompleted()
        self.assertIs(self.successResultOf(self.opened), channel)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tls_that_fails(self) -> None:
        """That is no connection, and none that was lost."""
        channel = self.channel(is_tls=True)
        channel.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(self.opened, ConnectionLost)
        self.assertEqual((self.owner.said, self.clock.getDelayedCalls()), ([], []))

    def test_tls_that_never_comes(self) -> None:
        """It is given up."""
        channel = self.channel(is_tls=True)
        self.clock.advance(15)
        self.failureResultOf(self.opened, TimeoutError)
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)
        channel.connectionLost(Failure(ConnectionLost()))

    def test_no_connection_at_all(self) -> None:
        """Whoever asked hears why."""
        StreamChannel(self.clock, self.owner, self.opened, is_tls=False).failed(Failure(ConnectionLost()))
        self.failureResultOf(self.opened, ConnectionLost)

    def test_the_end(self) -> None:
        """What was sent is flushed; the owner hears nothing any more."""
        channel = self.channel()
        closed = channel.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer)
        self.assertNoResult(closed)
        channel.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.assertEqual(self.owner.said, [])

    def test_the_end_at_once(self) -> None:
        """Whoever does not want to wait cancels it."""
        channel = self.channel()
        closed = channel.close()
        closed.addErrback(lambda _: None)
        closed.cancel()
        channel.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)

    def test_one_connection(self) -> None:
        """Of two addresses that answer at the same time one is used."""
        factory = StreamFactory(StreamChannel(self.clock, self.owner, self.opened, is_tls=False))
        self.assertIsNotNone(factory.buildProtocol(None))
        self.assertIsNone(factory.buildProtocol(None))
