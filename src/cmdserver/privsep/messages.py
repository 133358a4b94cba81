"""The messages between daemon and runner: each is a packet of a SOCK_SEQPACKET socket, in MessagePack.

What the runner gets is untrusted: `decode_request` gives a request or raises `ValueError`, whatever the bytes, and a
packet above `REQUEST_BYTES` is no request. Descriptors travel from the runner to the daemon only.

    daemon -> runner   Start(generation, id, command, arguments)
    runner -> daemon   Started(id, pid)              with the reading ends of standard output and standard error
    runner -> daemon   Exited(id, status, is_alone)
    runner -> daemon   Ran(id, pid, status, is_alone)     both of them at once, for what ends quickly; with the two ends
    daemon -> runner   Signal(generation, id, number)
"""

import binascii
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

#: A command's name and values: a text for standard input has 65,536 bytes at most. Below 128 KiB, as more would be
#: mapped and unmapped by the C library for each packet.
REQUEST_BYTES = 98_304
#: Reports are short: the long ones carry a descriptor instead.
REPORT_BYTES = 65_536

Number = Annotated[int, Meta(ge=0, lt=1 << 62)]
#: As numbers: the only ones that are ever asked for.
SIGTERM: Literal[15] = 15
SIGKILL: Literal[9] = 9


class Start(Struct, tag="start", array_like=True, frozen=True, forbid_unknown_fields=True):
    """Run a command of the allow-list.

    Attributes:
        generation: Of the runner that this is meant for: its replacement knows nothing of it.
        id: Greater than any before it.
        command: Its name.
        arguments: Canonical values, ``name=value``; the runner looks at them again, see `Command.invocation`.
    """

    generation: Number
    id: Number
    command: str
    arguments: tuple[str, ...]


class Signal(Struct, tag="signal", array_like=True, frozen=True, forbid_unknown_fields=True):
    """Signal everything that is left of a run; SIGKILL is also the last that is said of it."""

    generation: Number
    id: Number
    number: Literal[15, 9]


class Reread(Struct, tag="reread", array_like=True, frozen=True, forbid_unknown_fields=True):
    """Read the configuration, and the files that it names for TLS, again; run by the old one until `Adopt`."""


class Adopt(Struct, tag="adopt", array_like=True, frozen=True, forbid_unknown_fields=True):
    """Use the configuration that was read last.

    Attributes:
        checksum: Of its text; another one changes nothing.
    """

    checksum: Number


class Fetch(Struct, tag="fetch", array_like=True, frozen=True, forbid_unknown_fields=True):
    """Open a credential file.

    Attributes:
        name: ``passwd``, ``tokens`` or ``authorized_keys/NAME``.
    """

    name: str


class Ready(Struct, tag="ready", array_like=True, frozen=True):
    """A runner is ready; whatever was asked of the one before is over.

    Attributes:
        generation: One more than that of the runner before.
        pid: Its process.
        checksum: Of the text of the configuration that it uses.
    """

    generation: int
    pid: int
    checksum: int


class Started(Struct, tag="started", array_like=True, frozen=True):
    """A process runs; two descriptors come with it."""

    id: int
    pid: int


class Exited(Struct, tag="exited", array_like=True, frozen=True):
    """The process of a run has ended.

    Attributes:
        id: Of the run.
        status: As wait(2) has it.
        is_alone: Whether nobody is left of the run; if not, it is over with a `Signal` of SIGKILL.
    """

    id: int
    status: int
    is_alone: bool


class Ran(Struct, tag="ran", array_like=True, frozen=True):
    """`Started` and `Exited` in one; two descriptors come with it."""

    id: int
    pid: int
    status: int
    is_alone: bool


class Refused(Struct, tag="refused", array_like=True, frozen=True):
    """A process could not be started.

    Attributes:
        id: Of the run.
        errno: The kernel's reason, or the nearest to ours.
        text: For people.
    """

    id: int
    errno: int
    text: str


class Read(Struct, tag="read", array_like=True, frozen=True):
    """The configuration was read; its text and the TLS files come as descriptors, in that order.

    Attributes:
        mistakes: What is wrong with it, for people; then nothing else comes.
        files: Which files, as the configuration names them.
    """

    mistakes: tuple[str, ...]
    files: tuple[str, ...]


class Fetched(Struct, tag="fetched", array_like=True, frozen=True):
    """A credential file was opened, and its descriptor comes with this; or not.

    Attributes:
        name: As it was asked for: who asks twice is not to take one file for the other.
        errno: Why not; 0 if it was.
    """

    name: str
    errno: int


class Trouble(Struct, tag="trouble", array_like=True, frozen=True):
    """A text for the administrator to read in the log."""

    text: str


Request = Start | Signal | Reread | Adopt | Fetch
Report = Ready | Started | Exited | Ran | Refused | Read | Fetched | Trouble

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def checksum_of(text: str) -> int:
    """Tell a configuration's text from others: against accidents, as who changes the file changes what is allowed.

    A cryptographic hash would say no more, and OpenSSL would double what the runner weighs.
    """
    return binascii.crc32(text.encode())


def encode(message: Request | Report) -> bytes:
    """Encode a message."""
    return _encoder.encode(message)


def decode_request(packet: bytes) -> Request:
    """Decode what the daemon, or whoever has taken it over, says.

    Raises:
        ValueError: It is no request.
    """
    if len(packet) > REQUEST_BYTES:
        text = "longer than any request"
        raise ValueError(text)
    try:
        return _requests.decode(packet)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error


def decode_report(packet: bytes) -> Report:
    """Decode what the runner says; raises `ValueError` for what is none of its messages."""
    try:
        return _reports.decode(packet)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
