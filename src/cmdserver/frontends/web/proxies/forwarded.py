"""Whose a request is that came through proxies: what ``Forwarded`` (RFC 7239) and ``X-Forwarded-…`` say.

Each proxy appends who has called it, and passes on what was there before, which anybody may have made up. So the
elements are read from the right, and each counts because of the one behind it: as long as an address is that of a
proxy that is trusted, the element before it is that proxy's word. The source is the first address that is not.

Most proxies know one of the two fields and pass the other one on as it came: whichever were preferred, a client could
send that one through a proxy that writes the other. So both count, and a request in which they disagree is refused: a
client that makes one up gets nothing but that.

Rule of this file: pure. Whether the peer itself is trusted was asked before.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from cmdserver.core.addresses import TrustedProxies, parse_address
from cmdserver.core.errors import Malformed

#: Returns the values of a request's header field, by its name.
Values = Callable[[bytes], Sequence[bytes] | None]

#: A pair of an element, if there is one, and what ends it (RFC 7239, section 4). An IPv6 address belongs into quotes,
#: and many proxies do without.
_PART: Final = re.compile(
    rb"[ \t]*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^\",;\s]*))[ \t]*)?([,;]|\Z)"
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
#: A node with a port, perhaps an obfuscated one (RFC 7239, section 6), or an IPv6 address without brackets.
_NODE: Final = re.compile(
    r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<ipv4>[0-9.]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
    r"|(?P<ipv6>[0-9A-Fa-f:.]+)"
)


class Hop(NamedTuple):
    """What one proxy says of who has called it."""

    #: As it says it.
    node: bytes
    #: How it was called, ``http`` or ``https``, and by which name; empty if it does not say.
    proto: bytes = b""
    host: bytes = b""

    @property
    def address(self) -> str | None:
        """The IP address that called; None if that is hidden, unknown, or cannot be read."""
        found = _NODE.fullmatch(self.node.decode("latin-1"))
        address = None if found is None else parse_address(found["bracketed"] or found["ipv4"] or found["ipv6"])
        return None if address is None else str(address)


class Forwarded(Struct, frozen=True, kw_only=True):
    """Who has called the outermost of the trusted proxies, and how."""

    source: str
    #: ``http`` or ``https``; empty if nobody says.
    proto: bytes = b""
    #: The ``Host`` of that call; empty if nobody says.
    host: bytes = b""
    #: What ended the search, if it was no address; then the source is the last proxy that is known.
    unreadable: bytes | None = None


def read(peer: str, values: Values, trusted: TrustedProxies) -> Forwarded:
    """Find out whose a request is.

    Args:
        peer: Who is connected: a proxy that is trusted.
        values: The request's header fields.
        trusted: Whose word counts.

    Returns:
        The source is the peer's, or an address that a trusted proxy has appended, whatever a client sends.

    Raises:
        Malformed: ``Forwarded`` cannot be read, or the two fields disagree.
    """
    standard, usual = values(b"forwarded"), values(b"x-forwarded-for")
    protos, hosts = _listed(values(b"x-forwarded-proto")), _listed(values(b"x-forwarded-host"))
    found = _walk(peer, _standard(standard), trusted) if _says_something(standard) else None
    nodes = _listed(usual)
    other = _walk(peer, _usual(nodes, protos, hosts), trusted)
    if found is None:
        return other
    _require_same("X-Forwarded-For", found.source, other.source if nodes else "")
    _require_same("X-Forwarded-Proto", found.proto.decode("latin-1"), other.proto.decode("latin-1"))
    _require_same("X-Forwarded-Host", found.host.decode("latin-1"), other.host.decode("latin-1"))
    return Forwarded(
        source=found.source,
        proto=found.proto or other.proto,
        host=found.host or other.host,
        unreadable=found.unreadable,
    )


def _require_same(name: str, standard: str, usual: str) -> None:
    if standard and usual and standard != usual:
        text = f"Forwarded and {name} disagree: the proxy is to remove the one that it does not write"
        raise Malformed(text)


def _says_something(values: Sequence[bytes] | None) -> bool:
    return values is not None and any(value.strip(b", \t") for value in values)


def _walk(peer: str, hops: Sequence[Hop], trusted: TrustedProxies) -> Forwarded:
    """Go from the peer outwards, over trusted proxies, to the first address that is none."""
    source, hop = peer, Hop(b"")
    for hop in reversed(hops):
        address = hop.address
        if address is None:
            return Forwarded(source=source, proto=hop.proto, host=hop.host, unreadable=hop.node or None)
        source = address
        if not trusted.include(source):
            break
    return Forwarded(source=source, proto=hop.proto, host=hop.host)


def _usual(nodes: Sequence[bytes], protos: Sequence[bytes], hosts: Sequence[bytes]) -> Sequence[Hop]:
    """Put the three fields together, from the right: a proxy may overwrite one and append to another."""
    count = max(len(nodes), 1)
    rows = (_aligned(nodes, count), _aligned(protos, count), _aligned(hosts, count))
    return [Hop(node, _proto(proto), host.lower()) for node, proto, host in zip(*rows, strict=True)]


def _aligned(values: Sequence[bytes], count: int) -> Sequence[bytes]:
    """Return so many values, the last for the last; where there are fewer, the first stands for those before it."""
    first = values[0] if values else b""
    return [*[first] * (count - len(values)), *values[len(values) - count if len(values) > count else 0 :]]


def _listed(values: Sequence[bytes] | None) -> Sequence[bytes]:
    """Split a field at its commas; empty elements do not count (RFC 9110, section 5.6.1.2)."""
    parts = b",".join(values).split(b",") if values else []
    return [part for each in parts if (part := each.strip(b" \t"))]


def _proto(text: bytes) -> bytes:
    lower = text.lower()
    return lower if lower in {b"http", b"https"} else b""


def _standard(values: Sequence[bytes] | None) -> Sequence[Hop]:
    """Read ``Forwarded``.

    Raises:
        Malformed: It cannot be read to its end. A quote that a client has opened would swallow what proxies append.
    """
    text = b",".join(values or ())
    found: list[Hop] = []
    pairs: dict[bytes, bytes] = {}
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise Malformed("the Forwarded header is not as RFC 7239 has it")
        position = part.end()
        if part[1] is not None:
            name = part[1].lower()
            if name in pairs:
                raise Malformed(f"the Forwarded header has {name.decode('ascii')} twice in one element")
            pairs[name] = part[3] if part[2] is None else _ESCAPED.sub(rb"\1", part[2])
        if pairs and part[4] != b";":
            found.append(_hop(pairs))
            pairs = {}
    return [*found, _hop(pairs)] if pairs else found


def _hop(pairs: dict[bytes, bytes]) -> Hop:
    return Hop(pairs.get(b"for") or b"unknown", _proto(pairs.get(b"proto", b"")), pairs.get(b"host", b"").lower())
