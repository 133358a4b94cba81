"""A line-editing terminal without input or output: typed bytes in, bytes to be shown and lines out.

Invariant: any bytes give bytes and lines, never an exception.
"""

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, assert_never

from cmdserver.frontends.common.text_width import width_of
from cmdserver.frontends.ssh.terminal.earlier_lines import EarlierLines
from cmdserver.frontends.ssh.terminal.editor import Complete, Editor
from cmdserver.frontends.ssh.terminal.keys import Key, KeyDecoder, Text
from cmdserver.frontends.ssh.terminal.screen import BELL, NEW_LINE, PlainScreen, Screen
from cmdserver.frontends.ssh.terminal.search import Search

#: Characters typed ahead that are kept; after that the network waits, as behind a kernel's terminal.
TYPE_AHEAD: Final = 4096
#: Keys that `Terminal.read` takes at most, so that other connections have a turn.
KEYS_IN_A_ROW: Final = 64


class Gesture(Enum):
    """Input that is no line."""

    #: Ctrl-C.
    INTERRUPT = auto()
    #: Ctrl-D on an empty line.
    LEAVE = auto()
    #: Tab, and it is not known yet what could be completed; see `Terminal.complete`.
    COMPLETE = auto()


class Terminal:
    """A terminal.

    Args:
        line_bytes: The longest line.
        complete: Returns the words that Tab completes to; see `Complete`.
        earlier: What was entered before; whoever reads lines adds those that are worth remembering.
        is_plain: Whether the terminal shows control sequences as text.
    """

    def __init__(self, line_bytes: int, complete: Complete, earlier: EarlierLines, *, is_plain: bool = False) -> None:
        self._decoder = KeyDecoder()
        self._keys: deque[Key | Text] = deque()
        #: Characters in `_keys`.
        self._ahead = 0
        self._earlier = earlier
        self._editor = Editor(line_bytes, complete, earlier)
        #: None: what is typed is the line.
        self._search: Search | None = None
        self._last_search = ""
        self._prompt = ""
        self._screen = PlainScreen() if is_plain else Screen()
        self._is_question = False
        #: To be shown, and not yet taken by `show`.
        self._shown = bytearray()
        self._was_tab = False

    # What comes from the person

    def feed(self, data: bytes) -> None:
        """Take bytes as they were typed; `read` acts on them."""
        for key in self._decoder.feed(data):
            self._keys.append(key)
            self._ahead += _weight(key)

    @property
    def has_keys(self) -> bool:
        """Whether `read` has something to act on."""
        return bool(self._keys)

    @property
    def is_full(self) -> bool:
        """Whether enough is typed ahead."""
        return self._ahead >= TYPE_AHEAD

    def resize(self, columns: int) -> None:
        """Draw by another width."""
        self._screen.resize(columns)

    def take_interrupt(self) -> bool:
        """Return whether Ctrl-C was typed ahead; if so, drop it and all before it, as a kernel's terminal does."""
        is_there = Key.INTERRUPT in self._keys
        while is_there and self._take() is not Key.INTERRUPT:
            pass
        return is_there

    # What goes to the person

    def show(self) -> bytes:
        """Return what is to be shown, and was not returned before."""
        shown = bytes(self._shown)
        self._shown.clear()
        return shown

    def ask(self, prompt: str, *, is_question: bool = False) -> None:
        """Show a prompt at the beginning of a row; a question is not answered by a search."""
        self._prompt, self._is_question = prompt, is_question
        self._screen.prompt = prompt
        self._editor.clear()
        self._shown += self._screen.start()

    def ask_again(self) -> None:
        """Show the line that is typed again, at the beginning of a row."""
        self._shown += self._screen.start(self._editor.clusters, self._editor.cursor)

    def clear_screen(self) -> None:
        """Clear it; a prompt is to follow."""
        self._shown += self._screen.clear()

    @property
    def before_cursor(self) -> str:
        """What is typed before the cursor."""
        return "".join(self._editor.clusters[: self._editor.cursor])

    def read(self) -> str | Gesture | None:
        """Act on keys up to the end of the next line, if that is among the next `KEYS_IN_A_ROW`."""
        result: str | Gesture | None = None
        for _ in range(min(KEYS_IN_A_ROW, len(self._keys))):
            key = self._take()
            if self._search is not None and self._go_on_searching(self._search, key):
                continue
            if isinstance(key, Text):
                self._was_tab = False
                self._ring_unless(self._editor.insert(key.text))
            else:
                result = self._press(key)
            if result is not None:
                break
        else:
            if self._search is not None and not self._keys and self._decoder.is_at_escape:
                self._end_search(self._search)
            self._draw()
        return result

    def _draw(self) -> None:
        if self._search is not None:
            search = self._search
            self._shown += self._screen.draw(search.clusters, search.cursor, search.prompt)
        else:
            self._shown += self._screen.draw(self._editor.clusters, self._editor.cursor, self._prompt)

    def _go_on_searching(self, search: Search, key: Key | Text) -> bool:
        """Give a key to the search; what is none of its keys ends it. Return whether that was all."""
        if key is Key.CANCEL:
            self._search = None
            self._shown += BELL
            return True
        is_done = search.take(key, self._last_search)
        if is_done is None:
            self._end_search(search)
            return False
        self._ring_unless(is_done)
        return True

    def _end_search(self, search: Search) -> None:
        """Go on with what was found."""
        self._search = None
        self._last_search = search.text or self._last_search
        if search.back:
            self._editor.go_back(search.back)
            self._editor.move_to(search.cursor)
        self._draw()

    def _take(self) -> Key | Text:
        key = self._keys.popleft()
        self._ahead -= _weight(key)
        return key

    def _press(self, key: Key) -> str | Gesture | None:
        was_tab, self._was_tab = self._was_tab, key is Key.TAB
        match key:
            case Key.ENTER:
                self._leave_line()
                return self._editor.accept()
            case Key.INTERRUPT:
                self._leave_line(b"^C")
                self._editor.clear()
                return Gesture.INTERRUPT
            case Key.END_OF_INPUT if not self._editor.clusters:
                self._leave_line()
                return Gesture.LEAVE
            case Key.TAB:
                return self._complete(is_again=was_tab)
            case Key.SEARCH if not self._is_question:
                self._search = Search(self._earlier, self._editor.clusters, self._editor.cursor)
            case Key.CLEAR_SCREEN:
                self._shown += self._screen.clear() + self._screen.start(self._editor.clusters, self._editor.cursor)
            case _:
                self._ring_unless(self._edit(key))
        return None

    def _edit(self, key: Key) -> bool:  # noqa: C901, PLR0911 - a table, with a line for each key
        editor = self._editor
        match key:
            case Key.BACKSPACE:
                return editor.delete(is_left=True)
            case Key.DELETE | Key.END_OF_INPUT:
                return editor.delete(is_left=False)
            case Key.LEFT | Key.RIGHT:
                return editor.move_to(editor.cursor + (1 if key is Key.RIGHT else -1))
            case Key.HOME | Key.END:
                return editor.move_to(0 if key is Key.HOME else len(editor.clusters)) or True
            case Key.WORD_LEFT | Key.WORD_RIGHT:
                return editor.move_by_word(is_left=key is Key.WORD_LEFT)
            case Key.UP | Key.DOWN:
                return editor.recall(is_older=key is Key.UP)
            case Key.KILL_TO_START | Key.KILL_TO_END:
                return editor.kill(is_left=key is Key.KILL_TO_START, is_word=False) or True
            case Key.KILL_WORD_LEFT | Key.KILL_WORD_RIGHT:
                return editor.kill(is_left=key is Key.KILL_WORD_LEFT, is_word=True)
            case Key.YANK:
                return editor.yank()
            case Key.UNKNOWN | Key.SEARCH | Key.CANCEL:
                return False
            case Key.ENTER | Key.INTERRUPT | Key.TAB | Key.CLEAR_SCREEN:
                raise AssertionError(key)  # see _press
            case _:
                assert_never(key)

    def complete(self) -> None:
        """Complete after `Gesture.COMPLETE`, if it is known by now what could be."""
        self._complete(is_again=False)
        self._draw()

    def _complete(self, *, is_again: bool) -> Gesture | None:
        """Complete the word before the cursor; show its possible endings when Tab is pressed again."""
        words = self._editor.complete()
        if words is None:
            return Gesture.COMPLETE
        if not words:
            return None
        if not is_again:
            self._shown += BELL
            return None
        self._leave_line()
        self._shown += _table(words, self._screen.columns)
        self._shown += self._screen.start(self._editor.clusters, self._editor.cursor)
        return None

    def _leave_line(self, last_words: bytes = b"") -> None:
        self._shown += self._screen.draw(self._editor.clusters, len(self._editor.clusters), self._prompt)
        self._shown += last_words + self._screen.leave()

    def _ring_unless(self, is_done: bool) -> None:  # noqa: FBT001 - it reads as a sentence
        if not is_done:
            self._shown += BELL


def _weight(key: Key | Text) -> int:
    return len(key.text) if isinstance(key, Text) else 1


def _table(words: Sequence[str], columns: int) -> bytes:
    """Arrange words in columns, as ls does: down, then across."""
    width = max(sum(map(width_of, word)) for word in words) + 2
    rows = -(-len(words) // max(columns // width, 1))
    lines = ["".join(word.ljust(width) for word in words[row::rows]).rstrip() for row in range(rows)]
    return b"".join(line.encode() + NEW_LINE for line in lines)
