"""When keys have been used enough: RFC 4253 section 9, RFC 4344 section 3, and what OpenSSH does."""

from typing import Final

from msgspec import Struct

#: After so many packets under one key the next could have a nonce that was used: sequence numbers are uint32, and
#: ChaCha20's nonce is nothing else. What is left is for saying goodbye.
MOST_PACKETS: Final = (1 << 32) - 16


class RekeyLimits(Struct, frozen=True, kw_only=True):
    """After what a new key exchange is asked for."""

    #: Bytes in one direction. 1 GiB is what RFC 4253 recommends and what OpenSSH does for ChaCha20; OpenSSH lets AES go
    #: on to 64 GiB, as RFC 4344 allows.
    size: int = 1 << 30
    #: In one direction; as in OpenSSH, and RFC 4344 section 3.1.
    packets: int = 1 << 31
    #: Since the last one. An hour is what RFC 4253 recommends; OpenSSH has no limit.
    seconds: float = 3600.0


class KeyUse:
    """What one key has protected.

    Args:
        limits: After what it should be changed.
        now: When it came into use, in seconds of any clock that never goes back.
    """

    __slots__ = ("_limits", "_packets", "_since", "_size")

    def __init__(self, limits: RekeyLimits, now: float) -> None:
        self._limits = limits
        self._since = now
        self._packets = 0
        self._size = 0

    def count(self, size: int) -> None:
        """Count a packet of that many bytes."""
        self._packets += 1
        self._size += size

    def is_spent(self, now: float) -> bool:
        """Tell whether it is time for another key."""
        limits = self._limits
        return self._size >= limits.size or self._packets >= limits.packets or now - self._since >= limits.seconds

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing may be protected with this key any more, come what may."""
        return self._packets >= MOST_PACKETS
