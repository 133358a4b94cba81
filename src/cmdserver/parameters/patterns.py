"""Regular expressions of the administrator's, matched against a stranger's text in bounded time.

Python's own `re` may take exponential time (CWE-1333), and RE2 reads some of Python's syntax as something else
(``a{,3}``). The regex package reads Python's syntax, and gives up when its time is over.
"""

from typing import Final

#: For one match. A match takes microseconds; only a pattern that goes astray takes as long.
SECONDS: Final = 0.1


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
            self._compiled = regex.compile(text, regex.ASCII | regex.VERSION0)
        except regex.error as error:
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
