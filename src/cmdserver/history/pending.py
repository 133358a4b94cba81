"""Changes on their way to the disk: few for a moment, or many while the disk is in trouble; bounded in both cases.

Rule: what has ended is in here until it is written, so that it is always found, here or there.
"""

from collections.abc import Iterator
from typing import Final

from cmdserver.history.changes import Began, Change, Ended, Forgotten
from cmdserver.history.trimming import size_of, without
from cmdserver.runs.record import RunRecord

#: Runs that have ended.
MOST_RUNS: Final = 2000
#: Of output, of values and of the rest, as it is in memory, more or less.
MOST_BYTES: Final = 16 << 20

_RECORD_BYTES: Final = 1000
_REQUEST_BYTES: Final = 200
_PIECE_BYTES: Final = 100


class Pending:
    """What is to be written.

    Args:
        most_runs: That have ended, >= 1.
        most_bytes: That those have, >= 0; what is being written may have as many again.
    """

    def __init__(self, most_runs: int = MOST_RUNS, most_bytes: int = MOST_BYTES) -> None:
        #: Runs that were dropped, or lost their output, as there were too many; whoever tells of them sets them to 0.
        self.dropped_runs = 0
        self.dropped_outputs = 0
        self._most_runs = most_runs
        self._most_bytes = most_bytes
        self._alive: dict[int, RunRecord] = {}
        self._waiting: dict[int, Change] = {}
        self._under_way: dict[int, Change] = {}
        #: Runs that the disk has as running.
        self._begun: set[int] = set()
        #: Of those that wait and have ended: how many bytes each has, and which have output.
        self._sizes: dict[int, int] = {}
        self._bytes = 0
        self._with_output: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def alive(self) -> tuple[RunRecord, ...]:
        """Runs that have begun, and neither ended nor been forgotten."""
        return tuple(self._alive.values())

    def ended(self) -> Iterator[Ended]:
        """Find what has ended and is not known to be on the disk."""
        for changes in (self._under_way, self._waiting):
            yield from (each for each in changes.values() if isinstance(each, Ended))

    def add(self, change: Change) -> None:
        """Take what has happened to a run; the last counts."""
        number = change.record.number
        if isinstance(change, Began):
            self._alive[number] = change.record
        else:
            self._alive.pop(number, None)
        if isinstance(change, Forgotten) and number not in self._begun and number not in self._under_way:
            self._remove(number)  # the disk never hears of it
        else:
            self._put(number, change)
            self._keep_bounds()

    def take(self) -> tuple[Change, ...]:
        """Hand out all that waits, to be written; `written` or `not_written` says what has become of it."""
        self._under_way, self._waiting = self._waiting, {}
        self._forget_sizes()
        return tuple(self._under_way.values())

    def written(self) -> None:
        """Note that what was taken is on the disk."""
        for number, change in self._under_way.items():
            if isinstance(change, Began):
                self._begun.add(number)
            else:
                self._begun.discard(number)
        self._under_way = {}

    def not_written(self) -> None:
        """Take back what was taken, but for that of which more is known by now."""
        newer = self._waiting
        self._waiting = {}
        self._forget_sizes()
        for number, change in (self._under_way | newer).items():
            self._put(number, change)
        self._under_way = {}
        self._keep_bounds()

    def clear(self) -> None:
        """Let go of all changes; what runs is still known."""
        self._waiting, self._under_way = {}, {}
        self._begun.clear()
        self._forget_sizes()

    def _put(self, number: int, change: Change) -> None:
        self._remove(number)
        self._waiting[number] = change
        if isinstance(change, Ended):
            self._sizes[number] = size = _bytes_of(change)
            self._bytes += size
            if size_of(change.output):
                self._with_output.add(number)

    def _remove(self, number: int) -> None:
        self._waiting.pop(number, None)
        self._bytes -= self._sizes.pop(number, 0)
        self._with_output.discard(number)

    def _forget_sizes(self) -> None:
        self._sizes, self._bytes, self._with_output = {}, 0, set()

    def _keep_bounds(self) -> None:
        while self._bytes > self._most_bytes and self._with_output:
            number = min(self._with_output)
            change = self._waiting[number]
            if isinstance(change, Ended):
                self._put(number, Ended(change.record, without(change.output)))
            self.dropped_outputs += 1
        while self._sizes and (self._bytes > self._most_bytes or len(self._sizes) > self._most_runs):
            number = min(self._sizes)
            change = self._waiting[number]
            self._remove(number)
            self.dropped_runs += 1
            if number in self._begun:  # or it would be lost some day
                self._put(number, Forgotten(change.record))


def _bytes_of(change: Ended) -> int:
    record, output = change.record, change.output
    pieces = len(output.first) + len(output.last)
    values = sum(map(len, record.arguments)) + len(record.problem or "")
    requests = len(record.others) * _REQUEST_BYTES
    return _RECORD_BYTES + values + requests + size_of(output) + pieces * _PIECE_BYTES
