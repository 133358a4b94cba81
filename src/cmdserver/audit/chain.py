"""The chain of an audit file: each line has the hash of the line before it and of itself.

A line ends with ``,"chain":"HEX"}``. HEX is the SHA-256 of the line before it, without its line feed, followed by the
line itself as it would be without that member; before the first line of all stand 64 zeros. So a line cannot be
changed, left out or put elsewhere without every later value being wrong. No key is involved: whoever may write the file
can make all values anew from some line on, and only a copy elsewhere tells.
"""

import re
from hashlib import sha256
from typing import Final

from msgspec import Struct

#: What stands for the line before the first.
GENESIS: Final = b"0" * 64

_MEMBER: Final = re.compile(rb',"chain":"([0-9a-f]{64})"}\Z')
_MEMBER_BYTES: Final = len(b',"chain":""}') + 64


class Sealed(Struct, frozen=True):
    """A line with a chain value, taken apart."""

    #: The line without the member: what is hashed.
    bare: bytes
    #: Hexadecimal.
    value: bytes

    def follows(self, before: bytes) -> bool:
        """Whether it was written behind a line, or behind `GENESIS`."""
        return self.value == chain_value(before, self.bare)


def chain_value(before: bytes, bare: bytes) -> bytes:
    """Hash a line.

    Args:
        before: The line before it, or `GENESIS`.
        bare: The line without a chain value; neither has a line feed.
    """
    digest = sha256(before)
    digest.update(bare)
    return digest.hexdigest().encode()


def sealed(before: bytes, bare: bytes) -> bytes:
    """Add the chain value to a line, which is a JSON object with at least one member."""
    return b'%b,"chain":"%b"}' % (bare[:-1], chain_value(before, bare))


def take_apart(line: bytes) -> Sealed | None:
    """Find the chain value of a line; None if it has none."""
    found = _MEMBER.search(line, max(0, len(line) - _MEMBER_BYTES))
    return Sealed(line[: found.start()] + b"}", found[1]) if found is not None else None


class Tail(Struct, frozen=True):
    """What the next line is written behind."""

    #: The last line, without its line feed, however much of it there is.
    line: bytes = GENESIS
    #: Whether its line feed is missing in the file: a disk was full, or a host died.
    is_torn: bool = False

    def after(self, written: bytes) -> "Tail":
        """Return the tail after a write, which may have been a part of what was meant; behind a torn line it begins
        with a line feed.
        """
        if not written:
            return self
        if self.is_torn:
            return Tail(self.line).after(written[1:])
        is_torn = not written.endswith(b"\n")
        lines = written if is_torn else written[:-1]
        return Tail(lines[lines.rfind(b"\n") + 1 :], is_torn)
