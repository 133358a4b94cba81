"""A search back through earlier lines while it is typed, as readline's Ctrl-R has it. Nothing is drawn."""

from collections.abc import Sequence
from typing import Final

from cmdserver.frontends.common.text_width import clusters_of
from cmdserver.frontends.ssh.terminal.earlier_lines import EarlierLines
from cmdserver.frontends.ssh.terminal.keys import Key, Text

#: Characters that are searched for.
_LONGEST: Final = 256


class Search:
    """A search.

    Args:
        lines: Where it looks.
        shown: The line that is edited, which is shown until something is found.
        cursor: Where the cursor is in it.
    """

    def __init__(self, lines: EarlierLines, shown: Sequence[str], cursor: int) -> None:
        self._lines = lines
        self.text = ""
        self._has_failed = False
        #: How many lines back what was found is; 0: nothing was.
        self.back = 0
        #: What is shown behind `prompt`.
        self.clusters = shown
        self.cursor = cursor

    @property
    def prompt(self) -> str:
        """What is shown before the line."""
        return f"({'failed ' if self._has_failed else ''}reverse-i-search)`{self.text}': "

    def take(self, key: Key | Text, last_text: str) -> bool | None:
        """Go on with a key.

        Args:
            key: What was pressed.
            last_text: What was searched for the last time, which Ctrl-R means if nothing is typed yet.

        Returns:
            Whether that could be done; None: it is no key for a search, and ends it.
        """
        match key:
            case Text(text):
                if len(self.text) + len(text) > _LONGEST:
                    return False
                self.text += text
                return self._look(max(self.back, 1))
            case Key.SEARCH:
                self.text = self.text or last_text
                return self._look(self.back + 1)
            case Key.BACKSPACE if self.text:
                self.text = "".join(clusters_of(self.text)[:-1])
                return self._look(1)
            case Key.BACKSPACE:
                return False
            case _:
                return None

    def _look(self, first: int) -> bool:
        found = self._lines.find(self.text, first) if self.text else None
        self._has_failed = bool(self.text) and found is None
        if found is None:
            return not self._has_failed
        line = self._lines.back(found)
        self.back = found
        self.clusters = clusters_of(line)
        self.cursor = len(clusters_of(line[: line.index(self.text)]))
        return True
