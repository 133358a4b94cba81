"""Regular expressions of the administrator's, matched against a stranger's text in bounded time.

Python's own `re` may take exponential time (CWE-1333), and RE2 reads some of Python's syntax as something else
(``a{,3}``). The regex package reads Python's syntax, and gives up when its time is over.
"""

import re
from typing import Final

#: For one match. A match takes microseconds; only a pattern that goes astray takes as long.
SECONDS: Final = 0.1
#: Of a pattern, and of the product of its counts: more takes long to compile, in the runner process too.
_LONGEST, _LARGEST = 1000, 1_000_000

#: Escaped characters, sets, counts, and braces that are neither.
_BRACES: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<counts>[0-9]+(?:,[0-9]*)?|,[0-9]+)\}|(?P<lone>\{)", re.DOTALL
)


class Pattern:
    r"""A pattern that must match all of a text, by ASCII's rules: ``\d`` is a digit from 0 to 9.

    Args:
        text: In Python's syntax.

    Raises:
        ValueError: It is no regular expression; the text says why.
    """

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        import regex  # noqa: PLC0415 - only who has a pattern needs it, and the runner process is to be small

        self.text = text
        try:
            re.compile(text, re.ASCII)  # as regex has syntax of its own
            _require_small(text)
            self._compiled = regex.compile(text, regex.ASCII | regex.VERSION0)
        except (re.error, regex.error, RecursionError, OverflowError, MemoryError) as error:
            raise ValueError(f"is no regular expression: {error}") from None

    def matches(self, text: str) -> bool:
        """Whether the pattern matches all of a text; it does not if that cannot be said within `SECONDS`."""
        try:
            return self._compiled.fullmatch(text, timeout=SECONDS) is not None
        except TimeoutError:
            return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def _require_small(text: str) -> None:
    """Raise a ValueError for a pattern that would take long to compile, or has a brace that regex reads otherwise.

    ``{e}`` is three characters to Python, and to regex leave to match anything. Counts multiply where they are nested.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    size = 1
    for found in _BRACES.finditer(text):
        if found["lone"]:
            raise ValueError("has a brace that is no count such as {2} or {1,3}; as a character it is written \\{")
        if found["counts"]:
            size *= max(int(each) for each in found["counts"].split(",") if each) or 1
    if size > _LARGEST:
        raise ValueError("repeats too often: its counts multiply")
