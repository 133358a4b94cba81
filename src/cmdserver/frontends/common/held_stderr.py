"""Standard error that is held back, because in a text answer it comes behind standard output.

It is bounded. Of more than that the first and the last part are kept, as what went wrong is said at the beginning or at
the end, with a line between them that says how much is missing. The pieces are kept as they came: those who share a run
share them.
"""

from collections import deque
from typing import Final

from cmdserver.frontends.common.rendering import stderr_omission

#: Bytes of one answer.
HELD_BYTES: Final = 1 << 20


class HeldStderr:
    """The standard error of one run.

    Args:
        most_bytes: How much is kept, half of it from the beginning and half from the end.
    """

    __slots__ = ("_first", "_first_room", "_half", "_last", "_last_bytes", "omitted_bytes")

    def __init__(self, most_bytes: int = HELD_BYTES) -> None:
        self._half = most_bytes // 2
        self._first: list[bytes] = []
        self._first_room = self._half
        self._last: deque[bytes] = deque()
        self._last_bytes = 0
        #: How many bytes were dropped.
        self.omitted_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Keep a piece, in place of older ones where there is no room."""
        if self._first_room:
            first, chunk = chunk[: self._first_room], chunk[self._first_room :]
            self._first.append(first)
            self._first_room -= len(first)
        if chunk:
            self._last.append(chunk)
            self._last_bytes += len(chunk)
        while self._last_bytes > self._half:
            oldest = self._last.popleft()
            dropped = min(len(oldest), self._last_bytes - self._half)
            if dropped < len(oldest):
                self._last.appendleft(oldest[dropped:])
            self._last_bytes -= dropped
            self.omitted_bytes += dropped

    def text(self, command_name: str) -> bytes:
        """Return what was kept, with a line where something is missing."""
        first, last = b"".join(self._first), b"".join(self._last)
        if not self.omitted_bytes:
            return first + last
        line_end = b"" if first.endswith(b"\n") else b"\n"
        return first + line_end + stderr_omission(command_name, self.omitted_bytes) + last
