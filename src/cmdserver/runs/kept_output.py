"""The output of a run as it is kept: the first and the last part, in the order in which it was written.

What is missing in the middle is counted, and whoever is shown the output is told.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from cmdserver.core.output import Stream

#: What was written at once, or as if at once, and to which stream.
Piece: TypeAlias = tuple[Stream, bytes]


class KeptOutput(Struct, frozen=True):
    """What is known of a run's output."""

    first: tuple[Piece, ...] = ()
    #: Bytes that are missing between the first part and the last.
    omitted_bytes: int = 0
    last: tuple[Piece, ...] = ()

    def of(self, stream: Stream) -> bytes:
        """Join what was written to one stream; what is missing is not told."""
        return b"".join(data for each, data in (*self.first, *self.last) if each is stream)


def shortened(
    first: Sequence[Piece], most_bytes: int, omitted_bytes: int = 0, last: Sequence[Piece] = ()
) -> KeptOutput:
    """Keep the first and the last half of output, if it is more than ``most_bytes``.

    Args:
        first: The output, or what comes before the gap if something is missing already.
        most_bytes: How much is kept, >= 0.
        omitted_bytes: What is missing already.
        last: What comes behind the gap.
    """
    kept_bytes = sum(len(data) for _, data in (*first, *last))
    if kept_bytes <= most_bytes:
        return KeptOutput(_joined(first), omitted_bytes, _joined(last))
    half = most_bytes // 2
    whole = (*first, *last)
    beginning = _up_to(first if omitted_bytes else whole, half)
    backwards = [(stream, data[::-1]) for stream, data in reversed(last if omitted_bytes else whole)]
    end = [(stream, data[::-1]) for stream, data in reversed(_up_to(backwards, most_bytes - half))]
    missing = omitted_bytes + kept_bytes - sum(len(data) for _, data in (*beginning, *end))
    return KeptOutput(_joined(beginning), missing, _joined(end))


def _joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Join neighbours of the same stream."""
    found: list[tuple[Stream, list[bytes]]] = []
    for stream, data in pieces:
        if found and found[-1][0] is stream:
            found[-1][1].append(data)
        else:
            found.append((stream, [data]))
    return tuple((stream, b"".join(parts)) for stream, parts in found)


def _up_to(pieces: Iterable[Piece], most_bytes: int) -> list[Piece]:
    kept: list[Piece] = []
    for stream, data in pieces:
        if most_bytes <= 0:
            break
        kept.append((stream, data[:most_bytes]))
        most_bytes -= len(data)
    return kept
