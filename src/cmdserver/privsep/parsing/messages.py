"""What daemon and parsing process say to each other: packets of words, some with a descriptor.

The daemon asks for one thing at a time. Output and data are files in memory, whose descriptors go along.
"""

from enum import IntEnum

from msgspec import Struct

#: No packet is longer.
PACKET_BYTES = 1024
#: More data than this is not told, as JSON.
RESULT_BYTES = 2 << 20
#: Characters of a text that says why there is no data.
REASON_CHARACTERS = 300


class Kind(IntEnum):
    """How a child has ended, as its exit status."""

    DATA = 0
    #: With why there is none, in place of the data.
    NOT_PARSED = 10
    #: It made more data than is told.
    TOO_LONG = 11
    #: It was ended, by us or by the kernel, or it broke.
    ENDED = 12


class Parse(Struct, frozen=True):
    """Asks what a parser makes of output, whose descriptor goes along."""

    number: int
    parser: str

    def encode(self) -> bytes:
        """Make a packet."""
        return f"parse {self.number} {self.parser}".encode("ascii")


class Cancel(Struct, frozen=True):
    """Says that nobody waits for that any more."""

    number: int

    def encode(self) -> bytes:
        """Make a packet."""
        return f"cancel {self.number}".encode("ascii")


class Answer(Struct, frozen=True):
    """Answers a `Parse`; with a descriptor, of data or a reason, unless it has `Kind.ENDED` or `Kind.TOO_LONG`."""

    number: int
    kind: Kind

    def encode(self) -> bytes:
        """Make a packet."""
        return f"{self.kind.value} {self.number}".encode("ascii")


def decode_request(packet: bytes) -> Parse | Cancel:
    """Read a packet of the daemon's; raises a ValueError."""
    match packet.decode("ascii").split(" "):
        case ["parse", number, parser]:
            return Parse(int(number), parser)
        case ["cancel", number]:
            return Cancel(int(number))
        case _:
            raise ValueError(packet)


def decode_answer(packet: bytes) -> Answer:
    """Read a packet of the parsing process; raises a ValueError."""
    kind, number = packet.decode("ascii").split(" ")
    return Answer(int(number), Kind(int(kind)))
