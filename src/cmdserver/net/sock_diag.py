"""Tell a client that was killed from one that has only ended its input, if it is on this host.

Both send a FIN and look alike from our end of the connection; a reset comes only when something is sent to the dead.
But at the other end, a killed client leaves a connection that belongs to no process, and the kernel knows that: its
socket has no inode any more. It is asked through NETLINK_SOCK_DIAG (sock_diag(7)), as ``ss`` does; no privilege is
needed. For clients on other hosts the answer is always "not known", and keep-alive probes have to do.

An answer is believed if it has the number of the question and is about the socket that was asked for: what was left
over from another question, whatever the reason, would end somebody else's connection.
"""

import contextlib
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from msgspec import Struct
from twisted.internet import address

from cmdserver.core.addresses import Address, parse_address

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_ALL_STATES: Final = 0xFFFFFFFF
_NO_COOKIE: Final = b"\xff" * 8

#: struct nlmsghdr: length, type, flags, sequence, port.
_HEADER: Final = struct.Struct("=IHHII")
#: The head of struct inet_diag_req_v2: family, protocol, extensions, padding, states.
_REQUEST: Final = struct.Struct("=BBBBI")
#: struct inet_diag_sockid: ports in network order, addresses, interface, cookie.
_SOCKET_ID: Final = struct.Struct("!HH16s16sI8s")
#: Of struct inet_diag_msg: family, state, timer, retransmissions; then the socket's id; expiry, queues, user, inode.
_ANSWER_HEAD: Final = struct.Struct("=BBBB")
_ANSWER_TAIL: Final = struct.Struct("=IIIII")

#: More than what one answer takes.
_ANSWER_BYTES: Final = 8192
#: Datagrams that are read for one question; what was left over is behind them.
_MOST_READ: Final = 100


class Question(Struct, frozen=True):
    """A request for one socket: the client's end of a connection."""

    client: Address
    client_port: int
    server: Address
    server_port: int
    #: As the answer to it will have it.
    sequence: int

    def encode(self) -> bytes:
        """Encode it for the kernel."""
        family = socket.AF_INET if isinstance(self.client, IPv4Address) else socket.AF_INET6
        addresses = self.client.packed, self.server.packed
        sockets = _SOCKET_ID.pack(self.client_port, self.server_port, *addresses, 0, _NO_COOKIE)
        body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES) + sockets
        length = _HEADER.size + len(body)
        return _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, self.sequence, 0) + body

    def inode(self, datagram: bytes) -> int | None:
        """Find the answer in what was received.

        Returns:
            The socket's inode, 0 if no process holds it; None if there is no answer to this question.
        """
        for kind, sequence, body in _messages(datagram):
            if sequence == self.sequence and kind == _SOCK_DIAG_BY_FAMILY and self._is_meant(body):
                inode: int = _ANSWER_TAIL.unpack_from(body, _ANSWER_HEAD.size + _SOCKET_ID.size)[-1]
                return inode
        return None

    def _is_meant(self, body: bytes) -> bool:
        """Whether an answer is about the socket that was asked for."""
        if len(body) < _ANSWER_HEAD.size + _SOCKET_ID.size + _ANSWER_TAIL.size:
            return False
        family = body[0]
        client_port, server_port, client, server, *_ = _SOCKET_ID.unpack_from(body, _ANSWER_HEAD.size)
        return (_address(family, client), client_port, _address(family, server), server_port) == (
            self.client,
            self.client_port,
            self.server,
            self.server_port,
        )


class SockDiag:
    """Queries the kernel (sock_diag(7)) about the other ends of connections from this host."""

    def __init__(self) -> None:
        self._sequence = 0
        self._netlink: socket.socket | None = None
        with contextlib.suppress(OSError):  # not this kernel, or not allowed in this sandbox: nothing is known then
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_SOCK_DIAG)

    def close(self) -> None:
        """Close the socket."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def is_orphan(self, client: object, server: object) -> bool:
        """Whether it is certain that no process holds the client's end of a connection.

        The kernel answers before the question is sent, as it were; without an answer nothing is waited for.

        Args:
            client: The address of its end; only loopback addresses are looked into, as those are on this host for sure.
            server: The address of our end.
        """
        if self._netlink is None:
            return False
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        asked = question(client, server, self._sequence)
        if asked is None:
            return False
        with contextlib.suppress(OSError):
            self._netlink.send(asked.encode())
            for _ in range(_MOST_READ):
                datagram, (port, _) = self._netlink.recvfrom(_ANSWER_BYTES)
                if port == 0 and (inode := asked.inode(datagram)) is not None:  # the kernel's, and to the point
                    return inode == 0
        return False


def question(client: object, server: object, sequence: int) -> Question | None:
    """Ask about the client's end of a connection; None if it is not on this host for sure."""
    kinds = address.IPv4Address | address.IPv6Address
    if not isinstance(client, kinds) or not isinstance(server, kinds):
        return None
    # Behind a proxy both are of the client's connection to it. An IPv4 client of an IPv6 socket is one of IPv4.
    theirs, ours = parse_address(client.host), parse_address(server.host)
    if theirs is None or ours is None or not theirs.is_loopback or theirs.version != ours.version:
        return None
    return Question(theirs, client.port, ours, server.port, sequence)


def _messages(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Take a datagram apart: kind, sequence number and body of each message."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _, sequence, _ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size or at + length > len(datagram):
            return
        yield kind, sequence, datagram[at + _HEADER.size : at + length]
        at += (length + 3) & ~3  # NLMSG_ALIGN


def _address(family: int, packed: bytes) -> Address | None:
    """Read an address of an answer; a client may call an IPv4 address through an IPv6 socket."""
    if family == socket.AF_INET:
        return IPv4Address(packed[:4])
    if family != socket.AF_INET6:
        return None
    found = IPv6Address(packed)
    return found.ipv4_mapped or found
