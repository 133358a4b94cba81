"""A line while it is edited, as in readline's emacs mode: text, cursor, killed text and history. Nothing is drawn."""

from collections.abc import Callable, Collection, Sequence
from itertools import takewhile
from typing import Final

from cmdserver.frontends.common.text_width import clusters_of
from cmdserver.frontends.ssh.terminal.earlier_lines import EarlierLines

#: The longest line that can be edited, as with a kernel's terminal: it may have to be drawn anew for each key.
LINE_BYTES: Final = 4096

#: Given all text before the cursor, returns the whole words that the last one may be completed to; None if they are
#: not known yet.
Complete = Callable[[str], Collection[str] | None]


class Editor:
    """A line, and those before it.

    Args:
        line_bytes: The longest line, in bytes of UTF-8; more than `LINE_BYTES` are taken for that.
        complete: Finds words.
        earlier: The lines before it.
    """

    def __init__(self, line_bytes: int, complete: Complete, earlier: EarlierLines) -> None:
        self._room = self._line_bytes = min(line_bytes, LINE_BYTES)
        self._complete = complete
        #: Characters, each with the combining ones that are drawn over it.
        self.clusters: list[str] = []
        self.cursor = 0
        self._killed: list[str] = []
        self._earlier = earlier
        #: How many lines back, and the line that is edited meanwhile.
        self._back = 0
        self._kept: list[str] = []

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(self.clusters)

    def clear(self) -> None:
        """Begin an empty line."""
        self._back, self._kept = 0, []
        self._replace([])

    def accept(self) -> str:
        """Return the line, and begin an empty one."""
        line = self.text
        self.clear()
        return line

    # Each of these returns whether it could be done

    def insert(self, text: str) -> bool:
        """Insert text at the cursor, as far as there is room for it."""
        fits = text.encode()[: self._room].decode(errors="ignore")
        start = max(self.cursor - 1, 0)
        joined = clusters_of("".join(self.clusters[start : self.cursor]) + fits)
        self.clusters[start : self.cursor] = joined
        self.cursor = start + len(joined)
        self._room -= len(fits.encode())
        return fits == text

    def move_to(self, cursor: int) -> bool:
        """Move the cursor, as far as the line goes."""
        old, self.cursor = self.cursor, min(max(cursor, 0), len(self.clusters))
        return self.cursor != old

    def move_by_word(self, *, is_left: bool) -> bool:
        """Move the cursor to the beginning of the word, or to its end."""
        return self.move_to(self._word_left() if is_left else self._word_right())

    def delete(self, *, is_left: bool) -> bool:
        """Remove the character before the cursor, or the one at it."""
        at = self.cursor - 1 if is_left else self.cursor
        if not 0 <= at < len(self.clusters):
            return False
        self._room += len(self.clusters.pop(at).encode())
        self.cursor = at
        return True

    def kill(self, *, is_left: bool, is_word: bool) -> bool:
        """Remove a word or everything on one side of the cursor; `yank` inserts it again."""
        if is_left:
            start, end = self._blank_left() if is_word else 0, self.cursor
        else:
            start, end = self.cursor, self._word_right() if is_word else len(self.clusters)
        if start == end:
            return False
        self._killed = self.clusters[start:end]
        self._room += len("".join(self._killed).encode())
        del self.clusters[start:end]
        self.cursor = start
        return True

    def yank(self) -> bool:
        """Insert what was killed last."""
        return bool(self._killed) and self.insert("".join(self._killed))

    def recall(self, *, is_older: bool) -> bool:
        """Show the next older line, or the next newer one."""
        return self.go_back(self._back + (1 if is_older else -1))

    def go_back(self, back: int) -> bool:
        """Show the line so many lines back; 0 is the one that is edited meanwhile."""
        if not 0 <= back <= len(self._earlier):
            return False
        if not self._back:
            self._kept = self.clusters
        self._replace(clusters_of(self._earlier.back(back)) if back else self._kept)
        self._back = back
        return True

    def complete(self) -> Sequence[str] | None:
        """Complete the word before the cursor, as far as all possible words agree.

        Returns:
            The possible words, if there is more than one and nothing was inserted; None if they are not known yet.
        """
        before = "".join(self.clusters[: self.cursor])
        start = before.rpartition(" ")[2]
        known = self._complete(before)
        if known is None:
            return None
        words = sorted({word for word in known if word.startswith(start)})
        if not words:
            return ()
        # A value comes behind an equals sign, and no blank.
        certain = words[0] + ("" if words[0].endswith("=") else " ") if len(words) == 1 else _common(words)
        if certain == start:
            return words
        self.insert(certain[len(start) :])
        return ()

    def _replace(self, clusters: list[str]) -> None:
        self.clusters, self.cursor = clusters, len(clusters)
        self._room = max(self._line_bytes - len(self.text.encode()), 0)  # an earlier line may have been longer

    def _word_left(self) -> int:
        before = self.clusters[: self.cursor][::-1]
        others = sum(1 for _ in takewhile(lambda each: not each[0].isalnum(), before))
        return self.cursor - others - sum(1 for _ in takewhile(lambda each: each[0].isalnum(), before[others:]))

    def _word_right(self) -> int:
        after = self.clusters[self.cursor :]
        others = sum(1 for _ in takewhile(lambda each: not each[0].isalnum(), after))
        return self.cursor + others + sum(1 for _ in takewhile(lambda each: each[0].isalnum(), after[others:]))

    def _blank_left(self) -> int:
        """Return where the word begins, if words are separated by blanks alone (Ctrl-W)."""
        before = self.clusters[: self.cursor][::-1]
        blanks = sum(1 for _ in takewhile(str.isspace, before))
        return self.cursor - blanks - sum(1 for _ in takewhile(lambda each: not each.isspace(), before[blanks:]))


def _common(words: Sequence[str]) -> str:
    """Return the common prefix of sorted words: that of the first and the last."""
    pairs = zip(words[0], words[-1], strict=False)
    return "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
