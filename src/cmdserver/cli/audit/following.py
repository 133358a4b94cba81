"""Follows the end of a file that grows, is renamed and made anew, or is emptied, as ``tail -F`` does."""

import os
import select
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from cmdserver.audit.reading import Line
from cmdserver.audit.records import MOST_LINE_BYTES

#: Between two looks at a file.
POLL_SECONDS: Final = 0.25

_CHUNK_BYTES: Final = 1 << 16


class Follower:
    """Gives the lines of a file as they come; each only when it is whole.

    Args:
        path: Of the file; it need not be there all the time.
        wait: Waits a while; returns whether somebody still wants to know.
    """

    def __init__(self, path: Path, wait: Callable[[], bool]) -> None:
        self._path = path
        self._wait = wait
        self._file: BinaryIO | None = None
        self._number = 0
        #: The beginning of a line whose end is not there yet.
        self._rest = b""
        self._is_too_long = False

    def lines(self) -> Iterator[Line | None]:
        """Give all lines from the beginning; None where all that there are have been read for now."""
        try:
            self._open()
            while True:
                yield from self._whole_lines()
                if self._open():
                    continue
                yield None
                if not self._wait():
                    return
        finally:
            if self._file is not None:
                self._file.close()

    def _whole_lines(self) -> Iterator[Line]:
        while self._file is not None and (chunk := self._file.read(_CHUNK_BYTES)):
            *ended, rest = chunk.split(b"\n")
            for each in ended:
                data, self._rest = self._rest + each, b""
                self._number += 1
                yield Line(str(self._path), self._number, data[:MOST_LINE_BYTES], is_too_long=self._is_too_long)
                self._is_too_long = False
            self._is_too_long = self._is_too_long or len(self._rest) + len(rest) > MOST_LINE_BYTES
            self._rest = (self._rest + rest)[:MOST_LINE_BYTES]

    def _open(self) -> bool:
        """Open the file if it is another one, or from its beginning if it was emptied; return whether there is more."""
        here = os.fstat(self._file.fileno()) if self._file is not None else None
        try:
            there = self._path.stat()
        except OSError:
            return False
        if here is not None and self._file is not None and os.path.samestat(here, there):
            if there.st_size >= self._file.tell():
                return False
            self._file.seek(0)
        else:
            old = self._file
            with suppress(OSError):  # gone again, or not for us
                self._file = self._path.open("rb", buffering=0)
            if self._file is old:
                return False
            if old is not None:
                old.close()
        self._number, self._rest, self._is_too_long = 0, b"", False
        return True


def wait_for_reader(stream: int) -> bool:
    """Wait a while; return whether what we print to can still be read."""
    poll = select.poll()
    poll.register(stream, 0)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(int(POLL_SECONDS * 1000)))
