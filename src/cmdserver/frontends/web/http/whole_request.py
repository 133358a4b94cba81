"""A request that has come in one piece and has no body, as most have: read with one look, or not at all.

What is accepted here is a part of what Twisted's parser accepts, with the same meaning; everything else is that
parser's to accept or refuse, and nothing is refused here. That is so on purpose: two readings of one request are how
requests are smuggled (RFC 9112, section 11.2).
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

#: Longer ones are no ordinary requests.
_MOST_BYTES: Final = 4096
_MOST_FIELDS: Final = 50

#: A method without a body, a target of visible ASCII, and fields of tokens and of values without control characters but
#: the tab (RFC 9110, section 5.5). No line begins with a blank, which would continue the one before.
_HEAD: Final = re.compile(
    rb"(GET|HEAD) ([!-~]+) HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n)*+)\r\n"
)
#: What says how the body is sent, or that the client waits, or wants to speak something else.
_NOT_HERE: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer"})
_KEPT: Final = [b"keep-alive"]
_CLOSED: Final = [b"close"]

_lower = lru_cache(maxsize=256)(bytes.lower)


class RequestFields:
    """The fields of a request, asked for as those of `twisted.web.http_headers.Headers` are.

    Args:
        fields: Values by names in lower case.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[bytes, list[bytes]]) -> None:
        self._fields = fields

    def getRawHeaders(self, name: bytes, default: Sequence[bytes] | None = None) -> Sequence[bytes] | None:
        """Return the values of a field; None, or the default, if there is none."""
        name = _lower(name)
        return self._fields[name] if name in self._fields else default  # noqa: SIM401 - a call less

    def hasHeader(self, name: bytes) -> bool:
        """Whether there is a field."""
        return _lower(name) in self._fields


class WholeRequest(NamedTuple):
    """A request."""

    method: bytes
    target: bytes
    fields: Mapping[bytes, list[bytes]]
    #: Whether the client wants no other answer on this connection.
    is_last: bool


def read_whole(data: bytes) -> WholeRequest | None:
    """Read a request; None if these bytes are anything but one request that is a plain one."""
    if len(data) > _MOST_BYTES or (found := _HEAD.fullmatch(data)) is None:
        return None
    fields: dict[bytes, list[bytes]] = {}
    lines = found[3].split(b"\r\n")
    if len(lines) > _MOST_FIELDS:
        return None
    for line in lines[:-1]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    if not _NOT_HERE.isdisjoint(fields):
        return None
    connection = fields.get(b"connection", _KEPT)
    if connection not in (_KEPT, _CLOSED):
        return None
    return WholeRequest(found[1], found[2], fields, is_last=connection == _CLOSED)
