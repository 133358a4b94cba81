"""How much of a run is kept: of its output, and of the requests that share it."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from cmdserver.core.output import Stream
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import RunRecord

#: Each is a row: a program that writes to both streams by turns, a byte at a time, would make a quarter of a million.
MOST_PIECES: Final = 10_000
#: Of a run, the first included.
MOST_REQUESTS: Final = 100

_Pieces = tuple[tuple[Stream, bytes], ...]


def with_few_requests(record: RunRecord) -> RunRecord:
    """Keep the first requests of a run that many share."""
    if len(record.others) < MOST_REQUESTS:
        return record
    return replace(record, others=record.others[: MOST_REQUESTS - 1])


def size_of(output: KeptOutput) -> int:
    """Count the bytes that are kept."""
    return sum(len(data) for _, data in (*output.first, *output.last))


def trimmed(output: KeptOutput, most_bytes: int, most_pieces: int = MOST_PIECES) -> KeptOutput:
    """Keep the beginning and the end of output that is more than may be kept; what is left out is counted.

    Args:
        output: As it was kept.
        most_bytes: Of both parts together, >= 0.
        most_pieces: Of both parts together, >= 2.
    """
    size, pieces = size_of(output), len(output.first) + len(output.last)
    if size <= most_bytes and pieces <= most_pieces:
        return output
    whole = (*output.first, *output.last)
    # Where something is missing already, what is left out is left out around it.
    beginning, end = (output.first, output.last) if output.omitted_bytes else (whole, whole)
    half = min(most_bytes, size) // 2
    first = _beginning(beginning, half, most_pieces // 2)
    last = _backwards(_beginning(_backwards(end), min(most_bytes, size) - half, most_pieces // 2))
    kept = KeptOutput(first, 0, last)
    return replace(kept, omitted_bytes=output.omitted_bytes + size - size_of(kept))


def without(output: KeptOutput) -> KeptOutput:
    """Leave all of the output out, and say how much it was."""
    return KeptOutput((), output.omitted_bytes + size_of(output), ())


def _beginning(pieces: Iterable[tuple[Stream, bytes]], most_bytes: int, most_pieces: int) -> _Pieces:
    kept: list[tuple[Stream, bytes]] = []
    for stream, data in pieces:
        if most_bytes <= 0 or len(kept) >= most_pieces:
            break
        kept.append((stream, data[:most_bytes]))
        most_bytes -= len(data)
    return tuple(kept)


def _backwards(pieces: _Pieces) -> _Pieces:
    return tuple((stream, data[::-1]) for stream, data in reversed(pieces))
