"""Telnet's commands, taken out of lines: what is answered, what is dropped, and what is left as it is."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Malformed
from cmdserver.frontends.line.telnet import MOST_COMMANDS, Interrupt, Received, Reply, Telnet, Text
from tests.doubles import LAW

IAC, NOP, AYT, IP, AO, DM, BRK, ABORT = (
    b"\xff",
    b"\xff\xf1",
    b"\xff\xf6",
    b"\xff\xf4",
    b"\xff\xf5",
    b"\xff\xf2",
    b"\xff\xf3",
    b"\xff\xee",
)
WILL, WONT, DO, DONT = b"\xff\xfb", b"\xff\xfc", b"\xff\xfd", b"\xff\xfe"
SB, SE = b"\xff\xfa", b"\xff\xf0"
TIMING_MARK = b"\x06"

#: What PuTTY begins with: NAWS, TERMINAL-SPEED, TERMINAL-TYPE, NEW-ENVIRON, ECHO, SUPPRESS-GO-AHEAD.
PUTTY = WILL + b"\x1f" + WILL + b"\x20" + WILL + b"\x18" + WILL + b"\x27" + DO + b"\x01" + WILL + b"\x03" + DO + b"\x03"


def merged(received: list[Received]) -> list[Received]:
    """Put texts that follow each other together."""
    result: list[Received] = []
    for each in received:
        if isinstance(each, Text) and result and isinstance(result[-1], Text):
            result[-1] = Text(result[-1].data + each.data)
        else:
            result.append(each)
    return result


def taken(*pieces: bytes) -> list[Received]:
    """Feed pieces to a new one, to the end."""
    telnet = Telnet()
    received = [each for piece in pieces for each in telnet.feed(piece)]
    rest = telnet.finish()
    return merged([*received, Text(rest)] if rest else received)


def text_of(*pieces: bytes) -> bytes:
    """What is left of them."""
    return b"".join(each.data for each in taken(*pieces) if isinstance(each, Text))


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"uptime\r\n", [Text(b"uptime\r\n")]),
        (
            PUTTY + b"uptime\r\n",
            [
                *map(
                    Reply,
                    (
                        DONT + b"\x1f",
                        DONT + b"\x20",
                        DONT + b"\x18",
                        DONT + b"\x27",
                        WONT + b"\x01",
                        DONT + b"\x03",
                        WONT + b"\x03",
                    ),
                ),
                Text(b"uptime\r\n"),
            ],
        ),
        (b"up" + NOP + b"time\n", [Text(b"uptime\n")]),
        (b"up" + WILL + b"\x01" + b"time\n", [Text(b"up"), Reply(DONT + b"\x01"), Text(b"time\n")]),
        (NOP + WONT + b"\x01" + DONT + b"\x01", []),
        (DONT + b"alice\n", [Text(DONT + b"alice\n")]),
        (WONT + b"\n", [Text(WONT + b"\n")]),
        ("\ufeffdf".encode("utf-16-le"), [Text("\ufeffdf".encode("utf-16-le"))]),
        ("\ufeffdf".encode("utf-16-be"), [Text("\ufeffdf".encode("utf-16-be"))]),
        (DO + b"\x01" + WILL + b"\x01" + DO + b"\x01", [Reply(WONT + b"\x01"), Reply(DONT + b"\x01")]),
        (b"df" + IP + DO + TIMING_MARK + b"x", [Text(b"df"), Interrupt(), Reply(WILL + TIMING_MARK), Text(b"x")]),
        (2 * (DO + TIMING_MARK), 2 * [Reply(WILL + TIMING_MARK)]),
        (WILL + TIMING_MARK, [Reply(DONT + TIMING_MARK)]),
        (NOP + DONT + TIMING_MARK, []),
        (BRK + ABORT + IP, [Interrupt()] * 3),
        (AO + DM + NOP + SE + b"\xff\xf7\xff\xf8\xff\xf9\xff\xec\xff\xed\xff\xef", []),
        (AYT, [Reply(b"\r\n[Yes]\r\n")]),
        (IAC + IAC, [Text(IAC)]),
        (SB + b"\x18\x00XTERM" + SE + b"df", [Text(b"df")]),
        (SB + b"\x27" + IAC + IAC + b"\x03" + IP + SE + b"df", [Text(b"df")]),
        (SB + b"never ends\n", []),
        (NOP + b"df\x03uptime", [Text(b"df"), Interrupt(), Text(b"uptime")]),
        (NOP + b"df\r\0uptime\r\n", [Text(b"df\r\nuptime\r\n")]),
        (NOP + b"df\r" + NOP + b"\0x", [Text(b"df\r\nx")]),
        (NOP + b"\0x\0", [Text(b"\0x\0")]),
        (NOP + b"x\r" + IAC + IAC + b"\0", [Text(b"x\r\xff\0")]),
        (NOP + b"x\r" + IP + b"\0", [Text(b"x\r"), Interrupt(), Text(b"\0")]),
        # Not before the client has shown that it speaks telnet.
        (b"\x03\r\0" + IP, [Text(b"\x03\r\0"), Interrupt()]),
        (b"x\r" + NOP + b"\0", [Text(b"x\r\0")]),
        # No commands: what cannot be UTF-8 stays, and is told so.
        (IAC + b"\n", [Text(IAC + b"\n")]),
        (b"caf\xe9 \xff\x03\r\0", [Text(b"caf\xe9 \xff\x03\r\0")]),
        (b"x" + IAC, [Text(b"x" + IAC)]),
        (b"x" + WILL, [Text(b"x" + WILL)]),
        (SB + b"x" + IAC, []),
    ],
)
def test_what_comes_out(sent: bytes, received: list[Received]) -> None:
    """In one piece, and byte by byte."""
    assert taken(sent) == received
    assert taken(*(bytes([each]) for each in sent)) == received


#: Bytes that mean something here come often.
streams = st.lists(
    st.one_of(
        st.sampled_from(
            [
                IAC,
                NOP,
                AYT,
                IP,
                SB,
                SE,
                WILL,
                DO,
                DONT,
                DO + TIMING_MARK,
                b"\r",
                b"\0",
                b"\n",
                b"\x03",
                b"\xec",
                b"\xeb",
            ]
        ),
        st.binary(max_size=3),
    ),
    max_size=40,
).map(b"".join)


@LAW
@given(streams, st.lists(st.integers(0, 200), max_size=6))
def test_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    """The same comes out."""
    places = [0, *sorted(min(each, len(stream)) for each in cuts), len(stream)]
    assert taken(*(stream[start:end] for start, end in pairwise(places))) == taken(stream)


@LAW
@given(st.binary().filter(lambda text: IAC not in text))
def test_text_without_telnet(text: bytes) -> None:
    """It is as it was, whatever is in it."""
    assert taken(text) == ([Text(text)] if text else [])


commands = st.one_of(
    st.sampled_from([NOP, AYT, IP, AO, DM]),
    st.builds(bytes.__add__, st.sampled_from([WILL, WONT, DO, DONT]), st.binary(min_size=1, max_size=1)),
    st.binary(max_size=5).map(lambda inside: SB + inside.replace(IAC, IAC + IAC) + SE),
)


@LAW
@given(st.lists(st.tuples(st.text(), commands), max_size=8), st.text())
def test_no_text_is_lost(pieces: list[tuple[str, bytes]], last: str) -> None:
    """Commands between texts in UTF-8, anywhere, change nothing but what a telnet client means otherwise."""
    texts = [each.replace("\x03", "").replace("\r", "").encode() for each, _ in pieces]
    end = last.replace("\x03", "").replace("\r", "").encode()
    sent = b"".join(text + command for text, (_, command) in zip(texts, pieces, strict=True)) + end
    assert text_of(NOP + sent) == b"".join(texts) + end


def test_output() -> None:
    """A telnet client gets line breaks that it understands, and no byte for a command; nobody else does."""
    telnet = Telnet()
    list(telnet.feed(IAC + b"\n"))
    assert telnet.encode(b"a\n\xffb\n") == b"a\n\xffb\n"
    list(telnet.feed(NOP))
    assert telnet.encode(b"a\n\xffb\n") == b"a\r\n\xff\xffb\r\n"


def test_a_flood_of_commands() -> None:
    """It ends the conversation, and costs no more than so many; those of a long session do not add up."""
    telnet = Telnet()
    for _ in range(3):
        assert len(list(telnet.feed(AYT * MOST_COMMANDS + b"\n"))) == MOST_COMMANDS + 1
    received = telnet.feed(AYT * 100_000)
    assert sum(1 for _, _ in zip(range(MOST_COMMANDS), received, strict=False)) == MOST_COMMANDS
    with pytest.raises(Malformed, match="more than 1000 telnet commands"):
        next(received)


@pytest.mark.parametrize("flood", [IAC + IAC, IAC + b"x", WILL + b"\x01", NOP + b"\x03", SB + SE])
def test_floods_of_other_kinds(flood: bytes) -> None:
    """Whatever each of them is."""
    with pytest.raises(Malformed):
        list(Telnet().feed(flood * (MOST_COMMANDS + 1)))


def test_nothing_is_kept() -> None:
    """A subnegotiation that does not end costs no memory, and wishes are remembered once each."""
    telnet = Telnet()
    assert list(telnet.feed(SB + b"x" * 1_000_000)) == []
    assert list(telnet.feed((IAC + IAC) * 1_000_000)) == []
    assert telnet._rest == b""
