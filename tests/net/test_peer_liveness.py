"""Tests of noticing that a client is gone while nothing is read from it, with real sockets."""

import os
import select
import socket
import struct
from typing import Any, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cmdserver.net.peer_liveness import PeerLiveness


class FakeReactor:
    """Knows whom it would watch."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)


def tcp_pair(test: SynchronousTestCase) -> tuple[socket.socket, socket.socket]:
    """Connect a server's and a client's socket."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
    for each in (server, client):
        test.addCleanup(each.close)
    return server, client


def reset(client: socket.socket) -> None:
    """Part without a good-bye: to close with a linger time of 0 sends RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class PeerLivenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.liveness = PeerLiveness(cast("Any", self.reactor))
        self.addCleanup(self.liveness.close)
        self.server, self.client = tcp_pair(self)
        self.gone: list[str] = []

    def watch(self, server: socket.socket | None = None, name: str = "gone") -> None:
        """Watch the server's end."""
        self.liveness.watch((server or self.server).fileno(), lambda: self.gone.append(name))

    @property
    def is_ready(self) -> bool:
        """Whether the reactor would call us."""
        return bool(select.select([self.liveness], [], [], 0)[0])

    def look(self) -> list[str]:
        """Be called as the reactor would, and return who is gone."""
        if self.is_ready:
            self.liveness.doRead()
        return self.gone

    def test_it_is_a_descriptor_that_the_reactor_reads(self) -> None:
        """The reactor is given one descriptor, and has to ask for nothing else."""
        self.assertEqual(self.reactor.readers, [self.liveness])
        self.assertTrue(verifyObject(IReadDescriptor, self.liveness))

    def test_a_reset_is_noticed(self) -> None:
        """A client that is gone is told of, once."""
        self.watch()
        self.assertEqual(self.look(), [])

        reset(self.client)

        self.assertEqual(self.look(), ["gone"])
        self.assertFalse(self.is_ready)

    def test_a_reset_is_noticed_behind_unread_bytes(self) -> None:
        """What the client has sent before, and nobody reads, does not hide that it is gone."""
        self.watch()
        self.client.sendall(b"uptime\n")
        self.assertFalse(self.is_ready)

        reset(self.client)

        self.assertEqual(self.look(), ["gone"])

    def test_an_end_of_input_is_no_hangup(self) -> None:
        """A client that has only ended its input still waits for its answer."""
        self.watch()

        self.client.shutdown(socket.SHUT_WR)

        self.assertFalse(self.is_ready)
        self.assertEqual(self.look(), [])

    def test_a_polite_end_is_no_hangup(self) -> None:
        """A client that closes sends the same FIN as one that ends its input: there is no telling them apart."""
        self.watch()

        self.client.close()

        self.assertEqual(self.look(), [])

    def test_a_reset_after_the_end_of_input_is_noticed(self) -> None:
        """The answer that nobody takes makes the client's host send RST."""
        self.watch()
        self.client.close()

        self.server.sendall(b"an answer")

        self.assertEqual(self.look(), ["gone"])

    def test_a_closed_unix_socket_is_noticed(self) -> None:
        """On a Unix socket the kernel tells the end of input and the end of the client apart."""
        server, client = socket.socketpair()
        self.addCleanup(server.close)
        self.addCleanup(client.close)
        self.watch(server)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.look(), [])

        client.close()

        self.assertEqual(self.look(), ["gone"])

    def test_only_those_who_are_gone_are_told_of(self) -> None:
        """Of two clients the one who is gone is told of."""
        other, _ = tcp_pair(self)
        self.watch()
        self.watch(other, "other")

        reset(self.client)

        self.assertEqual(self.look(), ["gone"])

    def test_who_is_forgotten_is_not_told_of(self) -> None:
        """After `forget` nothing is said, and the reactor has nothing to wake up for."""
        self.watch()
        self.liveness.forget(self.server.fileno())

        reset(self.client)

        self.assertFalse(self.is_ready)
        self.assertEqual(self.look(), [])

    def test_to_forget_is_harmless(self) -> None:
        """What was never watched, or is forgotten already, can be forgotten."""
        self.liveness.forget(self.server.fileno())
        self.watch()
        self.liveness.forget(self.server.fileno())

        self.liveness.forget(self.server.fileno())

        self.assertEqual(self.look(), [])

    def test_who_was_forgotten_may_be_watched_again(self) -> None:
        """A connection may be paused any number of times."""
        self.watch()
        self.liveness.forget(self.server.fileno())
        self.watch()

        reset(self.client)

        self.assertEqual(self.look(), ["gone"])

    def test_to_watch_twice_is_to_watch_once(self) -> None:
        """The second call replaces the first; it is called once."""
        self.watch(name="first")
        self.watch(name="second")

        reset(self.client)

        self.assertEqual(self.look(), ["second"])

    def test_a_reset_before_the_watch_is_noticed(self) -> None:
        """Who is gone already when the watching begins is told of as well."""
        reset(self.client)

        self.watch()

        self.assertEqual(self.look(), ["gone"])

    def test_a_closed_descriptor_is_harmless(self) -> None:
        """A connection that is closed before it is forgotten is not told of, and can be forgotten."""
        descriptor = self.server.fileno()
        self.watch()

        self.server.close()

        self.assertEqual(self.look(), [])
        self.liveness.forget(descriptor)

    def test_the_number_of_a_closed_descriptor_can_be_watched(self) -> None:
        """The next connection may get the number, once the old one is forgotten."""
        descriptor = self.server.fileno()
        server, client = tcp_pair(self)
        self.watch(name="old")
        self.server.close()
        self.liveness.forget(descriptor)
        os.dup2(server.fileno(), descriptor)
        self.addCleanup(os.close, descriptor)
        self.liveness.watch(descriptor, lambda: self.gone.append("new"))

        reset(client)

        self.assertEqual(self.look(), ["new"])

    def test_who_is_told_may_forget_another(self) -> None:
        """If two are gone at once, and the first to be told of takes the other along, that one is not told of."""
        other, other_client = tcp_pair(self)
        both = (self.server.fileno(), other.fileno())

        def tell() -> None:
            self.gone.append("one")
            for each in both:
                self.liveness.forget(each)

        for each in both:
            self.liveness.watch(each, tell)
        reset(self.client)
        reset(other_client)

        self.assertEqual(self.look(), ["one"])

    def test_a_closed_watch_watches_nothing(self) -> None:
        """After the closing the reactor has let go, and there is no descriptor left."""
        self.watch()
        self.liveness.close()

        self.assertEqual(self.reactor.readers, [])
        self.assertEqual(self.liveness.fileno(), -1)

    def test_to_forget_after_the_closing_is_harmless(self) -> None:
        """At the end of the daemon connections are closed after the watch, and each is forgotten then."""
        self.watch()
        self.liveness.close()

        self.liveness.forget(self.server.fileno())

        self.assertEqual(self.gone, [])

    def test_the_reactor_may_let_go(self) -> None:
        """A reactor that drops all its descriptors leaves none open here."""
        self.liveness.connectionLost(Failure(ConnectionDone()))

        self.assertEqual(self.liveness.fileno(), -1)
        self.assertEqual(self.liveness.logPrefix(), "hangups")
