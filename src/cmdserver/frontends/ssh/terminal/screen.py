"""Drawing of a prompt and a line on a terminal, over as many rows as they take.

Only control sequences that every terminal since the VT100 knows are used.
"""

from collections.abc import Sequence
from typing import Final

from cmdserver.frontends.ssh.terminal.editor import width_of

#: For clients that tell no terminal size, or no possible one.
COLUMNS: Final = 80
_MOST_COLUMNS: Final = 1000

BELL = b"\a"
NEW_LINE = b"\r\n"
CLEAR = b"\x1b[H\x1b[2J"


class Screen:
    """The rows on which a line is edited.

    Args:
        prompt: ASCII, without control characters.
    """

    def __init__(self, prompt: str) -> None:
        self.columns = COLUMNS
        self.prompt = prompt
        self._drawn: Sequence[str] = ()
        self._cursor = 0

    def resize(self, columns: int) -> None:
        """Draw by another width: the terminal has broken the rows anew."""
        self.columns = min(columns, _MOST_COLUMNS) if columns > 1 else COLUMNS

    def start(self, clusters: Sequence[str] = (), cursor: int = 0) -> bytes:
        """Return what draws a prompt, and a line behind it, where the cursor is."""
        self._drawn, self._cursor = (), 0
        return self.prompt.encode() + self._draw(clusters, cursor)

    def draw(self, clusters: Sequence[str], cursor: int) -> bytes:
        """Return what draws the line in place of what was drawn before."""
        if self._is_longer(clusters, cursor):
            more = "".join(clusters[len(self._drawn) :])
            self._drawn, self._cursor = list(clusters), cursor
            return more.encode()
        row, _ = self._position(self._drawn, self._cursor)
        return _move(-row) + b"\r\x1b[J" + self.prompt.encode() + self._draw(clusters, cursor)

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
        row, column = divmod(len(self.prompt), self.columns)
        for cluster in clusters[:index]:
            width = width_of(cluster)
            if column + width > self.columns:
                row, column = row + 1, 0
            column += width
            if column >= self.columns:
                row, column = row + 1, 0
        if index < len(clusters) and column + width_of(clusters[index]) > self.columns:
            row, column = row + 1, 0
        return row, column


def _move(rows: int) -> bytes:
    """Return what moves the cursor down, or up if ``rows`` is negative."""
    if not rows:
        return b""
    return b"\x1b[%dB" % rows if rows > 0 else b"\x1b[%dA" % -rows
