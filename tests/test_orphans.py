"""Asking the kernel about clients on this host, with real sockets."""

import socket

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver.orphans import Orphans

ADDRESSES = {socket.AF_INET: IPv4Address, socket.AF_INET6: IPv6Address}


class OrphansTests(SynchronousTestCase):
    """Killed clients and others."""

    def setUp(self) -> None:
        self.orphans = Orphans()
        self.addCleanup(self.orphans.close)

    def _look(self, family: socket.AddressFamily, host: str) -> None:
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        try:
            listening.bind((host, 0))
        except OSError as error:
            raise SkipTest(f"{host}: {error}") from error
        listening.listen()
        client = socket.create_connection((host, listening.getsockname()[1]))
        self.addCleanup(client.close)
        accepted, _ = listening.accept()
        self.addCleanup(accepted.close)
        ends = [ADDRESSES[family]("TCP", *each.getsockname()[:2]) for each in (client, accepted)]

        self.assertFalse(self.orphans.is_orphan(*ends))
        client.shutdown(socket.SHUT_WR)
        self.assertFalse(self.orphans.is_orphan(*ends), "a client that has only ended its input lives")
        client.close()
        self.assertTrue(self.orphans.is_orphan(*ends), "nobody holds its end any more")

    def test_ipv4(self) -> None:
        """A closed client is told from a half-closed one."""
        self._look(socket.AF_INET, "127.0.0.1")

    def test_ipv6(self) -> None:
        """The same over IPv6."""
        self._look(socket.AF_INET6, "::1")

    def test_nothing_is_known_of_others(self) -> None:
        """Other hosts, other kinds of sockets, connections that there are not: never said to be orphans."""
        here = IPv4Address("TCP", "127.0.0.1", 1)
        for client in (
            IPv4Address("TCP", "192.0.2.1", 1),
            UNIXAddress(b"/x"),
            None,
            here,
            IPv6Address("TCP", "::1", 1),
        ):
            self.assertFalse(self.orphans.is_orphan(client, here), client)

    def test_nothing_is_known_after_the_end(self) -> None:
        """Closed twice, asked after: no error."""
        self.orphans.close()
        self.orphans.close()
        here = IPv4Address("TCP", "127.0.0.1", 1)

        self.assertFalse(self.orphans.is_orphan(here, here))
