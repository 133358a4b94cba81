"""The next times of schedules, for people: what they have written, and what it means. Rule of this file: pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from itertools import islice
from typing import Final

from cmdserver.core.model import Command
from cmdserver.triggers.crontab import Schedule, next_time

_TIMES: Final = 3


def next_times(commands: Iterable[Command], now: float, zone: tzinfo) -> Iterator[str]:
    """Tell of each command that has a schedule when it runs next, a line each.

    Args:
        commands: In the order in which they are told.
        now: Seconds since the epoch.
        zone: In which schedules are meant.
    """
    for command in commands:
        if command.schedule:
            times = islice(_times(tuple(map(Schedule, command.schedule)), now, zone), _TIMES)
            shown = ", ".join(datetime.fromtimestamp(each, zone).isoformat(" ", "minutes") for each in times)
            yield f"{command.name} runs by itself, next at {shown}"


def _times(schedules: tuple[Schedule, ...], now: float, zone: tzinfo) -> Iterator[int]:
    time = next_time(schedules, now, zone)
    while time is not None:
        yield time
        time = next_time(schedules, time, zone)
