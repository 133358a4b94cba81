"""Ranges of numbers, as plugins take them (Monitoring Plugins Guidelines, "Threshold and Ranges").

``80`` alerts below 0 and over 80, ``10:`` below 10, ``~:5`` over 5, ``10:20`` outside of both, ``@10:20`` inside.
"""

import math
import re
from collections.abc import Callable
from typing import Final, Self

from msgspec import Struct

_NUMBER: Final = r"[-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][-+]?\d{1,3})?"
_RANGE: Final = re.compile(rf"(@?)(?:(~|{_NUMBER}|):)?({_NUMBER}|)", re.ASCII)
#: What a range is, for whoever has written something else.
EXAMPLES: Final = '"80" (not over 80), "10:" (not under 10), "~:5", "10:20" (between), "@10:20" (not between)'


class NotARange(ValueError):  # noqa: N818 - a statement
    """A text is no range; the text of the error says why, for people."""


def number(text: str) -> float | None:
    """Read a number as plugins write it; None if it is none, or none that is finite."""
    if re.fullmatch(_NUMBER, text, re.ASCII) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


class Range(Struct, frozen=True):
    """Which values raise an alert: those outside, or inside, of two bounds; the bounds themselves are inside."""

    #: As it was written.
    text: str
    #: May be minus infinity.
    start: float
    #: May be infinity.
    end: float
    #: ``@``.
    alerts_inside: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a range.

        Raises:
            NotARange: It is none.
        """
        found = _RANGE.fullmatch(text.strip())
        if found is None or not found[0].strip("@"):
            raise NotARange(f"{text!r} is no range: {EXAMPLES}")
        at, start_text, end_text = found.groups()
        start = -math.inf if start_text == "~" else _bound(start_text or "0", text)
        end = _bound(end_text, text) if end_text else math.inf
        if start > end:
            raise NotARange(f"{text!r} begins with {start:g}, which is more than its end")
        return cls(found[0], start, end, bool(at))

    def alerts(self, value: float) -> bool:
        """Whether a value raises an alert."""
        return (self.start <= value <= self.end) == self.alerts_inside

    def reason(self, value: float) -> str:
        """Say why a value raises an alert: ``over 90``."""
        if self.alerts_inside:
            return f"between {plain(self.start)} and {plain(self.end)}"
        return f"under {plain(self.start)}" if value < self.start else f"over {plain(self.end)}"

    @property
    def _has_start(self) -> bool:
        """Whether it says from where on: nobody thinks of less than nothing where only the other bound was written."""
        is_plain = self.start == 0 and ":" not in self.text and not self.alerts_inside
        return math.isfinite(self.start) and not is_plain

    @property
    def bounds(self) -> tuple[float, ...]:
        """Its bounds, as far as it says them, the smaller first."""
        starts = (self.start,) if self._has_start else ()
        return (*starts, self.end) if math.isfinite(self.end) else starts

    def words(self, say: Callable[[float], str] | None = None) -> str:
        """Say for which values it alerts: ``under 10 or over 20``.

        Args:
            say: Writes a bound; None: as `plain` does.
        """
        say = say or plain
        if self.alerts_inside:
            if math.isinf(self.start) or math.isinf(self.end):
                low = f"{say(self.start)} or more" if math.isinf(self.end) else f"{say(self.end)} or less"
                return "always" if math.isinf(self.start) and math.isinf(self.end) else low
            return f"between {say(self.start)} and {say(self.end)}"
        parts = [f"under {say(self.start)}"] if self._has_start else []
        parts += [f"over {say(self.end)}"] if math.isfinite(self.end) else []
        return " or ".join(parts) or "never"


def _bound(word: str, text: str) -> float:
    value = number(word)
    if value is None:
        # As infinity it would be a range that never alerts, or always, and nobody would see why.
        raise NotARange(f"{text!r} has {word}, which is too large for a bound")
    return value


def plain(value: float) -> str:
    """Write a number as short as it is, without an exponent where it needs none."""
    if value.is_integer():
        return str(int(value)) if abs(value) < 1e15 else f"{value:g}"  # noqa: PLR2004 - what a float knows exactly
    return f"{value:.10g}"
