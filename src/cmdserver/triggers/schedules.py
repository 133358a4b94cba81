"""Asks for commands when their times come, as the caller that schedules are.

A time that finds the last scheduled run of its command still going is skipped; one that nobody saw, as the host slept,
the clock was set or the daemon was not there, is missed, and not made up. Both are in the audit file.
May import: core, triggers, auth, dispatch.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Final

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.auth.callers import scheduled
from cmdserver.core.errors import Code, RequestError
from cmdserver.core.model import Command
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.requests import Request
from cmdserver.triggers import due
from cmdserver.triggers.crontab import Schedule, next_time
from cmdserver.triggers.due import Look, Missed
from cmdserver.triggers.last_look import LastLook

#: The longest wait for a time: the clock on the wall may be set meanwhile.
MOST_WAIT_SECONDS: Final = 60.0
#: A clock that is set back by less than this comes to the same times again, which are not asked for twice.
MOST_SECONDS_BACK: Final = 600.0

_log = Logger()


class Schedules:
    """The schedules of all commands.

    Args:
        dispatcher: Whom they ask.
        clock: For waiting.
        time_of_day: Seconds since the epoch.
        zone: In which schedules are meant.
        last_look: Remembers over a restart.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        clock: IReactorTime,
        time_of_day: Callable[[], float],
        zone: tzinfo,
        last_look: LastLook,
    ) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._time_of_day = time_of_day
        self._zone = zone
        self._last_look = last_look
        self._schedules: due.Schedules = {}
        self._looked_at = 0.0
        self._waiting: IDelayedCall | None = None
        self._is_running = False
        #: The commands whose last scheduled run is going on.
        self._going: set[str] = set()

    def start(self, commands: Iterable[Command]) -> None:
        """Begin to look; what came while nobody did was missed."""
        now = self._time_of_day()
        self._is_running = True
        self._schedules = _schedules_of(commands)
        seen = self._last_look.read(now) if self._schedules else None
        if seen is not None:
            known = {
                name: lines for name, lines in self._schedules.items() if seen.schedules.get(name) == _texts(lines)
            }
            self._tell_missed(due.look(known, seen.looked_at, now, self._zone, most_seconds_late=0.0).missed)
        self._looked_at = now
        self._remember()
        self._wait()

    def reconfigure(self, commands: Iterable[Command]) -> None:
        """Go by other schedules from now on; one that is new has no times before."""
        if not self._is_running:
            return
        new = _schedules_of(commands)
        self._schedules = {name: lines for name, lines in self._schedules.items() if new.get(name) == lines}
        self._look()
        self._schedules = new
        self._remember()
        self._wait()

    def stop(self) -> None:
        """Ask for nothing any more; what runs goes on."""
        if self._is_running:
            self._is_running = False
            self._stop_waiting()
            self._remember()

    # From time to time

    def _wait(self, least_seconds: float = 0.0) -> None:
        self._stop_waiting()
        now = self._time_of_day()
        time = next_time((line for lines in self._schedules.values() for line in lines), self._looked_at, self._zone)
        if time is not None and self._is_running:
            seconds = min(max(least_seconds, time - now), MOST_WAIT_SECONDS)
            self._waiting = self._clock.callLater(seconds, self._look_and_wait)

    def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting.active():
            waiting.cancel()

    def _look_and_wait(self) -> None:
        try:
            self._look()
        except Exception:  # noqa: BLE001 - whatever it is, the other times come all the same
            _log.failure("schedules could not be looked at")
            self._wait(MOST_WAIT_SECONDS)  # at once it would fail again
        else:
            self._wait()

    def _look(self) -> None:
        now = self._time_of_day()
        if now <= self._looked_at:
            if now < self._looked_at - MOST_SECONDS_BACK:
                _log.warn("the clock was set back; schedules go by what it says now")
                self._looked_at = now
                self._remember()
            return
        found = due.look(self._schedules, self._looked_at, now, self._zone)
        self._looked_at = now
        if found != Look():
            # Before anything runs: if the daemon is killed meanwhile, it was asked for, and is not told to be missed.
            self._remember()
        self._tell_missed(found.missed)
        for name in found.due:
            with _log.failuresHandled("the schedule of {name} could not be followed", name=name):
                self._ask(name)

    def _remember(self) -> None:
        self._last_look.write(self._looked_at, {name: _texts(lines) for name, lines in self._schedules.items()})

    # What is asked, and what is not

    def _ask(self, name: str) -> None:
        """Ask for a command; what is refused is written down by whoever refuses it."""
        caller = scheduled()
        if name in self._going:
            self._dispatcher.unasked(caller, name, Code.SKIPPED)
            return
        try:
            request = self._dispatcher.authorize(caller, (name,))
        except RequestError:
            return
        self._going.add(name)

        def over(result: object) -> object:
            self._going.discard(name)
            return result

        def begun(_: object, request: Request) -> None:
            request.answered.addBoth(over)

        def refused(failure: Failure) -> None:
            self._going.discard(name)
            if not failure.check(RequestError):
                _log.failure("the schedule of {name} could not be followed", failure, name=name)

        maybeDeferred(self._dispatcher.start, request).addCallback(begun, request).addErrback(refused)

    def _tell_missed(self, missed: Mapping[str, Missed]) -> None:
        for name, each in missed.items():
            caller = scheduled()
            for time in each.times:
                when = datetime.fromtimestamp(time, self._zone).isoformat(timespec="minutes")
                self._dispatcher.unasked(caller, name, Code.MISSED, (when,))
            if each.more:
                more = f"at least {each.more}" if each.is_uncounted else str(each.more)
                self._dispatcher.unasked(caller, name, Code.MISSED, (f"{more} more",))


def _schedules_of(commands: Iterable[Command]) -> due.Schedules:
    return {each.name: tuple(map(Schedule, each.schedule)) for each in commands if each.schedule}


def _texts(lines: Iterable[Schedule]) -> list[str]:
    return [line.fields for line in lines]
