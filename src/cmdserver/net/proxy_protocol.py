"""The header of the PROXY protocol, versions 1 and 2, without any input or output: bytes in, a header out.

haproxy's ``proxy-protocol.txt`` is the specification. Twisted has a parser of it, which is not used: it refuses a
header that comes in more than one segment and the short ``PROXY UNKNOWN`` line, and takes whatever stands in the place
of an address, and 65,535 bytes of version 2.

Any bytes give a header, the wish for more bytes, or a ValueError.
"""

import re
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from msgspec import Struct
from twisted.internet import address
from twisted.internet.interfaces import IAddress

#: The longest line of version 1, its CR LF included (section 2.1).
MAX_LINE_BYTES: Final = 107
#: The most that may follow the first 16 bytes of version 2. Addresses take 216 at most, what proxies add (TLVs) some
#: hundred: a certificate's name, a host name of 255, a unique id of 128.
MAX_BLOCK_BYTES: Final = 4096

_LINE_START: Final = b"PROXY "
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_PREFIX: Final = struct.Struct("!12sBBH")
_PORT: Final = re.compile(rb"0|[1-9][0-9]{0,4}")

_LOCAL, _PROXY = 0, 1
_UNSPEC, _INET, _INET6, _UNIX = range(4)
#: By address family: both addresses and, if they have some, both ports.
_BLOCKS: Final = {
    _INET: struct.Struct("!4s4sHH"),
    _INET6: struct.Struct("!16s16sHH"),
    _UNIX: struct.Struct("!108s108s"),
}
#: UNSPEC, STREAM, DGRAM.
_TRANSPORTS: Final = range(3)


#: One end of a UNIX socket's connection; its path is of no use on another host.
UNIX: Final = address.UNIXAddress(None)


class Header(Struct, frozen=True):
    """What a proxy says of the connection that it passes on."""

    #: None for both: it says nothing, so that the connection is the proxy's own (a health check, say).
    client: IAddress | None = None
    #: Where the client has connected to.
    server: IAddress | None = None


def parse(received: bytes) -> tuple[Header, bytes] | None:
    """Read what a connection begins with.

    Args:
        received: All that has come so far.

    Returns:
        The header and the bytes behind it; None: more is needed, of at most `MAX_BLOCK_BYTES` and 16.

    Raises:
        ValueError: It begins with no header; the text, which is ASCII, says why.
    """
    if received.startswith(_LINE_START[: len(received)]):
        return _parse_line(received)
    if received.startswith(_SIGNATURE[: len(received)]):
        return _parse_block(received)
    raise ValueError("it does not begin with a PROXY header")


def _parse_line(received: bytes) -> tuple[Header, bytes] | None:
    """Read version 1 (section 2.1)."""
    end = received.find(b"\n", 0, MAX_LINE_BYTES)
    if end == -1:
        if len(received) >= MAX_LINE_BYTES:
            raise ValueError(f"the PROXY line is longer than {MAX_LINE_BYTES} bytes")
        return None
    line, rest = received[: end + 1], received[end + 1 :]
    if not line.endswith(b"\r\n"):
        raise ValueError("the PROXY line does not end in CR LF")
    _, protocol, *words = line.removesuffix(b"\r\n").split(b" ")
    if protocol == b"UNKNOWN":
        return Header(), rest  # whatever follows: "the receiver must ignore anything presented before the CRLF"
    if protocol not in {b"TCP4", b"TCP6"} or len(words) != 4:  # noqa: PLR2004 - two addresses, two ports
        raise ValueError("the PROXY line is not PROXY, TCP4 or TCP6, two addresses and two ports")
    kind = IPv4Address if protocol == b"TCP4" else IPv6Address
    client, server = (_internet(kind, words[each], words[each + 2]) for each in (0, 1))
    return Header(client, server), rest


def _internet(kind: type[IPv4Address | IPv6Address], host: bytes, port: bytes) -> IAddress:
    try:
        found = kind(host.decode("ascii")) if b"%" not in host else None  # a scope of the proxy's
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"the PROXY line has {ascii(host)[1:]} in the place of an address")
    if not _PORT.fullmatch(port) or int(port) > 0xFFFF:  # noqa: PLR2004 - the last port
        raise ValueError(f"the PROXY line has {ascii(port)[1:]} in the place of a port")
    return _tcp(found, int(port))


def _parse_block(received: bytes) -> tuple[Header, bytes] | None:
    """Read version 2 (section 2.2)."""
    if len(received) < _PREFIX.size:
        return None
    _, version_and_command, family_and_transport, length = _PREFIX.unpack_from(received)
    version, command = divmod(version_and_command, 16)
    if version != 2 or command not in {_LOCAL, _PROXY}:  # noqa: PLR2004 - version 2
        raise ValueError(f"the PROXY header has an unknown version and command, 0x{version_and_command:02x}")
    if length > MAX_BLOCK_BYTES:
        raise ValueError(f"the PROXY header has {length} bytes; more than {MAX_BLOCK_BYTES} are not taken")
    end = _PREFIX.size + length
    if len(received) < end:
        return None
    block, rest = received[_PREFIX.size : end], received[end:]
    return (Header() if command == _LOCAL else _addresses(family_and_transport, block)), rest


def _addresses(family_and_transport: int, block: bytes) -> Header:
    """Read what version 2 says of both ends; what is behind (TLVs) is not looked at."""
    family, transport = divmod(family_and_transport, 16)
    if family not in range(4) or transport not in _TRANSPORTS:
        raise ValueError(f"the PROXY header has an unknown family and transport, 0x{family_and_transport:02x}")
    if _UNSPEC in {family, transport}:
        return Header()
    layout = _BLOCKS[family]
    if len(block) < layout.size:
        raise ValueError(f"the PROXY header has {len(block)} bytes in the place of addresses, not {layout.size}")
    if family == _UNIX:
        return Header(UNIX, UNIX)
    client, server, client_port, server_port = layout.unpack_from(block)
    kind = IPv4Address if family == _INET else IPv6Address
    return Header(_tcp(kind(client), client_port), _tcp(kind(server), server_port))


def _tcp(host: IPv4Address | IPv6Address, port: int) -> IAddress:
    return (address.IPv4Address if host.version == 4 else address.IPv6Address)("TCP", str(host), port)  # noqa: PLR2004
