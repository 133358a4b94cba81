"""Looks whether the lines of audit files are a whole chain, and says of each place where they are not what is wrong.

A line that does not follow the one before it has been changed, or something before it is missing, or it does not belong
there: which of these, the next line tells, which was written behind what it really stood behind. So the verdict on a
line comes with the next one. Line by line, in bounded memory.
"""

import json
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from cmdserver.audit.chain import GENESIS, Sealed, take_apart
from cmdserver.audit.reading import Line

_BEGINNING: Final = b'{"time": "'
_TIME: Final = re.compile(rb'\{"time": "([0-9TZ:.+-]{1,40})"')


class _Doubt(Enum):
    """What is not known of a line until the next one is there."""

    #: It does not follow the line before it.
    BROKEN = auto()
    #: It has no chain value.
    UNCHAINED = auto()
    #: The line before it was changed, so nobody can tell what it should be.
    UNKNOWN = auto()


class _Seen(Struct, frozen=True):
    """A line that was looked at."""

    line: Line
    sealed: Sealed | None


class Summary(Struct, frozen=True):
    """What was looked at."""

    lines: int
    #: Before the chain begins: of a version that had none.
    unchained: int
    #: Parts of lines, of a full disk or a daemon that died, which the next line vouches for.
    torn: int
    #: Whether the first line of all is there; else the chain goes on from lines that are not.
    has_beginning: bool
    first_time: str
    last_time: str
    #: The last chain value; empty if there is none.
    head: str


class Verifier:
    """Takes all lines in their order, those of rotated files one file after the other."""

    def __init__(self) -> None:
        self._lines = self._unchained = self._torn = 0
        self._first_time = self._last_time = ""
        #: The last chain value; empty if there is none.
        self.head = ""
        self._has_beginning = False
        #: The line before, the one before that, and what is in doubt of the first of these.
        self._before: _Seen | None = None
        self._before_that: _Seen | None = None
        self._doubt: _Doubt | None = None
        self._is_in_chain = False
        #: Whether the line before is the first of the chain, or of those before it, which nothing vouches for.
        self._is_before_unproved = False

    def feed(self, line: Line) -> Iterator[str]:
        """Look at the next line; say what is wrong, with the places."""
        self._lines += 1
        self._note_time(line)
        sealed = take_apart(line.data)
        if sealed is not None:
            self.head = sealed.value.decode()
        seen = _Seen(line, sealed)
        if self._is_in_chain and self._before is not None:
            yield from self._go_on(seen, self._before)
        elif sealed is not None:
            yield from self._begin(seen, sealed)
        else:
            self._unchained += 1
        self._before_that, self._before = self._before, seen

    def finish(self) -> Iterator[str]:
        """Say what is wrong at the end, when there is no next line to tell."""
        if self._before is None:
            return
        line = self._before.line
        if self._doubt is _Doubt.UNCHAINED:
            yield f"{line.place}: {_cut_or_foreign(line)}"
        elif self._doubt is _Doubt.BROKEN:
            place = self._place_before_that()
            here = place if self._is_before_unproved else line.place
            yield f"{here}: was changed, or lines between {place} and {line.place} were left out"
        elif not line.is_ended and self._is_in_chain:
            yield f"{line.place}: is cut short: the end of the line is missing"
        if not self._is_in_chain:
            yield f"{line.file}: no line has a chain value"

    def summary(self) -> Summary:
        """Say what was looked at so far."""
        return Summary(
            lines=self._lines,
            unchained=self._unchained,
            torn=self._torn,
            has_beginning=self._has_beginning,
            first_time=self._first_time,
            last_time=self._last_time,
            head=self.head,
        )

    def _begin(self, seen: _Seen, sealed: Sealed) -> Iterator[str]:
        """Look at the first line that has a chain value."""
        self._is_in_chain = True
        if self._before is None:
            self._has_beginning = sealed.follows(GENESIS)
            self._is_before_unproved = not self._has_beginning
        elif sealed.follows(self._before.line.data):
            self._has_beginning = True
        elif sealed.follows(GENESIS):
            yield f"{seen.line.place}: a chain begins here, which has nothing to do with the lines before it"
        else:
            self._doubt, self._is_before_unproved = _Doubt.BROKEN, True

    def _go_on(self, seen: _Seen, before: _Seen) -> Iterator[str]:
        """Look at a line within the chain."""
        follows = seen.sealed is not None and seen.sealed.follows(before.line.data)
        follows_that = (
            seen.sealed is not None
            and self._doubt is not None
            and seen.sealed.follows(self._before_that.line.data if self._before_that is not None else GENESIS)
        )
        yield from self._resolve(follows=follows, follows_that=follows_that)
        was_changed = self._doubt is not None and not follows
        self._doubt = None
        if seen.sealed is None:
            self._doubt = _Doubt.UNCHAINED
        elif not follows and not follows_that:
            if seen.line.data == before.line.data:
                yield f"{seen.line.place}: is a copy of the line before it"
            elif seen.sealed.follows(GENESIS):
                yield f"{seen.line.place}: the chain begins anew here: lines before it were left out or put there"
            else:
                self._doubt = _Doubt.UNKNOWN if was_changed else _Doubt.BROKEN
                return  # what is unproved before it stays so until the next line
        self._is_before_unproved = False

    def _resolve(self, *, follows: bool, follows_that: bool) -> Iterator[str]:
        """Give the verdict on the line before, now that the next one is there.

        Args:
            follows: Whether the next one follows it.
            follows_that: Whether the next one follows the line before it.
        """
        if self._doubt is None or self._before is None:
            return
        line = self._before.line
        if follows_that:
            yield f"{line.place}: was put here: the next line was written behind the one before it"
        elif self._doubt is _Doubt.UNCHAINED:
            if follows and _looks_torn(line.data):
                self._torn += 1
            else:
                yield f"{line.place}: {_cut_or_foreign(line)}"
        elif not follows:
            what = "was changed" if self._doubt is _Doubt.BROKEN else "was changed as well, or the next line was"
            yield f"{line.place}: {what}"
        elif self._doubt is _Doubt.BROKEN and self._is_before_unproved:
            place = self._place_before_that()
            yield f"{place}: was changed, or lines between it and {line.place} were left out"
        elif self._doubt is _Doubt.BROKEN:
            yield f"{line.place}: lines between {self._place_before_that()} and this one were left out or moved"

    def _place_before_that(self) -> str:
        return self._before_that.line.place if self._before_that is not None else "the beginning"

    def _note_time(self, line: Line) -> None:
        found = _TIME.match(line.data)
        if found is not None:
            self._last_time = found[1].decode()
            self._first_time = self._first_time or self._last_time


def _looks_torn(data: bytes) -> bool:
    """Whether something may be the beginning of a line that we have written, and is no whole one."""
    if not data.startswith(_BEGINNING[: len(data)]):
        return False
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return True
    return False


def _cut_or_foreign(line: Line) -> str:
    if line.is_too_long:
        return f"is longer than {len(line.data)} bytes, and was not read to its end"
    if _looks_torn(line.data):
        return "is cut short"
    return "has no chain value, as all lines have since the chain began: it was changed, or put here"
