"""Tests of a transport that sends and closes at once where there is nothing to wait for."""

import os
import resource
import socket
from typing import Any, Self, cast
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from cmdserver.net.tcp import PromptServer, close_at_once, with_prompt_ports


class Client:
    """The other end of a connection, and what the reactor would know of ours."""

    def __init__(self, room: int = 0) -> None:
        self.here, self.there = socket.socketpair()
        if room:
            self.here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        self.there.setblocking(False)
        self.readers: set[object] = set()
        self.writers: set[object] = set()
        self.lost: list[Failure] = []
        protocol: Any = Protocol()
        protocol.connectionLost = self.lost.append
        port: Any = Mock(_realPortNumber=1)
        reactor: Any = Mock(
            addReader=self.readers.add,
            addWriter=self.writers.add,
            removeReader=self.readers.discard,
            removeWriter=self.writers.discard,
        )
        self.transport = PromptServer(self.here, protocol, ("127.0.0.1", 1), port, 0, reactor)
        protocol.makeConnection(self.transport)

    def reads(self) -> bytes:
        """Read what is there."""
        received = b""
        try:
            while chunk := self.there.recv(65536):
                received += chunk
        except BlockingIOError:
            pass
        return received

    def turn(self) -> None:
        """Let the reactor have its turn: there is room again, if anybody waits for that."""
        if self.transport in self.writers and (why := self.transport.doWrite()) is not None:
            self.transport.connectionLost(Failure(why))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.there.close()
        self.here.close()


def test_what_is_written_is_sent() -> None:
    """Before the write returns, without the reactor; nothing is nothing."""
    with Client() as client:
        client.transport.write(b"hello")
        client.transport.write(b"")
        assert client.reads() == b"hello"
        assert not client.writers


def test_what_finds_no_room_comes_in_order() -> None:
    """A write behind it waits, too, and so does the end."""
    with Client(room=4096) as client:
        data = bytes(range(256)) * 4096
        client.transport.write(data)
        client.transport.write(b"and this")
        close_at_once(client.transport)
        assert client.writers == {client.transport}
        assert not client.lost
        received = b""
        while not client.lost:
            received += client.reads()
            client.turn()
        received += client.reads()
        assert received == data + b"and this"
        assert client.lost[0].check(ConnectionDone)


def test_it_is_closed_before_it_returns() -> None:
    """Once, for the protocol and the reactor; the client sees the end behind what was sent."""
    with Client() as client:
        client.transport.write(b"hello")
        close_at_once(client.transport)
        (why,) = client.lost
        assert why.check(ConnectionDone)
        assert client.there.recv(10) == b"hello"
        assert client.there.recv(10) == b""
        assert not client.readers
        client.transport.loseConnection()
        close_at_once(client.transport)
        client.transport.write(b"more")
        client.transport.abortConnection()
        client.transport.connectionLost(Failure(connectionDone.value))
        assert len(client.lost) == 1


def test_an_end_of_output_alone_is_waited_for() -> None:
    """`loseWriteConnection` has its turn first."""
    with Client() as client:
        client.transport.loseWriteConnection()
        close_at_once(client.transport)
        assert not client.lost
        client.turn()
        client.turn()
        assert client.there.recv(10) == b""


def test_a_client_that_is_gone() -> None:
    """Nobody who writes hears of it; the reactor does, in its turn."""
    with Client() as client:
        client.there.close()
        client.transport.write(b"hello")
        assert not client.lost
        client.turn()
        assert client.lost[0].check(ConnectionLost)


def test_others_lose_their_connection() -> None:
    """What is no plain socket has its transport between us and the bytes on the wire."""
    transport = Mock()
    close_at_once(transport)
    transport.loseConnection.assert_called_once_with()


@given(st.lists(st.one_of(st.integers(0, 20_000), st.none()), max_size=30))
def test_every_byte_arrives_once_and_in_order(steps: list[int | None]) -> None:
    """Whatever is written while the client reads now and then."""
    written = received = b""
    with Client(room=4096) as client:
        for number, step in enumerate(steps):
            if step is None:
                received += client.reads()
                client.turn()
            else:
                data = bytes([number]) * step
                client.transport.write(data)
                written += data
        while client.writers:
            received += client.reads()
            client.turn()
        assert received + client.reads() == written


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_producer_is_paused_by_what_waits_alone(size: int) -> None:
    """As with Twisted's own, by more than 64 KiB of it."""
    with Client(room=4096) as client:
        producer = Mock()
        client.transport.registerProducer(producer, True)
        client.transport.write(b"x" * size)
        assert producer.pauseProducing.called == (size > 1)


class PortTests(TestCase):
    """A port of a real reactor."""

    def setUp(self) -> None:
        self.connected: list[PromptServer] = []
        factory = Factory.forProtocol(Protocol)
        factory.noisy = False
        factory.buildProtocol = self.build  # type: ignore[method-assign, assignment]
        self.trouble: Exception | None = None
        self.refuses = False
        self.port = with_prompt_ports(reactor).listenTCP(0, factory, 200, "127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.clients: list[socket.socket] = []

    def build(self, _: object) -> Protocol | None:
        """Make a protocol, or do not."""
        if self.trouble is not None:
            raise self.trouble
        if self.refuses:
            return None
        protocol: Any = Protocol()
        protocol.connectionMade = lambda: self.connected.append(protocol.transport)
        return cast("Protocol", protocol)

    def connect(self) -> socket.socket:
        """Be one more client."""
        client = socket.create_connection(("127.0.0.1", self.port.getHost().port), 10)
        self.addCleanup(client.close)
        return client

    def accept(self) -> None:
        """Let the port have a turn."""
        self.port.doRead()

    def tearDown(self) -> None:
        for each in self.connected:
            each.abortConnection()

    def test_addresses_are_those_of_the_clients(self) -> None:
        """A connection knows both of its ends, and its transport is prompt."""
        client = self.connect()
        self.accept()
        (transport,) = self.connected
        self.assertEqual(transport.getPeer(), IPv4Address("TCP", *client.getsockname()))
        self.assertEqual(transport.getHost(), self.port.getHost())
        transport.write(b"hello")
        self.assertEqual(client.recv(10), b"hello")

    def test_nobody_is_left_waiting(self) -> None:
        """However many come at once, each is accepted within as many turns; where it goes on so, within fewer."""
        clients = [self.connect() for _ in range(100)]
        turns = 0
        while len(self.connected) < len(clients):
            self.accept()
            turns += 1
        self.assertLess(turns, 80)
        self.accept()  # nobody, which is no trouble
        self.assertEqual(len(self.connected), 100)

    def test_who_is_not_wanted_is_closed(self) -> None:
        """And so is one for whom there is no protocol, by a mistake of ours, which is logged."""
        self.refuses = True
        client = self.connect()
        self.accept()
        self.assertEqual(client.recv(10), b"")
        self.refuses, self.trouble = False, ZeroDivisionError()
        client = self.connect()
        self.accept()
        self.assertEqual(client.recv(10), b"")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_descriptor_is_left(self) -> None:
        """Twisted's reserve is used: the client is closed rather than left in the queue for ever."""
        client = self.connect()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        spare = [os.dup(client.fileno())]
        os.close(spare[0])
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare[0], limits[1]))
        self.accept()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(client.recv(10), b"")
        self.assertEqual(self.connected, [])
