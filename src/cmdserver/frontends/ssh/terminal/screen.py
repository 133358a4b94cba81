"""How a prompt and a line are drawn on a terminal, over as many rows as they take.

Everything drawn is asked for with what every terminal since the VT100 knows. Rule of this file: bytes out, nothing in;
it remembers where the cursor is and nothing else.
"""

from collections.abc import Sequence

from cmdserver.frontends.ssh.terminal.editor import width_of

#: For clients that say nothing of their terminal's size, or nothing sensible.
COLUMNS = 80
_MOST_COLUMNS = 1000

BELL = b"\a"
NEW_LINE = b"\r\n"
CLEAR = b"\x1b[H\x1b[2J"


class Screen:
    """The rows on which a line is edited.

    Args:
        prompt: Of ASCII, without control characters.
    """

    def __init__(self, prompt: str) -> None:
        self.columns = COLUMNS
        self._prompt = prompt
        self._drawn: Sequence[str] = ()
        self._cursor = 0

    def resize(self, columns: int) -> None:
        """Go by another width; the terminal has broken the rows anew."""
        self.columns = min(columns, _MOST_COLUMNS) if columns > 1 else COLUMNS

    def start(self, clusters: Sequence[str] = (), cursor: int = 0) -> bytes:
        """Draw a prompt, and the line if there is some of it already, where the cursor is."""
        self._drawn, self._cursor = (), 0
        return self._prompt.encode() + self._draw(clusters, cursor)

    def draw(self, clusters: Sequence[str], cursor: int) -> bytes:
        """Draw the line as it is now in place of what it was."""
        if self._is_longer(clusters, cursor):
            more = "".join(clusters[len(self._drawn) :])
            self._drawn, self._cursor = list(clusters), cursor
            return more.encode()
        row, _ = self._position(self._drawn, self._cursor)
        return _move(-row) + b"\r\x1b[J" + self._prompt.encode() + self._draw(clusters, cursor)

    def leave(self) -> bytes:
        """Go to the row below the line."""
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
        """Whether something was typed at the end, and stays within the row: the cursor is where it must be."""
        old = len(self._drawn)
        if self._cursor != old or cursor != len(clusters) or list(clusters[:old]) != self._drawn:
            return False
        row, _ = self._position(self._drawn, old)
        new_row, column = self._position(clusters, cursor)
        return row == new_row and column > 0

    def _position(self, clusters: Sequence[str], index: int) -> tuple[int, int]:
        """Say in which row and column, from 0 on, the cursor is before the cluster of an index, or behind all."""
        row, column = divmod(len(self._prompt), self.columns)
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
    """Move the cursor down, or up."""
    if not rows:
        return b""
    return b"\x1b[%dB" % rows if rows > 0 else b"\x1b[%dA" % -rows
