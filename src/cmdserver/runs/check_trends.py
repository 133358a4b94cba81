"""What the checks of the last day have found, by command: for whoever looks at the last of their runs.

It is heard from events, and only of runs with the values that a command always has: others look at something else. All
of it is in memory, bounded for each command, and lost when the daemon ends. Nothing here knows a clock or a page.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from cmdserver.checks.performance import Performance
from cmdserver.checks.result import CheckResult
from cmdserver.core.events import Event, Requested

#: What was measured in so many seconds is one point.
POINT_SECONDS: Final = 900
#: The points of a day.
MOST_POINTS: Final = 96
#: The values of one command; of more, those are kept that were measured last.
MOST_LABELS: Final = 50


class Point(NamedTuple):
    """What was measured of one value in `POINT_SECONDS`."""

    #: Its place in the day that ends now, from 0 to ``MOST_POINTS - 1``.
    place: int
    smallest: float
    largest: float
    last: float


class _Ring:
    """The points of one value: 3 KB, however often it is measured."""

    __slots__ = ("_numbers", "_values")

    def __init__(self) -> None:
        #: Of quarters of an hour since the epoch: which one a place is of.
        self._numbers = array("q", [-1]) * MOST_POINTS
        self._values = array("d", [0.0]) * (3 * MOST_POINTS)

    def note(self, number: int, value: float) -> None:
        place = number % MOST_POINTS
        smallest = largest = value
        if self._numbers[place] == number:
            smallest, largest, _ = self._values[3 * place : 3 * place + 3]
        self._numbers[place] = number
        self._values[3 * place : 3 * place + 3] = array("d", [min(smallest, value), max(largest, value), value])

    def points(self, newest: int) -> Iterator[Point]:
        oldest = newest - MOST_POINTS + 1
        for number in range(oldest, newest + 1):
            place = number % MOST_POINTS
            if self._numbers[place] == number:
                yield Point(number - oldest, *self._values[3 * place : 3 * place + 3])


class Trend:
    """What the runs of one check have found.

    Args:
        arguments: Of these runs, as records spell them.
        result: Of the first of them.
        ended_at: When that ended, in seconds since the epoch.
    """

    __slots__ = ("_rings", "arguments", "has_changed", "since", "state")

    def __init__(self, arguments: tuple[str, ...], result: CheckResult, ended_at: float) -> None:
        self.arguments = arguments
        self.state = result.state
        #: When the first run ended that has found the same state as the last; seconds since the epoch.
        self.since = ended_at
        #: Whether another state was found before; else it may have been the same before the daemon was started.
        self.has_changed = False
        self._rings: dict[str, _Ring] = {}

    def note(self, arguments: tuple[str, ...], result: CheckResult, ended_at: float) -> None:
        """Take note of another run; see the arguments of this class."""
        self.arguments = arguments
        if result.state is not self.state:
            self.state, self.since, self.has_changed = result.state, ended_at, True
        for label, value in _first_of_each(result.performance):
            ring = self._rings.pop(label) if label in self._rings else _Ring()
            self._rings[label] = ring  # behind those that were measured longer ago
            ring.note(int(ended_at // POINT_SECONDS), value)
        while len(self._rings) > MOST_LABELS:
            del self._rings[next(iter(self._rings))]

    def points(self, label: str, now: float) -> tuple[Point, ...]:
        """Tell what was measured of a value in the day that ends now, oldest first.

        Args:
            label: The value's.
            now: Seconds since the epoch.
        """
        ring = self._rings.get(label)
        return tuple(ring.points(int(now // POINT_SECONDS))) if ring is not None else ()


#: Tells what the check of a command has found lately; None if it has found nothing, or is none.
TrendOf = Callable[[str], Trend | None]


def nothing_is_known(command: str) -> Trend | None:
    """See `TrendOf`: nobody has listened."""
    del command
    return None


class CheckTrends:
    """What all checks have found; an `Observer`."""

    def __init__(self) -> None:
        self._trends: dict[str, Trend] = {}

    def __call__(self, event: Event) -> None:
        """Take note of the end of a run."""
        if not isinstance(event, Requested) or event.command is None or event.assessment is None:
            return
        result = event.assessment.check
        if result is None:
            return
        trend = self._trends.get(event.command)
        if trend is None:
            trend = self._trends[event.command] = Trend(event.arguments, result, event.time)
        trend.note(event.arguments, result, event.time)

    def of(self, command: str) -> Trend | None:
        """See `TrendOf`."""
        return self._trends.get(command)

    def reconfigure(self, checks: Iterable[str]) -> None:
        """Forget all but these commands: the others are no checks any more, or look at something else."""
        self._trends = {name: self._trends[name] for name in checks if name in self._trends}


def _first_of_each(values: Iterable[Performance]) -> Iterator[tuple[str, float]]:
    """Choose the values that are kept: a plugin may name one twice."""
    numbers: dict[str, float] = {}
    for each in values:
        if each.value is not None:
            numbers.setdefault(each.label, each.value)
    return islice(iter(numbers.items()), MOST_LABELS)
