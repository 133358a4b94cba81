"""Tell a client that was killed from one that has only ended its input, if it is on this host.

Both send a FIN and look alike from our end of the connection; a reset comes only when something is sent to the dead.
But at the other end, a killed client leaves a connection that belongs to no process, and the kernel knows that: its
socket has no inode any more. It is asked through NETLINK_SOCK_DIAG (sock_diag(7)), as ``ss`` does; no privilege is
needed. For clients on other hosts the answer is always "not known", and keep-alive probes have to do.
"""

import contextlib
import ipaddress
import socket
import struct

from twisted.internet.address import IPv4Address, IPv6Address

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8

#: struct nlmsghdr: length, type, flags, sequence, port.
_HEADER = struct.Struct("=IHHII")
#: The head of struct inet_diag_req_v2: family, protocol, extensions, padding, states.
_REQUEST = struct.Struct("=BBBBI")
#: struct inet_diag_sockid: ports in network order, addresses, interface, cookie.
_SOCKET_ID = struct.Struct("!HH16s16sI8s")
#: Of struct inet_diag_msg, behind the header: the inode comes after four bytes, the id and four numbers.
_INODE_AT = _HEADER.size + 4 + _SOCKET_ID.size + 16


class Orphans:
    """Asks the kernel about the other ends of connections from this host."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None
        with contextlib.suppress(OSError):  # not this kernel, or not allowed in this sandbox: nothing is known then
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_SOCK_DIAG)

    def close(self) -> None:
        """Ask no more."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def is_orphan(self, client: object, server: object) -> bool:
        """Whether it is certain that no process holds the client's end of a connection.

        Args:
            client: The address of its end; only loopback addresses are looked into, as those are on this host for sure.
            server: The address of our end.
        """
        question = _question(client, server)
        if self._netlink is None or question is None:
            return False
        try:
            self._netlink.send(question)
            answer = self._netlink.recv(4096)
        except OSError:
            return False
        _, kind, *_ = _HEADER.unpack_from(answer)
        if kind != _SOCK_DIAG_BY_FAMILY or len(answer) < _INODE_AT + 4:
            return False
        (inode,) = struct.unpack_from("=I", answer, _INODE_AT)
        return bool(inode == 0)


def _question(client: object, server: object) -> bytes | None:
    """Spell the request for one exact socket: the client's, whose peer we are."""
    if not isinstance(client, IPv4Address | IPv6Address) or not isinstance(server, IPv4Address | IPv6Address):
        return None
    try:
        theirs, ours = ipaddress.ip_address(client.host), ipaddress.ip_address(server.host)
    except ValueError:  # what a proxy has told of its client need be no address
        return None
    # An IPv4 client of an IPv6 socket has an IPv4 socket itself.
    theirs = getattr(theirs, "ipv4_mapped", None) or theirs
    ours = getattr(ours, "ipv4_mapped", None) or ours
    if not theirs.is_loopback or theirs.version != ours.version:
        return None
    family = socket.AF_INET if theirs.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
    sockets = _SOCKET_ID.pack(client.port, server.port, theirs.packed, ours.packed, 0, _NO_COOKIE)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES) + sockets
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + body
