"""Where a value stands between its limits, as shares of a bar. Pure; what a plugin says comes to a bar or to none."""

from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from cmdserver.checks.performance import Performance
from cmdserver.checks.ranges import Range
from cmdserver.checks.states import CheckState
from cmdserver.runs.check_trends import Point


def state_of(measured: Performance) -> CheckState | None:
    """Say what the limits of a value make of it; None if it has none."""
    if measured.value is None:
        return CheckState.UNKNOWN
    if (alert := measured.alert) is not None:
        return alert[0]
    return None if measured.critical is None and measured.warning is None else CheckState.OK


class Scale(Struct, frozen=True):
    """The numbers at both ends of a bar, or at the bottom and the top of a plot."""

    low: float
    high: float

    @classmethod
    def of(cls, measured: Performance, day: Iterable[Point]) -> Self | None:
        """Find the scale of a value's bar: from its minimum, else 0, to its maximum.

        Without a maximum it ends with what is critical, else with the largest of the day. Where a plugin says nothing
        it reaches as far as the value and its limits do.

        Returns:
            None if there is no room between its ends, or no value.
        """
        if measured.value is None:
            return None
        ticks = [*bounds(measured.warning), *bounds(measured.critical)]
        low = measured.minimum
        if low is None:
            low = min(0.0, measured.value, *ticks)
        high = measured.maximum
        if high is None or high <= low:
            largest = () if bounds(measured.critical) else (each.largest for each in day)
            high = max((measured.value, *ticks, *largest))
        found = cls(low, high)
        return found if found.has_room else None

    @property
    def has_room(self) -> bool:
        """Whether there is a distance between its ends: half of the smallest number that there is is nothing."""
        return self.low / 2 < self.high / 2

    def share(self, value: float) -> float:
        """Return where a number is, from 0 to 1, if it `has_room`.

        By halves, as the difference of two large numbers may be no number.
        """
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return min(1.0, max(0.0, share))

    def has(self, value: float) -> bool:
        """Whether a number is between its ends, or one of them."""
        return self.low <= value <= self.high


def bounds(limit: Range | None) -> tuple[float, ...]:
    """Return the bounds of a limit, if there is one."""
    return limit.bounds if limit is not None else ()
