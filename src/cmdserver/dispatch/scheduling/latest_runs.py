"""The newest run of each command, of everybody who has lately asked for it; and how long it usually takes.

What ends is noted here whether it is kept or not: of most commands the history has failures alone. What was before the
start comes from the history, when somebody first asks. All of it is bounded, for each command in the file. Whether a
caller may know of a run is not decided here.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.core.run_states import RunState
from cmdserver.dispatch.requests import Run
from cmdserver.runs.history import USUAL_RUNS, History
from cmdserver.runs.record import RunRecord

#: Of how many who have asked for a command the newest run is known: of those who have done so last.
MOST_ASKERS: Final = 16
#: Requests of one run that are told of, as many as the history keeps.
MOST_REQUESTS: Final = 100
#: Fewer successes say nothing about the next.
FEWEST_SUCCESSES: Final = 3

_log = Logger()


class _Noted(NamedTuple):
    number: int
    #: Makes the record when somebody asks: of most runs nobody ever does.
    record: Callable[[], RunRecord]


class NewestByAsker:
    """The newest of some runs, for each who has asked for one: all of the anonymous are one of these."""

    def __init__(self) -> None:
        self._noted: dict[str | None, _Noted] = {}

    def note(self, user: str | None, noted: _Noted) -> None:
        """Take a run, if it is newer than what is known of the same user; the oldest of too many is forgotten."""
        if user in self._noted:
            if self._noted[user].number < noted.number:
                self._noted[user] = noted
            return
        self._noted[user] = noted
        if len(self._noted) > MOST_ASKERS:
            del self._noted[min(self._noted, key=lambda each: self._noted[each].number)]

    def of(self, user: str) -> RunRecord | None:
        """Tell of the newest that somebody has asked for."""
        noted = self._noted.get(user)
        return noted.record() if noted is not None else None

    def newest(self) -> RunRecord | None:
        """Tell of the newest, whoever has asked for it."""
        noted = max(self._noted.values(), key=lambda each: each.number, default=None)
        return noted.record() if noted is not None else None


class _OfCommand:
    """What is known of one command."""

    def __init__(self) -> None:
        self.runs = NewestByAsker()
        self.successes = NewestByAsker()
        #: How long the last successes have run, in seconds, by their numbers.
        self.durations: dict[int, float] = {}
        #: Whether those are among them that the history has.
        self.has_kept_durations = False

    def note(self, users: Iterable[str | None], noted: _Noted, state: RunState) -> None:
        for user in users:
            self.runs.note(user, noted)
            if state is RunState.OK:
                self.successes.note(user, noted)

    def note_duration(self, number: int, seconds: float) -> None:
        self.durations[number] = seconds
        if len(self.durations) > USUAL_RUNS:
            del self.durations[min(self.durations)]


#: What is known of a command that is none.
_NOTHING: Final = _OfCommand()


class LatestRuns:
    """What is known of the last runs of each command.

    Args:
        history: Has those that were before the start, as far as they were kept.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._commands: dict[str, _OfCommand] = {}
        self._is_known = False
        #: Who waits until the history was read.
        self._waiting: list[Deferred[None]] = []

    def reconfigure(self, names: Iterable[str]) -> None:
        """Go by other commands: what is known of those that are no more is forgotten."""
        before, self._commands = self._commands, {}
        for name in names:
            self._commands[name] = before.get(name) or _OfCommand()
            self._is_known = self._is_known and name in before

    def note(self, run: Run, record: Callable[[], RunRecord]) -> None:
        """Take note of a run that is over.

        Args:
            run: It is not kept.
            record: Tells of it.
        """
        known = self._commands.get(run.command)
        if known is None or run.state is None:
            return
        users: tuple[str | None, ...] = (run.caller.name,)
        if len(run.askers) > 1 or run.id not in run.askers or run.listings:
            users = run.users()[-MOST_ASKERS:]
        if len(run.askers) > MOST_REQUESTS:
            record = _telling(_with_few_requests(record(), users))
        known.note(users, _Noted(run.number, record), run.state)
        if run.state is RunState.OK and run.result is not None:
            known.note_duration(run.number, run.result.duration_seconds)

    def known(self) -> Deferred[None]:
        """Read the history, if it was not.

        Returns:
            Fires when that was done, or cannot be for now, and does not fail; then whoever asks next tries again.
        """
        if self._is_known:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._history.newest(MOST_ASKERS).addBoth(self._read)
        return waiting

    def runs(self, command: str) -> NewestByAsker:
        """Tell of the newest runs of a command that are over; of a command that is none there are none."""
        return self._commands.get(command, _NOTHING).runs

    def successes(self, command: str) -> NewestByAsker:
        """Tell of the newest successes of a command."""
        return self._commands.get(command, _NOTHING).successes

    async def usual_seconds(self, command: str) -> float | None:
        """Say how long a command usually runs: the median of its last successes; None if they are too few."""
        known = self._commands.get(command)
        if known is None:
            return None
        if not known.has_kept_durations:
            kept = await self._history.durations(command)
            known.has_kept_durations = kept is not None
            for number, seconds in (kept or {}).items():
                known.note_duration(number, seconds)
        return statistics.median(known.durations.values()) if len(known.durations) >= FEWEST_SUCCESSES else None

    def _read(self, records: tuple[RunRecord, ...] | Failure | None) -> None:
        """Take what the history has."""
        waiting, self._waiting = self._waiting, []
        if isinstance(records, Failure):
            _log.failure("the history cannot be read", failure=records)
        elif records is not None:
            self._is_known = True
            for record in records:
                known = self._commands.get(record.command)
                if known is not None and not record.state.is_alive:
                    known.note(_users_of(record), _Noted(record.number, _telling(record)), record.state)
        for each in waiting:
            each.callback(None)


def _telling(record: RunRecord) -> Callable[[], RunRecord]:
    return lambda: record


def _users_of(record: RunRecord) -> Iterator[str | None]:
    yield record.user
    yield from (each.user for each in record.others)


def _with_few_requests(record: RunRecord, users: Iterable[str | None]) -> RunRecord:
    """Keep of each of these users the last request of a run that very many share."""
    last = {each.user: each for each in record.others}
    return replace(record, others=tuple(last[user] for user in users if user in last))
