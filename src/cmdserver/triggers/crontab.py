"""When a schedule's times come: the five fields of crontab(5), as Debian's cron reads them.

The library cronsim knows the calendar and what daylight saving does; what it takes beyond crontab(5), or reads in
another way, is refused here. Rule of this file: pure; the time zone is an argument.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from heapq import merge
from typing import Final, Self

from cronsim import CronSim, CronSimError
from msgspec import Struct

from cmdserver.core.escaping import visible

#: Instead of five fields; ``@reboot`` is no time.
NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: A longer line is something else.
MOST_CHARACTERS: Final = 500

_VALUE: Final = r"(?:[0-9]{1,2}|[A-Za-z]{3})"
_PART: Final = rf"(?:\*|{_VALUE}-{_VALUE})(?:/[0-9]{{1,2}})?|{_VALUE}"
_FIELD: Final = re.compile(rf"(?:{_PART})(?:,(?:{_PART}))*")
_STEPS_OF_A_RANGE: Final = re.compile(rf"({_VALUE})-({_VALUE})/")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NUMBERS: Final = {name: number for names in (_WEEKDAYS, ("", *_MONTHS)) for number, name in enumerate(names)}
#: From here on it is looked whether there is a time at all; any would do.
_BEGINNING: Final = datetime(2001, 1, 1, tzinfo=UTC)
_FORM: Final = 'a schedule has five fields as in crontab(5), such as "*/15 * * * *"'


class Schedule(Struct, frozen=True):
    """One line of a ``schedule``, which has times."""

    #: Five fields, a space between them.
    fields: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a line.

        Raises:
            ValueError: It is none, or means no time at all.
        """
        words = NICKNAMES.get(text.strip(), text).split()
        if len(text) > MOST_CHARACTERS or len(words) != len(["m", "h", "d", "m", "w"]):
            raise ValueError(f"{visible(text[:MOST_CHARACTERS])} is no schedule: {_FORM}")
        if wrong := next((each for each in words if not _is_field(each)), None):
            raise ValueError(f"{visible(wrong)} is no field of a schedule: {_FORM}")
        found = cls(" ".join(words))
        try:
            time = found._next_after(_BEGINNING)
        except CronSimError as error:
            raise ValueError(f"{found.fields} has a {str(error).lower()}, or means no time at all") from error
        if time is None:
            raise ValueError(f"{found.fields} means no time at all")
        return found

    def next_after(self, seconds: float, zone: tzinfo) -> int | None:
        """Find the first time after another.

        What is to come at an hour that daylight saving leaves out comes at the end of the gap; what is to come at one
        that there is twice comes the first time only. Lines whose minute or hour begins with a star go by the hours as
        they pass.

        Args:
            seconds: Since the epoch.
            zone: In which the fields are meant.

        Returns:
            Seconds since the epoch, a whole minute; None if none comes within 50 years.
        """
        after = datetime.fromtimestamp(int(seconds // 1), zone)
        time = self._next_after(after, seconds)
        return None if time is None else int(time.timestamp())

    def _next_after(self, after: datetime, seconds: float = 0.0) -> datetime | None:
        # cronsim reckons in wall clock time, by which the second pass of an hour that there is twice is the first one:
        # what it finds then may lie before.
        return next((each for each in CronSim(self.fields, after) if each.timestamp() > seconds), None)


def next_time(schedules: Iterable[Schedule], after: float, zone: tzinfo) -> int | None:
    """Find the next time of several schedules; see `Schedule.next_after`."""
    return min((time for each in schedules if (time := each.next_after(after, zone)) is not None), default=None)


def times_between(schedules: Iterable[Schedule], after: float, until: float, zone: tzinfo) -> Iterator[int]:
    """Find the times of several schedules, in their order, each once: those later than one time, and another's too.

    Args:
        schedules: Whose times they are.
        after: Seconds since the epoch; a time at this very second is none of them.
        until: As above; a time at this very second is one of them.
        zone: As in `Schedule.next_after`.
    """
    last: int | None = None
    for time in merge(*(_times(each, after, until, zone) for each in schedules)):
        if time != last:
            yield time
        last = time


def _times(schedule: Schedule, after: float, until: float, zone: tzinfo) -> Iterator[int]:
    time = schedule.next_after(after, zone)
    while time is not None and time <= until:
        yield time
        time = schedule.next_after(time, zone)


def _is_field(text: str) -> bool:
    """Whether a field is one of crontab(5), and cronsim reads it so."""
    if not _FIELD.fullmatch(text):
        return False
    # cronsim takes 5-5/2 for 5/2, which is 5-59/2.
    return all(_number(first) != _number(last) for first, last in _STEPS_OF_A_RANGE.findall(text))


def _number(value: str) -> int:
    return int(value) if value.isdigit() else _NUMBERS.get(value.upper(), -1)
