"""Types of numbers: integer, number, port, duration."""

import re
from decimal import Decimal
from typing import ClassVar, Final, TypeVar

from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.parameter_type import ParameterType

Limit = TypeVar("Limit", int, Decimal)

#: The most digits: more than any program counts with.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER: Final = re.compile(r"([+-]?)([0-9]{1,40})(\.[0-9]{1,40})?")
_DURATION: Final = re.compile(
    r"(?P<seconds>[0-9]{1,12})s?|(?=[0-9])(?:(?P<d>[0-9]{1,12})d)?(?:(?P<h>[0-9]{1,12})h)?(?:(?P<m>[0-9]{1,12})m)?"
    r"(?:(?P<s>[0-9]{1,12})s)?"
)
#: Of twelve digits, as what is written in seconds alone: 30,000 years.
_MOST_SECONDS: Final = 999_999_999_999
_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class Integer(ParameterType, frozen=True, kw_only=True):
    """A whole number.

    Args:
        minimum: None is no limit; below 0, or none, the number may have a minus sign.
        maximum: None is no limit.
    """

    name: ClassVar = "integer"

    minimum: int | None = None
    maximum: int | None = None

    def canonical(self, text: str) -> str:
        """See `ParameterType`: decimal, without leading zeros and plus sign."""
        if _INTEGER.fullmatch(text) is not None:
            number = int(text)
            if _is_within(number, self.minimum, self.maximum, has_minus=text[0] == "-"):
                return str(number)
        raise NotAccepted(f"must be {self.accepts}")

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        return f"a whole number{_range(self.minimum, self.maximum)}"


class Number(ParameterType, frozen=True, kw_only=True):
    """A number, perhaps with a fraction.

    Args:
        minimum: None is no limit; below 0, or none, the number may have a minus sign.
        maximum: None is no limit.
    """

    name: ClassVar = "number"

    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def canonical(self, text: str) -> str:
        """See `ParameterType`: decimal, without leading zeros and plus sign."""
        found = _NUMBER.fullmatch(text)
        if found is not None:
            number, has_minus = Decimal(text), found[1] == "-"
            if _is_within(number, self.minimum, self.maximum, has_minus=has_minus):
                sign = "-" if has_minus and number else ""
                return f"{sign}{found[2].lstrip('0') or '0'}{found[3] or ''}"
        raise NotAccepted(f"must be {self.accepts}")

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        return f"a number{_range(self.minimum, self.maximum)}"


class Port(Integer, frozen=True, kw_only=True):
    """A port of TCP or UDP."""

    name: ClassVar = "port"

    minimum: int | None = 1
    maximum: int | None = 65535


class Duration(ParameterType, frozen=True, kw_only=True):
    """A time span, in whole seconds.

    Args:
        minimum: In seconds; None is no limit.
        maximum: In seconds; None is no limit.
    """

    name: ClassVar = "duration"

    minimum: int | None = None
    maximum: int | None = None

    def canonical(self, text: str) -> str:
        """See `ParameterType`: seconds, in decimal."""
        try:
            seconds = seconds_of(text)
        except ValueError:
            raise NotAccepted(f"must be {self.accepts}") from None
        if (self.minimum is not None and seconds < self.minimum) or (
            self.maximum is not None and seconds > self.maximum
        ):
            raise NotAccepted(f"must be {self.accepts}")
        return str(seconds)

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        least, most = (each if each is None else span(each) for each in (self.minimum, self.maximum))
        return f"a time span such as 90, 90s, 15m, 2h, 1d or 1h30m{_range(least, most)}"


def seconds_of(text: str) -> int:
    """Read ``90``, ``90s``, ``15m``, ``2h``, ``1d``, ``1h30m``.

    Raises:
        ValueError: It is none of these, or longer than can be written in seconds.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!a} is no time span such as 90, 90s, 15m, 2h, 1d or 1h30m")
    if found["seconds"] is not None:
        return int(found["seconds"])
    seconds = sum(int(found[unit] or 0) * size for unit, size in _UNITS.items())
    if seconds > _MOST_SECONDS:
        raise ValueError(f"{text[:40]!a} is more than {_MOST_SECONDS} s")
    return seconds


def span(seconds: int) -> str:
    """Write a time span as `seconds_of` reads it: ``1h30m``."""
    parts = []
    for unit, size in _UNITS.items():
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0"


def _is_within(number: Limit, least: Limit | None, most: Limit | None, *, has_minus: bool) -> bool:
    """Whether a number lies in a range, and has a minus sign, even -0, only where the range has negative numbers."""
    if has_minus and least is not None and least >= 0:
        return False
    return (least is None or number >= least) and (most is None or number <= most)


def _range(least: object, most: object) -> str:
    match least, most:
        case None, None:
            return ""
        case _, None:
            return f", {least} or more"
        case None, _:
            return f", {most} at most"
        case _:
            return f" from {least} to {most}"
