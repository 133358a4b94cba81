"""The PROXY protocol's header: what proxies send, in whatever pieces, and what is none."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import address

from cmdserver.net.proxy_protocol import MAX_BLOCK_BYTES, MAX_LINE_BYTES, UNIX, Header, parse
from tests.doubles import LAW

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = Header(address.IPv4Address("TCP", "203.0.113.9", 40000), address.IPv4Address("TCP", "192.0.2.1", 443))
V6 = Header(address.IPv6Address("TCP", "2001:db8::9", 40000), address.IPv6Address("TCP", "::1", 443))
NOTHING = Header()

TCP4 = IPv4Address("203.0.113.9").packed + IPv4Address("192.0.2.1").packed + struct.pack("!HH", 40000, 443)
TCP6 = IPv6Address("2001:db8::9").packed + IPv6Address("::1").packed + struct.pack("!HH", 40000, 443)
#: PP2_TYPE_AUTHORITY, PP2_TYPE_NOOP
TLVS = b"\2\0\x0bexample.com" + b"\4\0\3xyz"


def v2(command: int, family: int, block: bytes, length: int | None = None) -> bytes:
    """Spell version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


GOOD = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n", V4),
    (b"PROXY TCP6 2001:db8::9 ::1 40000 443\r\n", V6),
    (b"PROXY TCP6 2001:DB8:0:0:0:0:0:9 ::1 40000 443\r\n", V6),
    (b"PROXY TCP4 1.2.3.4 1.2.3.4 0 65535\r\n", None),
    (b"PROXY UNKNOWN\r\n", NOTHING),
    (b"PROXY UNKNOWN \r\n", NOTHING),
    (b"PROXY UNKNOWN 203.0.113.9 192.0.2.1 40000 443\r\n", NOTHING),
    (b"PROXY UNKNOWN" + b" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" * 2 + b" 65535 65535\r\n", NOTHING),
    (b"PROXY UNKNOWN \xff\0\r\x1b\r\n", NOTHING),
    (v2(0x21, 0x11, TCP4), V4),
    (v2(0x21, 0x12, TCP4), V4),
    (v2(0x21, 0x21, TCP6), V6),
    (v2(0x21, 0x11, TCP4 + TLVS), V4),
    (v2(0x21, 0x21, TCP6 + bytes(MAX_BLOCK_BYTES - len(TCP6))), V6),
    (v2(0x21, 0x31, b"/run/a".ljust(108, b"\0") * 2), Header(UNIX, UNIX)),
    (v2(0x21, 0x00, b""), NOTHING),
    (v2(0x21, 0x01, TCP4), NOTHING),
    (v2(0x21, 0x10, TCP4), NOTHING),
    (v2(0x20, 0x00, b""), NOTHING),
    (v2(0x20, 0x11, TCP4 + TLVS), NOTHING),
    (v2(0x20, 0xFF, b"abc"), NOTHING),
]


@pytest.mark.parametrize(("header", "meaning"), GOOD)
def test_in_one_piece(header: bytes, meaning: Header | None) -> None:
    """What follows is the client's, to the byte; nothing less is a header."""
    assert parse(header) is not None
    for rest in (b"", b"uptime\n", b"PROXY UNKNOWN\r\n", bytes(300)):
        parsed = parse(header + rest)
        assert parsed is not None
        assert parsed[1] == rest
        assert meaning is None or parsed[0] == meaning


@pytest.mark.parametrize(("header", "meaning"), GOOD)
def test_in_two_pieces(header: bytes, meaning: Header | None) -> None:
    """Wherever it is cut, more is asked for, and with the last byte it is complete."""
    del meaning
    assert [parse(header[:cut]) for cut in range(len(header))] == [None] * len(header)


@pytest.mark.parametrize(
    ("received", "complaint"),
    [
        (b"uptime\n", "does not begin with a PROXY header"),
        (b"G", "does not begin with a PROXY header"),
        (b"PROXYTCP4", "does not begin with a PROXY header"),
        (b"proxy TCP4", "does not begin with a PROXY header"),
        (b"\r\n\r\n\0\r\nQUIT\r", "does not begin with a PROXY header"),
        (b"PROXY \r\n", "is not PROXY, TCP4 or TCP6"),
        (b"PROXY UNKNOWNX\r\n", "is not PROXY, TCP4 or TCP6"),
        (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n", "is not PROXY, TCP4 or TCP6"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "is not PROXY, TCP4 or TCP6"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n", "is not PROXY, TCP4 or TCP6"),
        (b"PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n", "is not PROXY, TCP4 or TCP6"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", "does not end in CR LF"),
        (b"PROXY UNKNOWN\n", "does not end in CR LF"),
        (b"PROXY TCP4 ::1 1.2.3.4 1 1\r\n", "'::1' in the place of an address"),
        (b"PROXY TCP6 1.2.3.4 ::1 1 1\r\n", "'1.2.3.4' in the place of an address"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.04 1 1\r\n", "'1.2.3.04' in the place of an address"),
        (b"PROXY TCP4 1.2.3.4\x1b[2J 1.2.3.4 1 1\r\n", r"'1.2.3.4\\x1b\[2J' in the place of an address"),
        (b"PROXY TCP4 \xb2.2.3.4 1.2.3.4 1 1\r\n", r"'\\xb2.2.3.4' in the place of an address"),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n", "'fe80::1%eth0' in the place of an address"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "'65536' in the place of a port"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 01\r\n", "'01' in the place of a port"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n", r"'\+1' in the place of a port"),
        (b"PROXY UNKNOWN " + b"x" * (MAX_LINE_BYTES - 14), "longer than 107 bytes"),
        (b"PROXY UNKNOWN " + b"x" * (MAX_LINE_BYTES - 15) + b"\r\n", "longer than 107 bytes"),
        (v2(0x11, 0x11, TCP4), "unknown version and command, 0x11"),
        (v2(0x22, 0x11, TCP4), "unknown version and command, 0x22"),
        (v2(0x21, 0x41, TCP4), "unknown family and transport, 0x41"),
        (v2(0x21, 0x13, TCP4), "unknown family and transport, 0x13"),
        (v2(0x21, 0x03, b""), "unknown family and transport, 0x03"),
        (v2(0x21, 0x11, TCP4[:-1]), "11 bytes in the place of addresses, not 12"),
        (v2(0x21, 0x21, TCP4), "12 bytes in the place of addresses, not 36"),
        (v2(0x21, 0x31, bytes(215)), "215 bytes in the place of addresses, not 216"),
        (v2(0x21, 0x11, b"", length=MAX_BLOCK_BYTES + 1), "has 4097 bytes; more than 4096 are not taken"),
        (v2(0x20, 0x00, b"", length=0xFFFF), "has 65535 bytes"),
    ],
)
def test_what_is_none(received: bytes, complaint: str) -> None:
    """It is refused as soon as it is known to be none, with a reason that acts on no terminal."""
    with pytest.raises(ValueError, match=complaint) as raised:
        parse(received)
    assert str(raised.value).isascii()
    assert str(raised.value).isprintable()


def outcome(received: bytes) -> Header | str | None:
    """Say what comes of bytes; of a header, without what follows."""
    try:
        parsed = parse(received)
    except ValueError as error:
        return str(error)
    return None if parsed is None else parsed[0]


anything = st.one_of(
    st.binary(),
    st.builds(bytes.__add__, st.sampled_from([each for each, _ in GOOD]), st.binary()),
    st.builds(bytes.__add__, st.sampled_from([b"PROXY TCP4 ", b"PROXY TCP6 ::1 ", SIGNATURE + b"\x21"]), st.binary()),
)


@LAW
@given(anything)
def test_any_bytes(received: bytes) -> None:
    """Any bytes are a header, the wish for more, or refused, however they are cut; more is asked for within bounds."""
    seen = [outcome(received[:end]) for end in range(len(received) + 1)]
    decided = [each for each in seen if each is not None]

    assert seen[: len(seen) - len(decided)] == [None] * (len(seen) - len(decided))
    assert decided == [outcome(received)] * len(decided)
    if not decided:
        assert len(received) < 16 + MAX_BLOCK_BYTES
