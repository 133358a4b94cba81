"""Asking the kernel about clients on this host: what it is asked and what it answers, and with real sockets."""

import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver.net.sock_diag import Question, SockDiag, question
from tests.doubles import LAW

ADDRESSES = {socket.AF_INET: IPv4Address, socket.AF_INET6: IPv6Address}


class SockDiagTests(SynchronousTestCase):
    """Killed clients and others."""

    def setUp(self) -> None:
        self.orphans = SockDiag()
        self.addCleanup(self.orphans.close)

    def _connect(self, family: socket.AddressFamily, host: str) -> tuple[socket.socket, socket.socket]:
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        try:
            listening.bind((host, 0))
        except OSError as error:
            raise SkipTest(f"{host}: {error}") from error
        listening.listen()
        client = socket.socket(family)
        self.addCleanup(client.close)
        client.connect((host, listening.getsockname()[1]))
        accepted, _ = listening.accept()
        self.addCleanup(accepted.close)
        return client, accepted

    def _look(self, family: socket.AddressFamily, host: str) -> None:
        client, accepted = self._connect(family, host)
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

    def test_an_ipv4_address_called_through_an_ipv6_socket(self) -> None:
        """The kernel answers with the socket's family, and with addresses that are spelled as it likes."""
        self._look(socket.AF_INET6, "::ffff:127.0.0.1")

    def test_answers_that_were_left_over(self) -> None:
        """They are not taken for the answer to the next question, which would end somebody else's connection."""
        dead, accepted = self._connect(socket.AF_INET, "127.0.0.1")
        orphan = [IPv4Address("TCP", *each.getsockname()) for each in (dead, accepted)]
        dead.close()
        living = [IPv4Address("TCP", *each.getsockname()) for each in self._connect(socket.AF_INET, "127.0.0.1")]
        for _ in range(3):
            left = question(orphan[0], orphan[1], 1)
            assert left is not None
            assert self.orphans._netlink is not None
            self.orphans._netlink.send(left.encode())

        self.assertFalse(self.orphans.is_orphan(*living))
        self.assertTrue(self.orphans.is_orphan(*orphan))
        self.assertFalse(self.orphans.is_orphan(*living))

    def test_no_answer(self) -> None:
        """Nothing is waited for; and what comes later is left for nobody."""
        netlink: Any = Netlink([])
        assert self.orphans._netlink is not None
        self.orphans._netlink.close()
        self.orphans._netlink = netlink
        ends = IPv4Address("TCP", "127.0.0.1", 1), IPv4Address("TCP", "127.0.0.1", 2)
        self.assertFalse(self.orphans.is_orphan(*ends))

        netlink.coming = [(answer(inode=0, sequence=1), 0)]
        self.assertFalse(self.orphans.is_orphan(*ends), "to the second question")
        netlink.coming = [(answer(inode=0, sequence=3), 4711), (b"", 0), (answer(inode=7, sequence=3), 0)]
        self.assertFalse(self.orphans.is_orphan(*ends), "by the kernel, not by process 4711")
        netlink.coming = [(answer(inode=9, sequence=3), 0), (answer(inode=0, sequence=4), 0)]
        self.assertTrue(self.orphans.is_orphan(*ends))
        netlink.coming = [(answer(inode=9, sequence=3), 0)] * 1000
        self.assertFalse(self.orphans.is_orphan(*ends))
        self.assertGreater(len(netlink.coming), 800, "it does not read for ever")

    def test_numbers_begin_anew(self) -> None:
        """After four billion questions; 0 is the kernel's for what nobody has asked."""
        netlink: Any = Netlink([])
        assert self.orphans._netlink is not None
        self.orphans._netlink.close()
        self.orphans._netlink = netlink
        self.orphans._sequence = 0xFFFFFFFE
        ends = IPv4Address("TCP", "127.0.0.1", 1), IPv4Address("TCP", "127.0.0.1", 2)
        for _ in range(2):
            self.orphans.is_orphan(*ends)

        self.assertEqual([struct.unpack_from("=I", each, 8)[0] for each in netlink.sent], [0xFFFFFFFF, 1])

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


class Netlink:
    """A socket to a kernel that answers what the test says: datagrams and who sends them."""

    def __init__(self, coming: list[tuple[bytes, int]]) -> None:
        self.coming = coming
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recvfrom(self, length: int) -> tuple[bytes, tuple[int, int]]:
        if not self.coming:
            raise BlockingIOError
        datagram, sender = self.coming.pop(0)
        return datagram, (sender, 0)

    def close(self) -> None:
        pass


HERE = "127.0.0.1"


def answer(
    *,
    inode: int = 7,
    sequence: int = 5,
    kind: int = 20,
    family: int = socket.AF_INET,
    ports: tuple[int, int] = (1, 2),
    addresses: tuple[str, str] = (HERE, HERE),
) -> bytes:
    """Spell struct inet_diag_msg behind struct nlmsghdr, as in linux/inet_diag.h."""
    packed = [socket.inet_pton(family, each).ljust(16, b"\0") for each in addresses]
    body = struct.pack("=BBBB", family, 1, 0, 0) + struct.pack("!HH", *ports) + b"".join(packed)
    body += struct.pack("=III", 0, 0xAAAA, 0xBBBB) + struct.pack("=IIIII", 0, 0, 0, 1000, inode)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, sequence, 4711) + body


def asked(host: str = HERE) -> Question:
    """Ask about port 1, whose peer is port 2, as number 5."""
    kind = IPv6Address if ":" in host else IPv4Address
    found = question(kind("TCP", host, 1), kind("TCP", host, 2), 5)
    assert found is not None
    return found


def test_what_is_asked() -> None:
    """As in linux/sock_diag.h and linux/inet_diag.h: a header, the kind of socket, both ends, no cookie."""
    encoded = asked().encode()
    assert struct.unpack_from("=IHHII", encoded) == (72, 20, 1, 5, 0)
    assert struct.unpack_from("=BBBBI", encoded, 16) == (socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    ends = struct.unpack_from("!HH16s16sI8s", encoded, 24)
    loopback = bytes([127, 0, 0, 1]).ljust(16, b"\0")
    assert ends == (1, 2, loopback, loopback, 0, b"\xff" * 8)
    assert asked("::1").encode()[16] == socket.AF_INET6


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_the_answer(host: str) -> None:
    """The inode, whichever family the client's socket has."""
    assert asked(host).inode(answer()) == 7
    assert asked(host).inode(answer(inode=0)) == 0
    mapped = ("::ffff:127.0.0.1",) * 2
    assert asked(host).inode(answer(inode=0, family=socket.AF_INET6, addresses=mapped)) == 0
    assert asked("::1").inode(answer(family=socket.AF_INET6, addresses=("::1", "::1"))) == 7


@pytest.mark.parametrize(
    "received",
    [
        b"",
        answer()[:-1],
        answer()[:16],
        answer(sequence=4),
        answer(kind=2),
        answer(kind=3),
        answer(ports=(2, 1)),
        answer(ports=(1, 3)),
        answer(ports=(3, 2)),
        answer(addresses=("127.0.0.2", HERE)),
        answer(addresses=(HERE, "127.0.0.2")),
        answer(family=socket.AF_INET6, addresses=("::1", "::1")),
        struct.pack("=IHHII", 17, 20, 0, 5, 0) + b"\2",
        struct.pack("=IHHII", 15, 20, 0, 5, 0) + answer(),
    ],
)
def test_what_is_no_answer(received: bytes) -> None:
    """Nothing is known then."""
    assert asked().inode(received) is None


def test_several_in_one() -> None:
    """The one that is meant is found behind others, which are padded to four bytes."""
    other = struct.pack("=IHHII", 17, 3, 0, 5, 0) + b"x" + b"\0\0\0"
    assert asked().inode(other + answer(sequence=4, inode=9) + answer(inode=0)) == 0


@LAW
@given(st.binary(max_size=200), st.integers(0, 88), st.binary(max_size=4))
def test_any_bytes(received: bytes, at: int, change: bytes) -> None:
    """No bytes do any harm."""
    asked().inode(received)
    asked().inode(answer()[:at] + change + answer()[at + len(change) :])
