"""The line protocol's parser: bytes to lines, and a line to a request, such as ``json explain 'df'``.

A line has at most ``line_bytes`` of UTF-8, ends with LF or CRLF, has no control character but the tab, and is split
into words as a POSIX shell splits them, with no expansion of any kind. Invariant: any bytes give a request or a
`Refusal`, never another exception.
"""

import re
import shlex
from enum import Enum
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from cmdserver.core.errors import BadArgument, Malformed
from cmdserver.core.names import RESERVED_WORDS
from cmdserver.core.text_encoding import BYTE_ORDER_MARK, NotUTF8, require_bytes_of_utf8, without_mark

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
#: With these, splitting needs the shell's rules; without them, blanks alone decide.
_QUOTING = re.compile("[\"'\\\\]")
_BLANKS = b" \t\r\n"
_RETURN = 13
#: Bytes of a line of one word that is remembered.
_LONGEST_WORD = 64


class Run(Struct, frozen=True):
    """Run a command: its name and what follows it."""

    words: tuple[str, ...]


class Help(Struct, frozen=True):
    """Tell what this caller may run; or tell of one command."""

    name: str | None = None


class Explain(Struct, frozen=True):
    """Tell what would run."""

    words: tuple[str, ...]


class Runs(Struct, frozen=True):
    """List runs; keys and values say which."""

    words: tuple[str, ...] = ()


class Start(Struct, frozen=True):
    """Run a command for nobody who waits, and tell the id of its run."""

    words: tuple[str, ...]


class Attach(Struct, frozen=True):
    """Hear a run, from its beginning to its end."""

    run_id: str


class Stop(Struct, frozen=True):
    """End a run."""

    run_id: str


class Word(Enum):
    """A request of one word."""

    #: Tell the caller who they are here.
    WHOAMI = "whoami"
    #: Tell how many are connected.
    WHO = "who"
    #: Keep the connection open for any number of lines.
    SESSION = "session"
    #: Close the connection.
    QUIT = "quit"
    #: Begin the login dialogue.
    LOGIN = "login"


#: What has an answer.
Question = Run | Help | Explain | Runs | Start | Attach | Stop | Literal[Word.WHOAMI, Word.WHO]
Request = Question | Literal[Word.SESSION, Word.QUIT, Word.LOGIN]


class Line(Struct, frozen=True):
    """A request, and whether its answer is to be JSON."""

    request: Request
    as_json: bool


def wants_json(line: bytes) -> bool:
    """Whether the sender of a line wants JSON, even if the line is no request otherwise."""
    try:
        return split(line)[0] == "json"
    except Malformed:
        return line.split(maxsplit=1)[:1] == [b"json"]


def parse(line: bytes) -> Line:
    """Read one line, without its LF, not blank.

    Raises:
        Malformed: Not UTF-8, a control character, or unbalanced quotes.
        BadArgument: A word of the protocol with what it does not take.
    """
    return _parse_word(line) if line.isalnum() and len(line) <= _LONGEST_WORD else _parse(line)


def _parse(line: bytes) -> Line:
    words = split(line)
    as_json = words[0] == "json"
    if as_json:
        words = words[1:]
        if not words:
            raise BadArgument("json needs a line after it: json LINE")
    return Line(_request(words, as_json=as_json), as_json)


#: What has no value in it, and so no secret, may be remembered.
_parse_word = lru_cache(maxsize=256)(_parse)


def split(line: bytes) -> tuple[str, ...]:
    """Split a line into words; at least one.

    Raises:
        Malformed: Not UTF-8, a control character, unbalanced quotes, or no word at all.
    """
    try:
        text = line.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        _require_utf8(line)
        raise Malformed(f"the line is not UTF-8: byte {error.start + 1} is 0x{line[error.start]:02x}") from None
    if found := _CONTROL.search(text):
        _require_utf8(line)
        raise Malformed(f"the line has a control character (0x{ord(found[0]):02x}) in it")
    if _QUOTING.search(text):
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise Malformed(f"unbalanced quotes: {str(error).lower()}") from None
    else:
        words = [word for word in text.replace("\t", " ").split(" ") if word]
    if not words:
        raise Malformed("the line has no words")
    return tuple(words)


def _require_utf8(line: bytes) -> None:
    """Name the encoding of a line that is not UTF-8 for a reason that its sender cannot see."""
    try:
        require_bytes_of_utf8(line)
    except NotUTF8 as error:
        raise Malformed(f"the line {error}") from None


def _request(words: tuple[str, ...], *, as_json: bool) -> Request:
    word, rest = words[0], words[1:]
    if word not in RESERVED_WORDS:
        return Run(words)
    if word == "explain":
        return Explain(rest)
    if word == "help" and len(rest) <= 1:
        return Help(*rest)
    if word == "runs":
        return Runs(rest)
    if word in _OF_RUNS:
        return _of_run(word, rest)
    if rest or word in _MISPLACED:
        raise BadArgument(_MISPLACED.get(word, f"{word} takes no arguments"))
    request = Word(word)
    if as_json and request not in {Word.WHOAMI, Word.WHO}:
        raise BadArgument(f"{word} has no answer that could be JSON")
    return request


def _of_run(word: str, rest: tuple[str, ...]) -> Request:
    if word == "start":
        if not rest or rest[0] in RESERVED_WORDS:
            raise BadArgument("start needs a command: start NAME")
        return Start(rest)
    if len(rest) != 1:
        raise BadArgument(f"{word} needs the id of a run: {word} ID")
    return Attach(rest[0]) if word == "attach" else Stop(rest[0])


_OF_RUNS = frozenset({"start", "attach", "stop"})

_MISPLACED = {
    "help": "help takes one command at most",
    "json": "json takes another line after it, not itself",
}


class LineBuffer:
    """Bytes that have come, until they are lines. A byte order mark before the first one is dropped.

    Whoever feeds it stops while `is_full`. The limit is that of a line, in bytes, without its end.
    """

    __slots__ = ("_bytes", "_is_at_start", "_searched", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bytes = b""
        #: So far there is no LF; so a line that comes byte by byte costs no more than one that comes at once.
        self._searched = 0
        #: Whether nothing was taken yet: PowerShell's pipes and Windows' editors put a mark there.
        self._is_at_start = True

    def __len__(self) -> int:
        return len(self._bytes)

    def __bool__(self) -> bool:
        return self._bytes != b""

    @property
    def is_full(self) -> bool:
        """Whether it holds enough for the longest line, so that more may wait in the network."""
        return len(self._bytes) > self.limit + 1

    def feed(self, data: bytes) -> None:
        """Add bytes as they came."""
        self._bytes += data
        if self._is_at_start and self._bytes:
            if self._bytes[0] != BYTE_ORDER_MARK[0]:
                self._is_at_start = False
            elif len(self._bytes) >= len(BYTE_ORDER_MARK) or not BYTE_ORDER_MARK.startswith(self._bytes):
                self._bytes = without_mark(self._bytes)
                self._is_at_start = False

    def clear(self) -> None:
        """Forget what has come."""
        self._bytes = b""
        self._searched = 0

    def next_line(self) -> bytes | None:
        """Take the next line that is not blank, without its LF; None if there is none yet.

        Raises:
            Malformed: A line is longer than the limit. There is no telling where the next one begins: `clear`.
        """
        if not self._searched:
            # Blank lines, and blanks before a word, mean nothing: thousands of them cost one step.
            self._bytes = self._bytes.lstrip(_BLANKS)
        end = self._bytes.find(b"\n", self._searched)
        length = len(self._bytes) if end == -1 else end
        if length and self._bytes[length - 1] == _RETURN:
            length -= 1
        if length > self.limit:
            raise Malformed(f"the line is longer than {self.limit} bytes")
        if end == -1:
            self._searched = len(self._bytes)
            return None
        return self._take(end)

    def next_answer(self) -> bytes | None:
        """Take the next line as it is, blank or not, without its LF: the answer to a prompt. See `next_line`."""
        end = self._bytes.find(b"\n")
        if (len(self._bytes) if end == -1 else end) > self.limit:
            raise Malformed(f"the line is longer than {self.limit} bytes")
        return None if end == -1 else self._take(end)

    def last_answer(self) -> bytes | None:
        """Take what is left as it is, when no more will come: the answer to a prompt, without its LF."""
        return self._take(len(self._bytes)) or None

    def last_line(self) -> bytes | None:
        """Take what is left when no more will come, as the shell does with a last line that has no LF."""
        return self._take(len(self._bytes)).rstrip(_BLANKS) or None

    def _take(self, end: int) -> bytes:
        """Take the bytes before ``end``, and drop the LF there."""
        line, self._bytes = self._bytes[:end], self._bytes[end + 1 :]
        self._searched = 0
        return line
