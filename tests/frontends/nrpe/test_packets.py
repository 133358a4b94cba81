"""Packets: those of check_nrpe and nrpe 4.1.0, those that we spell, and everything else."""

import contextlib
import zlib
from struct import pack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.frontends.nrpe.packets import (
    LONGEST_BUFFER,
    BadPacket,
    Packet,
    Type,
    Version,
    parse,
    serialize,
    version_of,
)

VERSIONS = st.sampled_from(Version)

#: The first bytes of what check_nrpe 4.1.0 has sent for ``-c foo -a a "" "b c"``; NUL up to 1036 bytes.
FOO = b"foo!a!!b c"
#: Sent by nrpe 4.1.0: ``echo hello``, in versions 2 and 4; in version 2 the last two bytes are random.
HELLO_V4 = bytes.fromhex("00040002ca99fe0d000000000000000668656c6c6f00")
HELLO_V2 = bytes.fromhex("00020002e84cb3d7000068656c6c6f") + bytes(1019) + b"7U"


def with_crc(packet: bytes) -> bytes:
    """Put the right checksum into a packet."""
    bare = packet[:4] + bytes(4) + packet[8:]
    return packet[:4] + pack("!I", zlib.crc32(bare)) + packet[8:]


def padded(version: Version, text: bytes, result: int = 0) -> bytes:
    """Spell a query as check_nrpe does: 1036 bytes in all versions."""
    length = {Version.V3: 1017, Version.V4: 1020}.get(version)
    if length is None:
        return with_crc(pack("!hhIh", 2, 1, 0, result) + text.ljust(1024, b"\0") + b"k5")
    return with_crc(pack("!hhIhhI", version, 1, 0, result, 0, length) + text.ljust(1020, b"\0"))


@pytest.mark.parametrize("version", Version)
def test_what_check_nrpe_sends(version: Version) -> None:
    """Each version is 1036 bytes long, whatever is asked, and read when the last of them has come."""
    sent = padded(version, FOO, result=0x595F)

    assert len(sent) == 1036
    assert [parse(sent[:length]) for length in range(1036)] == [None] * 1036
    assert parse(sent) == Packet(version, FOO, 0x595F)
    assert parse(sent + b"more") == parse(sent)


@pytest.mark.parametrize(("data", "version"), [(HELLO_V2, Version.V2), (HELLO_V4, Version.V4)])
def test_what_nrpe_sends(data: bytes, version: Version) -> None:
    """An answer of nrpe's own daemon."""
    assert parse(data, kind=Type.ANSWER) == Packet(version, b"hello")


def test_what_we_send() -> None:
    """Byte for byte what nrpe sends, where that is not random."""
    assert serialize(Packet(Version.V4, b"hello")) == HELLO_V4
    assert serialize(Packet(Version.V2, b"hello", 2)) == with_crc(b"\0\2\0\2....\0\2hello".ljust(1034, b"\0") + b"\0\0")
    assert serialize(Packet(Version.V3, b"hello")) == with_crc(b"\0\3\0\2....\0\0\0\0\0\0\0\6hello\0\0\0\0")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x16\x03\x01\x02\x00\x01", "it looks like TLS"),
        (b"GET / HTTP/1.0\r\n", "not a packet of NRPE"),
        (b"\0\1\0\1", "not a packet of NRPE of version 2, 3 or 4"),
        (b"\0\5\0\1", "not a packet of NRPE"),
        (HELLO_V4, "of type 1 was expected, not of type 2"),
        (with_crc(padded(Version.V4, FOO))[:-1] + b"x", "checksum"),
        (with_crc(padded(Version.V3, FOO))[:-1] + b"x", "checksum"),
        (with_crc(padded(Version.V2, FOO))[:-1] + b"x", "checksum"),
        (pack("!hhIhhI", 4, 1, 0, 0, 0, 1001), "1001 bytes is announced, and may have 1000"),
        (pack("!hhIhhi", 3, 1, 0, 0, 0, -1), "4294967295 bytes is announced"),
    ],
)
def test_what_is_no_query(data: bytes, why: str) -> None:
    """It is said why, as soon as that is known: of a length that is too long before any of it has come."""
    with pytest.raises(BadPacket, match=why):
        parse(data, longest=1000 if len(data) == 16 else LONGEST_BUFFER)


def test_every_bit_counts() -> None:
    """A packet with one wrong bit is no packet, wherever that is; of another length it may be the beginning of one."""
    for version in Version:
        sent = serialize(Packet(version, b"disk!80"), Type.QUERY)
        for at in range(len(sent)):
            wrong = bytearray(sent)
            wrong[at] ^= 1
            with contextlib.suppress(BadPacket):
                assert parse(wrong) is None


@given(st.binary(max_size=2000), st.integers(0, LONGEST_BUFFER))
@example(b"", 0)
@example(b"\0\4\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 0)
def test_any_bytes(data: bytes, longest: int) -> None:
    """Whatever comes is a packet, the beginning of one, or `BadPacket`."""
    with contextlib.suppress(BadPacket):
        parse(data, longest)
    version_of(data)


@given(VERSIONS, st.binary(max_size=3000), st.sampled_from(Type))
def test_any_body(version: Version, body: bytes, kind: Type) -> None:
    """The same behind a good header."""
    header = pack("!hhIhhI", version, kind.value, 0, 0, 0, len(body))
    with contextlib.suppress(BadPacket):
        parse(with_crc(header + body), kind=kind)


@given(
    VERSIONS,
    st.binary(max_size=1023).filter(lambda text: b"\0" not in text),
    st.integers(-0x8000, 0x7FFF),
    st.sampled_from(Type),
)
def test_what_is_spelled_is_read(version: Version, text: bytes, result: int, kind: Type) -> None:
    """There and back again."""
    packet = Packet(version, text, result)

    assert parse(serialize(packet, kind), kind=kind) == packet


def test_the_longest_texts() -> None:
    """As long as check_nrpe takes; what is longer, or ends in the middle, is a mistake of ours."""
    for version, longest in ((Version.V2, 1023), (Version.V3, 65_535), (Version.V4, 65_535)):
        assert version.text_bytes == longest
        packet = Packet(version, b"x" * longest)
        assert parse(serialize(packet), kind=Type.ANSWER) == packet
        for text, result in ((b"x" * (longest + 1), 0), (b"a\0b", 0), (b"", 0x8000)):
            with pytest.raises(ValueError, match="no "):
                serialize(Packet(version, text, result))


def test_what_may_be_cut() -> None:
    """check_nrpe cuts a query that is too long, and does not say so."""
    assert [length for length in range(3000) if Packet(Version.V4, b"x" * length).may_be_cut] == [2046, 2047]
    assert [length for length in range(1024) if Packet(Version.V2, b"x" * length).may_be_cut] == [1023]


def test_version_of_who_is_not_heard() -> None:
    """That of the first bytes, else the oldest."""
    assert version_of(b"\0\4\0\1") is Version.V4
    assert version_of(b"\0\3") is Version.V3
    assert [version_of(data) for data in (b"", b"\0", b"GE", b"\0\1")] == [Version.V2] * 4
