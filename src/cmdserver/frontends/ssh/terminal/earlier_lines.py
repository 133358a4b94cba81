"""Lines that a person has entered before, bounded in number and in bytes."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

#: How many are remembered, and the longest of them, in bytes of UTF-8; all together have at most 256 KB.
MOST_LINES: Final = 500
LINE_BYTES: Final = 512


class EarlierLines:
    """The lines, oldest first.

    Args:
        lines: Of earlier sessions, oldest first; what is not worth remembering is left out.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        for line in lines:
            self.add(line)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def back(self, count: int) -> str:
        """Return the line so many lines back; 1 is the newest."""
        return self._lines[-count]

    def add(self, line: str) -> bool:
        """Remember a line, unless it is blank, very long, or the same as the one before; return whether it is."""
        is_news = bool(line.strip()) and not (self._lines and self._lines[-1] == line)
        if not is_news or len(line.encode(errors="replace")) > LINE_BYTES:
            return False
        self._lines.append(line)
        return True

    def find(self, text: str, first: int) -> int | None:
        """Find the newest line with a text in it, at least ``first`` lines back; return how many it is, or None."""
        return next((back for back in range(first, len(self._lines) + 1) if text in self._lines[-back]), None)
