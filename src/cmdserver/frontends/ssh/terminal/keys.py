"""Decoding of what a terminal sends into keys (ECMA-48, as xterm uses it).

Invariant: any bytes give keys, never an exception, however they are cut into chunks.
"""

import codecs
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from msgspec import Struct

#: Characters of a control sequence; no key sends a longer one.
_LONGEST_SEQUENCE: Final = 64
#: Characters of a terminal's report (OSC, DCS); what follows is taken for typed again.
_LONGEST_STRING: Final = 4096


class Key(Enum):
    """A key that stands for no character."""

    ENTER = auto()
    TAB = auto()
    BACKSPACE = auto()
    DELETE = auto()
    LEFT = auto()
    RIGHT = auto()
    UP = auto()
    DOWN = auto()
    HOME = auto()
    END = auto()
    WORD_LEFT = auto()
    WORD_RIGHT = auto()
    #: Ctrl-C.
    INTERRUPT = auto()
    #: Ctrl-D.
    END_OF_INPUT = auto()
    #: Ctrl-K, Ctrl-U, Ctrl-W, Alt-D, Ctrl-Y.
    KILL_TO_END = auto()
    KILL_TO_START = auto()
    KILL_WORD_LEFT = auto()
    KILL_WORD_RIGHT = auto()
    YANK = auto()
    #: Ctrl-L.
    CLEAR_SCREEN = auto()
    #: Ctrl-R.
    SEARCH = auto()
    #: Ctrl-G.
    CANCEL = auto()
    #: Nothing is bound to it.
    UNKNOWN = auto()


class Text(Struct, frozen=True):
    """Characters, none of them a control character."""

    text: str


_CONTROLS = {
    "\x01": Key.HOME,
    "\x02": Key.LEFT,
    "\x03": Key.INTERRUPT,
    "\x04": Key.END_OF_INPUT,
    "\x05": Key.END,
    "\x06": Key.RIGHT,
    "\x07": Key.CANCEL,
    "\x08": Key.BACKSPACE,
    "\x09": Key.TAB,
    "\x0a": Key.ENTER,
    "\x0b": Key.KILL_TO_END,
    "\x0c": Key.CLEAR_SCREEN,
    "\x0d": Key.ENTER,
    "\x0e": Key.DOWN,
    "\x10": Key.UP,
    "\x12": Key.SEARCH,
    "\x15": Key.KILL_TO_START,
    "\x17": Key.KILL_WORD_LEFT,
    "\x19": Key.YANK,
    "\x7f": Key.BACKSPACE,
}
#: After ESC, which is also what Alt sends first.
_ALT = {
    "b": Key.WORD_LEFT,
    "f": Key.WORD_RIGHT,
    "d": Key.KILL_WORD_RIGHT,
    "\x7f": Key.KILL_WORD_LEFT,
    "\x08": Key.KILL_WORD_LEFT,
}
#: After ESC [ or ESC O.
_CURSOR = {
    "A": Key.UP,
    "B": Key.DOWN,
    "C": Key.RIGHT,
    "D": Key.LEFT,
    "H": Key.HOME,
    "F": Key.END,
    "M": Key.ENTER,
    "1~": Key.HOME,
    "3~": Key.DELETE,
    "4~": Key.END,
    "7~": Key.HOME,
    "8~": Key.END,
    "1;5C": Key.WORD_RIGHT,
    "1;5D": Key.WORD_LEFT,
    "1;3C": Key.WORD_RIGHT,
    "1;3D": Key.WORD_LEFT,
    "5C": Key.WORD_RIGHT,
    "5D": Key.WORD_LEFT,
}
_PASTE_BEGINS, _PASTE_ENDS = "200~", "201~"
_ESC = "\x1b"


class KeyDecoder:
    """Turns bytes into keys; an incomplete character or sequence waits for the next bytes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        #: An incomplete sequence, ESC included.
        self._sequence = ""
        self._is_pasting = False
        self._was_return = False

    @property
    def is_at_escape(self) -> bool:
        """Whether ESC came last: the key of that name, or the beginning of what another key sends."""
        return self._sequence == _ESC

    def feed(self, data: bytes) -> Iterator[Key | Text]:
        """Yield the keys of which all bytes have come; the iterator must be exhausted."""
        text: list[str] = []
        for character in self._decoder.decode(data):
            if not self._sequence and character.isprintable():
                self._was_return = False
                text.append(character)
                continue
            key = self._take(character)
            if isinstance(key, Text):
                text.append(key.text)
            elif key is not None:
                if text:
                    yield Text("".join(text))
                    text.clear()
                yield key
        if text:
            yield Text("".join(text))

    def _take(self, character: str) -> Key | Text | None:
        """Take one character that is a control, unprintable, or within a sequence."""
        was_return, self._was_return = self._was_return, character == "\r"
        if self._sequence:
            self._sequence += character
            return self._in_sequence()
        if character == _ESC:
            self._sequence = _ESC
            return None
        if character == "\n" and was_return:
            return None
        if self._is_pasting:
            # A pasted line break enters no line, and a pasted Tab completes nothing.
            return Text(" ") if character in "\r\n\t" else None
        if character > "\x9f":
            return Text(character)  # blanks, joiners, and whatever else is no control
        return _CONTROLS.get(character, Key.UNKNOWN)

    def _in_sequence(self) -> Key | Text | None:
        """Decode a sequence that has more than its ESC; None if it is incomplete, or no key."""
        sequence, kind, last = self._sequence, self._sequence[1], self._sequence[-1]
        if last < " " and last not in "\a\x1b":
            self._sequence = ""  # no control is part of any: whoever typed ESC by mistake has gone on
            return self._take(last)
        if kind in "[O":
            if len(sequence) == 2 or (" " <= last < "@" and len(sequence) < _LONGEST_SEQUENCE):  # noqa: PLR2004 - ESC [
                return None
            self._sequence = ""
            return self._control_sequence(sequence[2:])
        if kind in "]P_^X":  # OSC, DCS, APC, PM, SOS: up to BEL or ESC \
            if last == "\a" or sequence.endswith("\x1b\\") or len(sequence) >= _LONGEST_STRING:
                self._sequence = ""
            return None
        self._sequence = _ESC if kind == _ESC else ""
        return None if self._is_pasting or kind == _ESC else _ALT.get(kind, Key.UNKNOWN)

    def _control_sequence(self, rest: str) -> Key | None:
        if rest == _PASTE_BEGINS:
            self._is_pasting = True
            return None
        if rest == _PASTE_ENDS:
            self._is_pasting = False
            return None
        return None if self._is_pasting else _CURSOR.get(rest, Key.UNKNOWN)
