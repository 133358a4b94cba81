"""How payloads become packets and packets payloads, RFC 4253 section 6.

Rule: whatever is wrong with a packet is the same `PacketCorrupt`, so that no answer tells *what* was wrong.
"""

import os
from collections.abc import Callable
from typing import Final

#: What ``packet_length`` may be at most. RFC 4253 section 6.1 asks for whole packets of 35,000 bytes; nobody sends
#: longer ones than the channels' maximum, which is 32 KiB in Conch and OpenSSH. OpenSSH takes 256 KiB, and would
#: buffer as much for each stranger.
MAX_PACKET_LENGTH: Final = 35_000
#: The field ``packet_length`` itself.
LENGTH_BYTES: Final = 4
#: Of packets before the first key exchange (section 6: "or 8, whichever is larger").
PLAIN_BLOCK_BYTES: Final = 8
#: From section 6: padding has at least four bytes; and OpenSSH's packets have no more than are needed.
MIN_PADDING_BYTES: Final = 4
#: The least ``packet_length``: of a padding length, one byte of payload and the padding.
_SHORTEST: Final = 2 + MIN_PADDING_BYTES
#: Sequence numbers are uint32 and wrap around (section 6.4).
SEQUENCE_NUMBERS: Final = 1 << 32


class PacketCorrupt(Exception):  # noqa: N818
    """A packet has an impossible length, a wrong tag or impossible padding; its connection cannot go on."""


class Protection:
    """Protects one direction under one key: seals what is sent in it, or opens what is received.

    Args:
        random: Gives that many unforeseeable bytes, for padding.
    """

    __slots__ = ("_random",)
    #: What ``packet_length`` is a multiple of, after `unpadded_bytes` were added.
    block_bytes: int
    #: How much of the length field is part of what is padded to blocks: 4 or 0.
    unpadded_bytes = 0
    #: What follows the packet.
    tag_bytes: int

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random

    def seal(self, sequence: int, payload: bytes) -> bytes:
        """Make the next packet, tag included, of the message number and the message."""
        raise NotImplementedError

    def length(self, sequence: int, field: bytes) -> int:  # noqa: ARG002
        """Read ``packet_length``, not yet verified, from a packet's first four bytes; once, as a key stream goes on."""
        return int.from_bytes(field, "big")

    def open(self, sequence: int, packet: bytes) -> bytes:
        """Verify the whole packet, whose length has been read, and open it.

        Returns:
            The padding's length, the payload and the padding.

        Raises:
            PacketCorrupt: It is not what the peer has sealed.
        """
        raise NotImplementedError


class Plain(Protection):
    """Packets before the first key exchange: neither secret nor authentic."""

    __slots__ = ()
    block_bytes = PLAIN_BLOCK_BYTES
    unpadded_bytes = LENGTH_BYTES
    tag_bytes = 0

    def seal(self, sequence: int, payload: bytes) -> bytes:  # noqa: ARG002
        length, body = pad(payload, block=self.block_bytes, counted=LENGTH_BYTES, random=self._random)
        return length + body

    def open(self, sequence: int, packet: bytes) -> bytes:  # noqa: ARG002
        return packet[LENGTH_BYTES:]


def pad(payload: bytes, *, block: int, counted: int, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """Put padding after a payload, and its length before it.

    Args:
        payload: The message number and the message.
        block: What the padded length is to be a multiple of, in bytes.
        counted: How much of the length field is padded with the rest: 4, or 0 where it stays outside.
        random: Gives that many unforeseeable bytes.

    Returns:
        The length field; and the padding's length, the payload and the padding.
    """
    size = 1 + len(payload)
    padding = block - (counted + size) % block
    if padding < MIN_PADDING_BYTES:
        padding += block
    return (size + padding).to_bytes(LENGTH_BYTES, "big"), bytes((padding,)) + payload + random(padding)


def unpad(body: bytes) -> bytes:
    """Take the padding away, of what was verified; the payload has at least the message number.

    Raises:
        PacketCorrupt: There is less padding than the RFC asks for, or nothing else.
    """
    padding = body[0]
    end = len(body) - padding
    if padding < MIN_PADDING_BYTES or end <= 1:
        raise PacketCorrupt
    return body[1:end]


class PacketBuffer:
    """What was received and is not yet a packet.

    Holds no more than one unfinished packet between two calls of `feed`; each byte is moved a bounded number of times,
    whatever the sizes in which bytes come.
    """

    __slots__ = ("_bytes", "_length", "_limit", "_start")

    def __init__(self, limit: int = MAX_PACKET_LENGTH) -> None:
        self._bytes = bytearray()
        self._start = 0
        self._length: int | None = None  # of the packet at the start: to decrypt it once is enough
        self._limit = limit

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        if self._start:
            del self._bytes[: self._start]
            self._start = 0
        self._bytes += data

    def next(self, opener: Protection, sequence: int) -> bytes | None:
        """Take the next packet, protected so and with this number; return its payload, or None if more is needed.

        Raises:
            PacketCorrupt: There cannot be such a packet.
        """
        available = len(self._bytes) - self._start
        if self._length is None:
            if available < LENGTH_BYTES:
                return None
            length = opener.length(sequence, self._slice(LENGTH_BYTES))
            if not _SHORTEST <= length <= self._limit or (length + opener.unpadded_bytes) % opener.block_bytes:
                raise PacketCorrupt
            self._length = length
        size = LENGTH_BYTES + self._length + opener.tag_bytes
        if available < size:
            return None
        packet = self._slice(size)
        self._start += size
        self._length = None
        return unpad(opener.open(sequence, packet))

    def _slice(self, size: int) -> bytes:
        with memoryview(self._bytes) as view:
            return bytes(view[self._start : self._start + size])
