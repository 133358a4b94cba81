"""A time server: how far this host's clock is from its, and whether it is to be believed (RFC 5905)."""

import os
import struct
import time

from cmdserver_probe.connection import exchange
from cmdserver_probe.errors import ProbeFailed
from cmdserver_probe.printable import shown
from cmdserver_probe.report import Finding, State, Value, plain
from cmdserver_probe.run import Run

FAILURES: tuple[type[Exception], ...] = ()

#: Section 7.3: leap indicator, version and mode, stratum, poll, precision; root delay and dispersion, reference; then
#: the reference, origin, receive and transmit timestamps.
_PACKET = struct.Struct("!BBbb I I 4s 8s 8s Q Q")
_CLIENT, _SERVER, _VERSION = 3, 4, 4
_NOT_SYNCHRONISED = 3
_LAST_STRATUM = 15
_EPOCH = 2_208_988_800  # 1970 in seconds since 1900
_SECOND = 1 << 32
_ERA = 1 << 64


class Answer:
    """What a time server says.

    Attributes:
        stratum: 1 to 15: how many servers away its reference clock is.
        received, sent: When it received the request and sent the answer, in 2**-32 s of the NTP era.
    """

    __slots__ = ("received", "sent", "stratum")

    def __init__(self, stratum: int, received: int, sent: int) -> None:
        self.stratum = stratum
        self.received = received
        self.sent = sent


def request(nonce: bytes) -> bytes:
    """Write a request whose transmit timestamp is a random number: the time here is nobody's business."""
    return bytes([_VERSION << 3 | _CLIENT]) + bytes(39) + nonce


def parse(packet: bytes, nonce: bytes) -> Answer:
    """Read an answer to the request with a nonce.

    Raises:
        ProbeFailed: It is none, or the server says that it is not to be believed.
    """
    if len(packet) < _PACKET.size:
        raise ProbeFailed(f"that is no NTP: {len(packet)} octets, {shown(packet)}")
    first, stratum, _, _, _, _, reference, _, origin, received, sent = _PACKET.unpack(packet[: _PACKET.size])
    leap, version, mode = first >> 6, first >> 3 & 7, first & 7
    if mode != _SERVER or not 1 <= version <= _VERSION:
        raise ProbeFailed(f"that is no answer of a time server: mode {mode}, version {version}")
    if origin != nonce:
        raise ProbeFailed("that is no answer to what was asked: its origin timestamp is another (RFC 5905, section 8)")
    code = reference.rstrip(b"\0")
    if stratum == 0 and code.isalnum():  # section 7.4; without a code, the server only does not know the time yet
        raise ProbeFailed(f"the server refuses: kiss-o'-death {shown(code)}")
    if leap == _NOT_SYNCHRONISED or not 1 <= stratum <= _LAST_STRATUM:
        raise ProbeFailed(f"the server's clock is not synchronised (stratum {stratum})")
    if not received or not sent:
        raise ProbeFailed("the server does not tell the time")
    return Answer(stratum, received, sent)


def timestamp(seconds: float) -> int:
    """Write a time since 1970 as NTP has it."""
    return int((seconds + _EPOCH) * _SECOND) % _ERA


def offset(asked: int, answer: Answer, answered: int) -> float:
    """Tell how many seconds the server's clock is ahead of this one's (section 8), over the end of an era as well."""
    return (_difference(answer.received, asked) + _difference(answer.sent, answered)) / 2


def _difference(one: int, other: int) -> float:
    difference = (one - other) % _ERA
    return (difference - _ERA if difference >= _ERA // 2 else difference) / _SECOND


def probe(run: Run) -> Finding:
    """Ask; compare the clocks."""
    nonce = os.urandom(8)
    packet, sent = exchange(run, request(nonce), "query")
    answered = time.time()
    # Of one look at this host's clock: it may be set while the answer is waited for.
    asked = answered - (run.steps.seconds() - sent)
    run.steps.current = "query"
    answer = parse(packet, nonce)
    run.steps.current = None
    ahead = offset(timestamp(asked), answer, timestamp(answered))
    return _finding(run, answer, ahead)


def _finding(run: Run, answer: Answer, ahead: float) -> Finding:
    warning, critical = run.options.warning_offset, run.options.critical_offset
    state = State.OK
    if critical is not None and abs(ahead) > critical:
        state = State.CRITICAL
    elif warning is not None and abs(ahead) > warning:
        state = State.WARNING
    value = Value(
        round(ahead, 6),
        "s",
        warning="" if warning is None else f"-{plain(warning)}:{plain(warning)}",
        critical="" if critical is None else f"-{plain(critical)}:{plain(critical)}",
        minimum="",
    )
    text = f"offset {ahead:+.6f} s, stratum {answer.stratum}"
    return Finding(text, state, values={"offset": value, "stratum": Value(answer.stratum)})
