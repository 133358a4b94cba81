"""Types of words and texts: choice, string, text, secret, flag."""

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from msgspec import field

from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.patterns import Pattern

#: Control characters, Unicode's line and paragraph separators, and lone surrogates, which are no UTF-8.
_NOT_IN_LINE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: The same but tab and LF.
_NOT_IN_TEXT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
#: How many choices a message lists.
_LISTED: Final = 12
#: Longer texts are compared with no choice: that takes quadratic time.
_LONGEST_COMPARED: Final = 64

_LISTED_CHOICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,127}")

TRUE, FALSE = "true", "false"
_FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), TRUE),
    **dict.fromkeys(("false", "no", "off", "0"), FALSE),
}


def is_one_line(text: str) -> bool:
    """Whether a text has no control character, no separator of lines, and can be encoded."""
    return _NOT_IN_LINE.search(text) is None


def is_lines(text: str) -> bool:
    """Whether a text has no control character but tabs and line ends, and can be encoded."""
    return _NOT_IN_TEXT.search(text) is None


class Choice(ParameterType, frozen=True, kw_only=True):
    """One of a list of values, which the configuration has, or a command prints.

    Args:
        choices: Labels for people, by value; empty if a command prints them.
        source: The command of ``choices_from``; None if the configuration has the list.
        pattern: What printed values must match; None: a word of 128 characters that options cannot be.
    """

    name: ClassVar = "choice"

    choices: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    pattern: Pattern | None = None

    def canonical(self, text: str) -> str:
        """See `ParameterType`; of a printed list only the pattern is known here."""
        if text in self.choices:
            return text
        if self.source is not None and self.may_be_listed(text):
            return text
        raise self.refusal(text)

    def may_be_listed(self, text: str) -> bool:
        """Whether a line that the source prints is a choice.

        One that would be an option is none, whatever the pattern: files, say, may be named by others than the
        administrator.
        """
        if self.pattern is None:
            return _LISTED_CHOICE.fullmatch(text) is not None
        return text[:1] not in {"", "-"} and is_one_line(text) and self.pattern.matches(text)

    def refusal(self, text: str) -> NotAccepted:
        """Return why a text is not accepted that is no choice, with the nearest ones."""
        from difflib import get_close_matches  # noqa: PLC0415 - the runner process is small without it

        near = [] if len(text) > _LONGEST_COMPARED else get_close_matches(text, self.choices, n=3, cutoff=0.5)
        return NotAccepted(f"must be {self.accepts}", tuple(near))

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        return _one_of(self.choices) if self.choices else "one of those that this host lists"


def _one_of(values: Mapping[str, str]) -> str:
    listed = list(values)[:_LISTED]
    more = len(values) - len(listed)
    return f"one of {', '.join(listed)}" + (f" and {more} more" if more else "")


class String(ParameterType, frozen=True, kw_only=True):
    """One line.

    Args:
        pattern: What it must match; None: anything.
        min_length: In characters.
        max_length: In characters.
        may_begin_with_dash: Whether it may look like an option to the command (CVE-2026-4631 of Cockpit).
    """

    name: ClassVar = "string"

    pattern: Pattern | None = None
    min_length: int = 1
    max_length: int = 256
    may_begin_with_dash: bool = False

    def canonical(self, text: str) -> str:
        """See `ParameterType`."""
        if text[:1] == "-" and not self.may_begin_with_dash:
            raise NotAccepted(f'must not begin with "-"; accepted is {self.accepts}')
        if _NOT_IN_LINE.search(text) is not None:
            raise NotAccepted(f"must have no control characters; accepted is {self.accepts}")
        if not self.min_length <= len(text) <= self.max_length or (
            self.pattern is not None and not self.pattern.matches(text)
        ):
            raise NotAccepted(f"must be {self.accepts}")
        return text

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        matching = f" that matches {self.pattern.text}" if self.pattern is not None else ""
        return f"a line of {_lengths(self.min_length, self.max_length)}{matching}"


def _lengths(least: int, most: int) -> str:
    characters = "character" if most == 1 else "characters"
    return f"{least} {characters}" if least == most else f"{least} to {most} {characters}"


class Secret(String, frozen=True, kw_only=True):
    """A line that nobody but the command is to see: it stands in no list, log, address or page."""

    name: ClassVar = "secret"
    places: ClassVar = frozenset({"environment", "stdin"})


class Text(ParameterType, frozen=True, kw_only=True):
    """Any number of lines, for standard input.

    Args:
        max_bytes: Of its canonical form, in UTF-8.
    """

    name: ClassVar = "text"
    places: ClassVar = frozenset({"stdin"})

    max_bytes: int = 65536

    def canonical(self, text: str) -> str:
        """See `ParameterType`: lines end in LF, the last one too."""
        lines = text.replace("\r\n", "\n")
        if not is_lines(lines):
            raise NotAccepted(f"must have no control characters; accepted are {self.accepts}")
        if not lines.endswith("\n"):
            lines += "\n"
        if len(lines.encode()) > self.max_bytes:
            raise NotAccepted(f"must be {self.accepts}")
        return lines

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        return f"lines of {self.max_bytes} bytes at most"


class Flag(ParameterType, frozen=True, kw_only=True):
    """Yes or no.

    Args:
        gives: The words that stand in its place when it is true.
    """

    name: ClassVar = "flag"

    gives: tuple[str, ...] = ()

    def canonical(self, text: str) -> str:
        """See `ParameterType`: ``true`` or ``false``."""
        try:
            return _FLAGS[text.lower()]
        except KeyError:
            raise NotAccepted(f"must be {self.accepts}") from None

    def words(self, canonical: str) -> tuple[str, ...]:
        """See `ParameterType`."""
        return self.gives if canonical == TRUE else ()

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        return "true or false"
