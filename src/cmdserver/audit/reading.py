"""Reads lines of audit files as streams, whatever is in them: in bounded memory, with the place of each."""

import zlib
from collections.abc import Iterator
from gzip import BadGzipFile, GzipFile
from io import BufferedReader
from typing import Final

from msgspec import Struct

from cmdserver.audit.records import MOST_LINE_BYTES

#: The first bytes of what gzip has compressed (RFC 1952, section 2.3.1).
_GZIP: Final = b"\x1f\x8b"


class Line(Struct, frozen=True):
    """A line, and where it stands."""

    file: str
    #: From 1.
    number: int
    #: Without the line feed; of a line that is too long, its beginning.
    data: bytes
    #: Whether there was a line feed.
    is_ended: bool = True
    is_too_long: bool = False

    @property
    def place(self) -> str:
        """Say where it stands, as compilers do."""
        return f"{self.file}:{self.number}"


class CutShort(Exception):  # noqa: N818 - a statement
    """What was compressed ends before its end, or was damaged; the text says at which line."""


def read_lines(file: BufferedReader, name: str, most: int = MOST_LINE_BYTES) -> Iterator[Line]:
    """Read a file that may be compressed by gzip.

    Args:
        file: Open; it need not be seekable.
        name: What to call it.
        most: So many bytes of a line are kept.

    Raises:
        CutShort: The rest cannot be read.
        OSError: As reading does.
    """
    is_compressed = file.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
    stream = GzipFile(fileobj=file) if is_compressed else file
    number = 0
    try:
        while data := stream.readline(most + 1):
            number += 1
            is_ended, is_too_long = data.endswith(b"\n"), len(data) > most and not data.endswith(b"\n")
            while is_too_long and not is_ended and (rest := stream.readline(most)):
                is_ended = rest.endswith(b"\n")
            yield Line(name, number, data.removesuffix(b"\n")[:most], is_ended, is_too_long)
    except (BadGzipFile, EOFError, zlib.error) as error:
        raise CutShort(f"{name}:{number + 1}: is cut short or damaged: {error}") from error
