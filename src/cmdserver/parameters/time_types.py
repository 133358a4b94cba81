"""Types of times: date and datetime, as ISO 8601 writes them."""

import re
from datetime import date, datetime
from typing import ClassVar, Final

from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.parameter_type import ParameterType

#: The forms of ISO 8601 that `fromisoformat` reads; it also takes any character between date and time.
_DATE: Final = re.compile(r"[0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W[0-9]{2}(?:-?[1-7])?)")
_DATETIME: Final = re.compile(
    rf"(?P<date>{_DATE.pattern})[T ](?P<time>[0-9]{{2}}(?::?[0-9]{{2}}){{0,2}}(?:[.,][0-9]{{1,6}})?)"
    r"(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


class Date(ParameterType, frozen=True, kw_only=True):
    """A day.

    Args:
        format: How the command is given it, as for strftime(3); None: in ISO 8601.
    """

    name: ClassVar = "date"

    format: str | None = None

    def canonical(self, text: str) -> str:
        """See `ParameterType`."""
        if _DATE.fullmatch(text) is not None:
            try:
                day = date.fromisoformat(text)
            except ValueError:
                pass
            else:
                return day.isoformat()
        raise NotAccepted(f"must be {self.accepts}")

    def words(self, canonical: str) -> tuple[str, ...]:
        """See `ParameterType`."""
        return (canonical if self.format is None else date.fromisoformat(canonical).strftime(self.format),)

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        return "a date such as 2026-11-28"


class DateTime(ParameterType, frozen=True, kw_only=True):
    """A moment; without a zone, by the host's clock.

    Args:
        format: How the command is given it, as for strftime(3), by the host's clock; None: in ISO 8601.
    """

    name: ClassVar = "datetime"

    format: str | None = None

    def canonical(self, text: str) -> str:
        """See `ParameterType`: what has no zone has none."""
        if _DATETIME.fullmatch(text) is not None:
            try:
                canonical = datetime.fromisoformat(text).isoformat()
                self.words(canonical)  # the first and the last day of the calendar may be in no year by our clock
            except (ValueError, OverflowError, OSError):
                pass
            else:
                return canonical
        raise NotAccepted(f"must be {self.accepts}")

    def words(self, canonical: str) -> tuple[str, ...]:
        """See `ParameterType`."""
        if self.format is None:
            return (canonical,)
        return (datetime.fromisoformat(canonical).astimezone().strftime(self.format),)

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        return "a date and time such as 2026-11-28T09:30"
