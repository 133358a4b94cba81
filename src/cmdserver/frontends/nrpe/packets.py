"""NRPE's packets: a query out of bytes, and bytes out of a result. Pure; it knows neither commands nor sockets.

There is no document of the protocol. This is what check_nrpe and nrpe 4.1.0 send and accept (``include/common.h``,
``src/check_nrpe.c`` and ``src/nrpe.c`` of NagiosEnterprises/nrpe, and their bytes). All numbers are big-endian:

    version 2      version:2  type:2  crc32:4  result:2  buffer:1024  padding:2
    version 3      version:2  type:2  crc32:4  result:2  padding:2  length:4  buffer:length  padding:3
    version 4      version:2  type:2  crc32:4  result:2  padding:2  length:4  buffer:length

* The CRC is that of the whole packet, padding included, with zeros where the CRC stands.
* The buffer is text up to its first NUL. What is behind that means nothing: nrpe fills version 2 with random bytes, and
  check_nrpe makes its queries 1036 bytes long in all versions.
* Version 3 is padded as the C compiler pads the structure. Version 4 is version 3 without that.
* check_nrpe takes an answer of the version that it has asked in, and no other.
* An empty buffer of an answer lets check_nrpe wait for more until its time is up.
* A buffer of more than 65,536 bytes is refused by both.
"""

import zlib
from enum import Enum, IntEnum
from struct import Struct
from typing import Final

import msgspec

#: The longest buffer that check_nrpe takes in versions 3 and 4.
LONGEST_BUFFER: Final = 65_536
#: The buffer of version 2, always.
_V2_BUFFER: Final = 1024

#: How long a query of check_nrpe's is that has no room left.
_CUT: Final = (2046, 2047)

_COMMON: Final = Struct("!hhIh")
_LENGTH: Final = Struct("!hI")
_V2_BYTES: Final = _COMMON.size + _V2_BUFFER + 2
_HEADER_BYTES: Final = _COMMON.size + _LENGTH.size
_V3_PADDING: Final = 3
_CRC: Final = slice(4, 8)
_UNSIGNED: Final = Struct("!I")
_SHORT: Final = Struct("!h")


class Version(IntEnum):
    """A version of the packets; the first has been out of use since 2003."""

    V2 = 2
    V3 = 3
    V4 = 4

    @property
    def text_bytes(self) -> int:
        """How long the text of an answer may be, without its NUL."""
        return (_V2_BUFFER if self is Version.V2 else LONGEST_BUFFER) - 1


class Type(Enum):
    """What a packet is."""

    QUERY = 1
    ANSWER = 2


class BadPacket(Exception):  # noqa: N818 - a statement
    """The bytes are no query, and nothing that follows can be understood; the text says why, for people."""


class Packet(msgspec.Struct, frozen=True):
    """A packet of which everything has come."""

    version: Version
    #: Without the NUL that ends it, and without what is behind that.
    text: bytes
    #: Of an answer: a state, or an exit status.
    result: int = 0

    @property
    def may_be_cut(self) -> bool:
        """Whether check_nrpe may have left out the end of a query, of which it says nothing.

        It has room for 2,047 bytes, leaves out a value where no two of them are left, and copies 1,023 of them into
        version 2.
        """
        length = len(self.text)
        return length == _V2_BUFFER - 1 if self.version is Version.V2 else length in _CUT


def parse(data: bytes | bytearray, longest: int = LONGEST_BUFFER, kind: Type = Type.QUERY) -> Packet | None:
    """Read a packet from the bytes that have come so far; what is behind it is not looked at.

    Args:
        data: From the first byte of the connection on.
        longest: The longest buffer of versions 3 and 4 that is taken, in bytes.
        kind: What the packet has to be.

    Returns:
        None: More bytes have to come; never more than `longest` and a header.

    Raises:
        BadPacket: It can become none, whatever comes; said as soon as it is known, before anything long is waited for.
    """
    if len(data) < _SHORT.size:
        return None
    version = _version(data)
    if len(data) < _HEADER_BYTES:
        return None
    _, type_number, crc, result = _COMMON.unpack_from(data)
    if type_number != kind.value:
        raise BadPacket(f"a packet of type {kind.value} was expected, not of type {type_number}")
    start, end, size = _extent(data, version, longest)
    if len(data) < size:
        return None
    packet = bytearray(data[:size])
    packet[_CRC] = bytes(4)
    if zlib.crc32(packet) != crc:
        raise BadPacket("the checksum (CRC-32) is not that of the packet")
    return Packet(version, bytes(packet[start:end]).partition(b"\0")[0], result)


def serialize(packet: Packet, kind: Type = Type.ANSWER) -> bytes:
    """Spell a packet.

    Args:
        packet: Its text has neither a NUL in it nor more bytes than `Version.text_bytes`.
        kind: What it is.

    Raises:
        ValueError: It has, or the result is none of 16 bits.
    """
    version, text = packet.version, packet.text
    if len(text) > version.text_bytes or b"\0" in text:
        raise ValueError(f"no text of a packet of version {version}")
    if not -0x8000 <= packet.result < 0x8000:  # noqa: PLR2004 - 16 bits
        raise ValueError(f"no result: {packet.result}")
    spelled = bytearray(_COMMON.pack(version, kind.value, 0, packet.result))
    if version is Version.V2:
        spelled += text.ljust(_V2_BUFFER + 2, b"\0")
    else:
        spelled += _LENGTH.pack(0, len(text) + 1) + text + b"\0"
        spelled += bytes(_V3_PADDING if version is Version.V3 else 0)
    spelled[_CRC] = _UNSIGNED.pack(zlib.crc32(spelled))
    return bytes(spelled)


def version_of(data: bytes) -> Version:
    """Say in which version somebody is to be answered whose query has not come, or is not to be looked at.

    Args:
        data: The first bytes that they have sent; with none of a known version it is version 2, which the oldest speak.
    """
    try:
        return _version(data) if len(data) >= _SHORT.size else Version.V2
    except BadPacket:
        return Version.V2


def _version(data: bytes | bytearray) -> Version:
    (number,) = _SHORT.unpack_from(data)
    try:
        return Version(number)
    except ValueError:
        hint = "; it looks like TLS" if data[:2] == b"\x16\x03" else ""
        raise BadPacket(f"not a packet of NRPE of version 2, 3 or 4{hint}") from None


def _extent(data: bytes | bytearray, version: Version, longest: int) -> tuple[int, int, int]:
    """Return where the buffer begins and ends, and how long the packet is."""
    if version is Version.V2:
        return _COMMON.size, _COMMON.size + _V2_BUFFER, _V2_BYTES
    _, length = _LENGTH.unpack_from(data, _COMMON.size)
    if length > longest:
        raise BadPacket(f"a buffer of {length} bytes is announced, and may have {longest}")
    end = _HEADER_BYTES + length
    return _HEADER_BYTES, end, end + (_V3_PADDING if version is Version.V3 else 0)
