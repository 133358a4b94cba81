"""Drawing of a prompt and a line on a terminal, over as many rows as they take.

Only control sequences that every terminal since the VT100 knows are used.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from cmdserver.frontends.common.text_width import clusters_of, width_of

#: For clients that tell no terminal size, or no possible one.
COLUMNS: Final = 80
_MOST_COLUMNS: Final = 1000

BELL = b"\a"
NEW_LINE = b"\r\n"


class Screen:
    """The rows on which a line is edited."""

    def __init__(self) -> None:
        self.columns = COLUMNS
        self._prompt: Sequence[str] = ()
        self._drawn: Sequence[str] = ()
        self._cursor = 0

    @property
    def prompt(self) -> str:
        """What is shown before the line; without control characters."""
        return "".join(self._prompt)

    @prompt.setter
    def prompt(self, text: str) -> None:
        self._prompt = clusters_of(text)

    def resize(self, columns: int) -> None:
        """Draw by another width: the terminal has broken the rows anew."""
        self.columns = min(columns, _MOST_COLUMNS) if columns > 1 else COLUMNS

    def start(self, clusters: Sequence[str] = (), cursor: int = 0) -> bytes:
        """Return what draws a prompt, and a line behind it, where the cursor is."""
        self._drawn, self._cursor = (), 0
        return self.prompt.encode() + self._draw(clusters, cursor)

    def draw(self, clusters: Sequence[str], cursor: int, prompt: str) -> bytes:
        """Return what draws a prompt and the line in place of what was drawn before."""
        if prompt == self.prompt and self._is_longer(clusters, cursor):
            more = "".join(clusters[len(self._drawn) :])
            self._drawn, self._cursor = list(clusters), cursor
            return more.encode()
        row, _ = self._position(self._drawn, self._cursor)
        self.prompt = prompt
        return _move(-row) + b"\r\x1b[J" + prompt.encode() + self._draw(clusters, cursor)

    def clear(self) -> bytes:
        """Return what clears the screen; the cursor is at its beginning then."""
        return b"\x1b[H\x1b[2J"

    def leave(self) -> bytes:
        """Return what moves the cursor to the row below the line."""
        here, _ = self._position(self._drawn, self._cursor)
        last, _ = self._position(self._drawn, len(self._drawn))
        return _move(last - here) + NEW_LINE

    def _draw(self, clusters: Sequence[str], cursor: int) -> bytes:
        self._drawn, self._cursor = list(clusters), cursor
        last, column = self._position(clusters, len(clusters))
        # In the last column a terminal waits for the next character before it goes on to the next row.
        drawn = "".join(clusters).encode() + (NEW_LINE if not column and last else b"")
        if cursor == len(clusters):
            return drawn
        row, column = self._position(clusters, cursor)
        return drawn + _move(row - last) + b"\r" + (b"\x1b[%dC" % column if column else b"")

    def _is_longer(self, clusters: Sequence[str], cursor: int) -> bool:
        """Whether the line only became longer at its end, within the row: then only that is drawn."""
        old = len(self._drawn)
        if self._cursor != old or cursor != len(clusters) or list(clusters[:old]) != self._drawn:
            return False
        row, _ = self._position(self._drawn, old)
        new_row, column = self._position(clusters, cursor)
        return row == new_row and column > 0

    def _position(self, clusters: Sequence[str], index: int) -> tuple[int, int]:
        """Return the row and column, from 0 on, of the cluster at an index, or of the end of the line."""
        row, column = 0, 0
        for cluster in chain(self._prompt, clusters[:index]):
            width = width_of(cluster)
            if column + width > self.columns:
                row, column = row + 1, 0
            column += width
            if column >= self.columns:
                row, column = row + 1, 0
        if index < len(clusters) and column + width_of(clusters[index]) > self.columns:
            row, column = row + 1, 0
        return row, column


class PlainScreen(Screen):
    """The same on a terminal that knows but CR, LF and BS; a line of more than one row is drawn as well as can be."""

    def draw(self, clusters: Sequence[str], cursor: int, prompt: str) -> bytes:
        if prompt == self.prompt and self._is_longer(clusters, cursor):
            return super().draw(clusters, cursor, prompt)
        old = self._width(self._prompt) + self._width(self._drawn)
        self.prompt = prompt
        self._drawn, self._cursor = list(clusters), cursor
        blank = max(old - self._width(self._prompt) - self._width(clusters), 0)
        line = f"\r{prompt}{''.join(clusters)}{' ' * blank}".encode()
        return line + b"\b" * (blank + self._width(clusters[cursor:]))

    def clear(self) -> bytes:
        return NEW_LINE

    def leave(self) -> bytes:
        return NEW_LINE

    def _draw(self, clusters: Sequence[str], cursor: int) -> bytes:
        self._drawn, self._cursor = list(clusters), cursor
        return "".join(clusters).encode() + b"\b" * self._width(clusters[cursor:])

    def _width(self, clusters: Sequence[str]) -> int:
        return sum(map(width_of, clusters))


def _move(rows: int) -> bytes:
    """Return what moves the cursor down, or up if ``rows`` is negative."""
    if not rows:
        return b""
    return b"\x1b[%dB" % rows if rows > 0 else b"\x1b[%dA" % -rows
