"""Tests of connections: whose address it is, how much is read, and each address in turn."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe import connection
from cmdserver_probe.connection import RECEIVED_OCTETS, Address, connect, in_turn, meter, none_of
from cmdserver_probe.errors import ProbeFailed, TooMuch
from cmdserver_probe.target import Target
from tests.probe.doubles import a_run

REFUSED = ConnectionRefusedError(111, "Connection refused")


class AddressTests(SynchronousTestCase):
    def test_this_hosts_own(self) -> None:
        """Where a password may go without TLS, and where not; names play no part."""
        own = [
            *(Address(socket.AF_INET, (host, 1)) for host in ("127.0.0.1", "127.255.0.9")),
            *(Address(socket.AF_INET6, (host, 1, 0, 0)) for host in ("::1", "::ffff:127.0.0.1")),
        ]
        others = [
            *(Address(socket.AF_INET, (host, 1)) for host in ("10.127.0.1", "192.0.2.127", "0.0.0.0", "128.0.0.1")),
            *(Address(socket.AF_INET6, (host, 1, 0, 0)) for host in ("::", "::2", "fe80::1", "::ffff:10.0.0.1")),
        ]

        self.assertEqual([str(each) for each in own if not each.is_loopback], [])
        self.assertEqual([str(each) for each in others if each.is_loopback], [])

    def test_text(self) -> None:
        """Brackets for IPv6."""
        self.assertEqual(str(Address(socket.AF_INET6, ("::1", 25, 0, 0))), "[::1]:25")
        self.assertEqual(str(Address(socket.AF_INET, ("192.0.2.1", 25))), "192.0.2.1:25")


class MeterTests(SynchronousTestCase):
    def test_the_bound(self) -> None:
        """The last octet is read, and no more."""
        self.assertEqual(meter(RECEIVED_OCTETS - 1, 1), RECEIVED_OCTETS)
        with self.assertRaisesRegex(TooMuch, "more than 2097152 octets"):
            meter(RECEIVED_OCTETS, 1)


class InTurnTests(SynchronousTestCase):
    def test_shares(self) -> None:
        """Each address has its share of the time that is left; the last is ended by the watchdog alone."""
        run = a_run("tcp h:1 --timeout 9")
        timeouts = []
        self.patch(connection, "_connected", lambda *arguments: timeouts.append(arguments[3]))
        addresses = [Address(socket.AF_INET, (f"192.0.2.{number}", 1)) for number in range(3)]
        for _, connected in in_turn(run, addresses, socket.SOCK_STREAM):
            connected()

        self.assertEqual(timeouts, [3.0, 4.5, None])


class ConnectTests(SynchronousTestCase):
    def _connect(self, *outcomes: OSError | None) -> list[str]:
        """Connect where each address in turn has another outcome; list whom was tried."""
        run = a_run("tcp h:1")
        run.target = Target("h", 1)
        tried = []
        found = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{number}", 1)) for number in range(len(outcomes))]
        self.patch(socket, "getaddrinfo", lambda *_, **__: found)

        def pretend(_: object, address: Address, *__: object) -> socket.socket:
            tried.append(address.host)
            outcome = outcomes[len(tried) - 1]
            if outcome is not None:
                raise outcome
            return socket.socket()

        self.patch(connection, "_connected", pretend)
        connect(run).close()
        return tried

    def test_the_first_that_accepts(self) -> None:
        """Those behind it are left alone."""
        self.assertEqual(self._connect(REFUSED, None, None), ["192.0.2.0", "192.0.2.1"])

    def test_none_accepts(self) -> None:
        """Each has its reason."""
        with self.assertRaisesRegex(
            ProbeFailed, r"^192\.0\.2\.0:1: connection refused; 192\.0\.2\.1:1: no answer in time$"
        ):
            self._connect(REFUSED, TimeoutError())

    def test_no_address(self) -> None:
        """It is said."""
        with self.assertRaisesRegex(ProbeFailed, "it has no address"):
            self._connect()

    def test_one_reason(self) -> None:
        """One address needs not be told."""
        self.assertEqual(str(none_of([(Address(socket.AF_INET, ("192.0.2.1", 1)), REFUSED)])), "connection refused")
