"""Which commands are due, and which of their times were missed: from when somebody looked last until now.

Rule of this file: pure; the time is an argument.
"""

from collections.abc import Mapping
from datetime import tzinfo
from itertools import islice
from typing import Final, TypeAlias

from msgspec import Struct, field

from cmdserver.triggers.crontab import Schedule, times_between

#: A time that is seen so much later was missed: with five fields the next one may be there already.
MOST_SECONDS_LATE: Final = 60.0
#: Times of a command that are told one by one, and the most that are counted: each takes some 50 microseconds.
MOST_TOLD: Final = 10
MOST_COUNTED: Final = 500

#: By the names of commands.
Schedules: TypeAlias = Mapping[str, tuple[Schedule, ...]]


class Missed(Struct, frozen=True):
    """The times of a command that nobody saw."""

    #: Seconds since the epoch; the first ones.
    times: tuple[int, ...]
    #: How many more there were.
    more: int = 0
    #: Whether there were still more, which were not counted.
    is_uncounted: bool = False


class Look(Struct, frozen=True):
    """What is to be done now, by the names of commands."""

    due: tuple[str, ...] = ()
    missed: Mapping[str, Missed] = field(default_factory=dict)


def look(
    schedules: Schedules, after: float, now: float, zone: tzinfo, most_seconds_late: float = MOST_SECONDS_LATE
) -> Look:
    """Find what is due, and what was missed.

    Args:
        schedules: Whose times they are.
        after: When somebody looked last, in seconds since the epoch; what was to come then is not looked for again.
        now: Not before that.
        zone: In which the schedules are meant.
        most_seconds_late: A time that came longer ago was missed, and at 0 or less every time.
    """
    on_time = now - most_seconds_late
    due: list[str] = []
    missed: dict[str, Missed] = {}
    for name, lines in schedules.items():
        if late := _missed(lines, after, min(on_time, now), zone):
            missed[name] = late
        if next(times_between(lines, max(after, on_time), now, zone), None) is not None:
            due.append(name)
    return Look(tuple(due), missed)


def _missed(lines: tuple[Schedule, ...], after: float, until: float, zone: tzinfo) -> Missed | None:
    times = list(islice(times_between(lines, after, until, zone), MOST_COUNTED + 1))
    if not times:
        return None
    counted = times[:MOST_COUNTED]
    return Missed(tuple(counted[:MOST_TOLD]), len(counted[MOST_TOLD:]), len(times) > MOST_COUNTED)
