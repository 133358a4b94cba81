"""Sockets that systemd has opened: found, asked what they are, and left as they are."""

import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver.core import endpoints, protocols
from cmdserver.core.listening import Listening, Login
from cmdserver.net import socket_activation
from cmdserver.net.listener import Listener, server_endpoint, source_of
from cmdserver.net.proxied_endpoint import ProxyEndpoint
from cmdserver.net.socket_activation import SystemdEndpoint
from tests.contracts import open_descriptors

#: In tcp(7) of Linux.
TCP_NOTSENT_LOWAT = 25


def systemd(reactor: Any, arguments: str, given: ListenFDs) -> SystemdEndpoint:
    """Make the endpoint of a description, as the listener does; the sockets are others."""
    with patch.object(socket_activation, "inherited", return_value=given):
        endpoint = server_endpoint(reactor, endpoints.parse(f"systemd:{arguments}"))
    assert isinstance(endpoint, SystemdEndpoint)
    return endpoint


class Reactor(MemoryReactorClock):
    """Adopts sockets as the real one does, but reads from them only when it is told to."""

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        from twisted.internet.tcp import Port  # noqa: PLC0415 - it imports the reactor

        port = Port._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        port.startListening()
        return port

    def turn(self) -> None:
        """Read once from everything that listens."""
        for each in self.getReaders():
            each.doRead()
        self.advance(0)


class Arrivals(Factory):
    """Keeps where clients are, and lets nobody in."""

    noisy = False

    def __init__(self) -> None:
        self.addresses: list[Any] = []

    def buildProtocol(self, addr: Any) -> Protocol | None:
        self.addresses.append(addr)
        return None


class ActivationTests(SynchronousTestCase):
    """Sockets that were opened before us."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.factory = Arrivals()

    def _given(self, *sockets: socket.socket, names: str = "line") -> ListenFDs:
        for each in sockets:
            self.addCleanup(each.close)
        listed = names.split(":")
        return ListenFDs([each.fileno() for each in sockets], listed * len(sockets) if len(listed) == 1 else listed)

    def _listen(self, given: ListenFDs, arguments: str = "domain=INET:name=line") -> Any:
        port = self.successResultOf(systemd(self.reactor, arguments, given).listen(self.factory))
        self.addCleanup(self.reactor.advance, 0)
        self.addCleanup(port.stopListening)
        return port

    def _tcp(self, host: str = "127.0.0.1", family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        listening = socket.socket(family)
        try:
            if family is socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listening.bind((host, 0))
        except OSError as error:
            listening.close()
            raise SkipTest(f"{host}: {error}") from error
        listening.listen()
        return listening

    def _sources(self, *addresses: tuple[str, int]) -> list[str]:
        for each in addresses:
            self.addCleanup(socket.create_connection(each).close)
        self.reactor.turn()
        return [source_of(each) for each in self.factory.addresses]

    def test_one_socket_for_both_families(self) -> None:
        """Whatever the description says, clients have their addresses, and those of IPv4 are clients of IPv4."""
        for arguments in ("domain=INET:name=line", "domain=INET6:name=line", "name=line", "INET:0", "index=0"):
            self.factory.addresses.clear()
            listening = self._tcp("::ffff:127.0.0.1", socket.AF_INET6)
            port = self._listen(self._given(listening), arguments)
            address = ("127.0.0.1", listening.getsockname()[1])

            self.assertEqual(self._sources(address), ["127.0.0.1"], arguments)
            self.assertIsInstance(port.getHost(), IPv6Address)
            port.stopListening()
            self.reactor.advance(0)

    def test_ipv4(self) -> None:
        """A socket of IPv4 that is said to be of IPv6."""
        listening = self._tcp()
        self._listen(self._given(listening), "domain=INET6:name=line")

        self.assertEqual(self._sources(("127.0.0.1", listening.getsockname()[1])), ["127.0.0.1"])

    def test_several_of_one_name(self) -> None:
        """A socket unit with two addresses is one listener; it ends as a whole, and can be opened again."""
        sockets = [self._tcp(), self._tcp("127.0.0.2")]
        given = self._given(*sockets)
        addresses = [each.getsockname() for each in sockets]
        port = self._listen(given)
        self.assertEqual(len(self._sources(*addresses)), 2)
        self.assertEqual(port.getHost().host, "127.0.0.1")
        stopped = port.stopListening()
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getReaders(), [])

        self._listen(given)
        self.assertEqual(len(self._sources(*addresses)), 4)

    def test_by_its_place(self) -> None:
        """An index means one, whatever it is called."""
        sockets = [self._tcp(), self._tcp("127.0.0.2")]
        port = self._listen(self._given(*sockets, names="a:b"), "domain=INET:index=1")
        self.assertEqual(port.getHost().host, "127.0.0.2")

    def test_a_unix_socket_is_left_as_it_is(self) -> None:
        """Its mode, which says who may connect, its file and the socket itself are systemd's, also after the end."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "socket")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen()
        port = self._listen(self._given(listening), "domain=UNIX:name=line")

        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            self.reactor.turn()
        self.assertEqual(list(map(source_of, self.factory.addresses)), ["unix"])
        self.assertEqual(port.getHost(), UNIXAddress(str(path)))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        port.stopListening()
        self.reactor.advance(0)
        self.assertTrue(path.is_socket())
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

    def test_what_is_not_there(self) -> None:
        """It is said what there is."""
        named = self._given(self._tcp(), names="web")
        for given, complaint in (
            (named, "systemd has given us no such socket; it has given us: 'web'"),
            (ListenFDs([], ()), "systemd has given us no such socket; we were started without any"),
        ):
            for arguments in ("name=line", "index=1"):
                failure = self.failureResultOf(systemd(self.reactor, arguments, given).listen(self.factory))
                self.assertEqual(failure.getErrorMessage(), complaint)

    def test_what_is_no_listening_socket(self) -> None:
        """A datagram socket, a connection, a file: they are named, and nothing stays open."""
        ends = socket.socketpair()
        self.addCleanup(ends[1].close)
        file = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, file)
        before = open_descriptors()
        good = self._tcp()
        packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        packets.bind("\0cmdserver-test-" + os.urandom(8).hex())
        packets.listen()
        unused = socket.socket(socket.AF_INET)
        for bad in (ends[0], socket.socket(socket.AF_INET, socket.SOCK_DGRAM), packets, unused):
            given = self._given(good, bad)
            failure = self.failureResultOf(systemd(self.reactor, "name=line", given).listen(self.factory))
            self.assertEqual(
                failure.getErrorMessage(),
                f"descriptor {bad.fileno()} is no listening socket; it takes ListenStream= and Accept=no",
            )
            bad.close()
        self.failureResultOf(systemd(self.reactor, "index=0", ListenFDs([file], ("x",))).listen(self.factory), OSError)
        good.close()
        ends[0].close()
        self.assertLessEqual(open_descriptors(), before)

    def test_what_twisted_has_found(self) -> None:
        """Twisted keeps what it has found under this name; a test process was started without any."""
        self.assertIsInstance(socket_activation.inherited(), ListenFDs)

    def test_options(self) -> None:
        """All sockets of a listener have our options, and so have the connections that come of them."""
        sockets = [self._tcp(), self._tcp("127.0.0.2")]
        given = self._given(*sockets)
        self.patch(socket_activation, "inherited", lambda: given)
        key = Listening(
            protocol=protocols.Protocol.LINE,
            endpoint=endpoints.parse("systemd:name=line"),
            tls=False,
            login=Login.NEVER,
        )
        listener = Listener(self.reactor, key, self.factory, lambda _: None)
        listener.open()
        self.addCleanup(self.reactor.advance, 0)
        self.addCleanup(listener.close)

        for each in sockets:
            with socket.create_connection(each.getsockname()), each.accept()[0] as accepted:
                self.assertTrue(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
                self.assertTrue(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                self.assertTrue(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE))
                self.assertEqual(accepted.getsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT), 131_072)

    def test_behind_a_proxy(self) -> None:
        """The two go together."""
        self.assertIsInstance(
            server_endpoint(self.reactor, endpoints.parse("haproxy:systemd:name=line")), ProxyEndpoint
        )
