"""The result of a check: what a plugin has said, or what rules have found."""

from typing import Final

from msgspec import Struct

from cmdserver.checks.performance import Performance, joined
from cmdserver.checks.states import CheckState

#: Of the first line; what is longer is cut, with an ellipsis.
MOST_CHARACTERS: Final = 4096
#: Of long text.
MOST_LONG_CHARACTERS: Final = 1 << 16


class CheckResult(Struct, frozen=True, kw_only=True):
    """How something is, why, and what was measured."""

    state: CheckState
    #: The first line, without performance data.
    text: str
    #: What follows, as lines.
    long_text: str = ""
    performance: tuple[Performance, ...] = ()
    #: How many values more there were.
    omitted_values: int = 0

    @property
    def plugin_output(self) -> str:
        """What a plugin prints that has found this, with its last line break."""
        measured = joined(self.performance)
        first = f"{self.text} | {measured}" if measured else self.text
        return f"{first}\n{self.long_text}\n" if self.long_text else f"{first}\n"


def one_line(text: str) -> str:
    """Make text fit for the first line of a plugin: ``|`` begins performance data, a line break long text."""
    line = "".join(("/" if each == "|" else each) if each.isprintable() else "?" for each in text)
    return shortened(line, MOST_CHARACTERS)


def shortened(text: str, most: int) -> str:
    """Cut text to so many characters, the last of which says so."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
