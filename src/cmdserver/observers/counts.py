"""What is counted of events, and what is remembered of last runs; nothing here knows who reads it, and how."""

import signal
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import Final

from cmdserver.core.errors import Code
from cmdserver.core.events import LoggedIn, Requested
from cmdserver.core.output import ProcessResult
from cmdserver.core.run_states import EndedBy

#: Upper bounds in seconds; an ordinary command takes some milliseconds, and 30 s is the usual time limit.
BOUNDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Durations:
    """How long runs took: how many up to each of `BOUNDS`, and longer than the last."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        #: How many took at most so long, but longer than the bound before; the last is of those above all bounds.
        self.counts = [0] * (len(BOUNDS) + 1)
        #: Together.
        self.seconds = 0.0


class Counts:
    """Counts since the start.

    Rule: it grows with what is known of the configuration, and not with what clients choose; whoever calls sees to it.
    """

    def __init__(self) -> None:
        #: By protocol, command and outcome.
        self.requests: Counter[tuple[str, str, Code]] = Counter()
        self.durations: defaultdict[str, Durations] = defaultdict(Durations)
        self.ended_early: Counter[tuple[str, EndedBy]] = Counter()
        #: By protocol and outcome.
        self.logins: Counter[tuple[str, Code]] = Counter()
        #: Exit statuses, as a shell gives them, of last runs that nobody ended before their end.
        self.last_status: dict[str, int] = {}
        #: When last runs ended that were a success, in seconds since the epoch.
        self.last_success: dict[str, float] = {}

    def count_request(self, command: str, event: Requested) -> None:
        """Count a request of a command, whatever name it was asked for by."""
        self.requests[event.caller.protocol, command, event.outcome] += 1
        if event.ended_by is not None:
            self.ended_early[command, event.ended_by] += 1
        finished = event.finished
        if finished is None or not finished.is_over:
            return
        durations = self.durations[command]
        durations.counts[bisect_left(BOUNDS, finished.duration_seconds)] += 1
        durations.seconds += finished.duration_seconds
        if finished.tells_of_command:
            self.last_status[command] = _status_of(finished)
        if event.outcome is Code.OK:
            self.last_success[command] = event.time

    def count_login(self, event: LoggedIn) -> None:
        """Count a login, made or refused."""
        self.logins[event.protocol, event.outcome] += 1


def _status_of(finished: ProcessResult) -> int:
    """Return an exit status as a shell gives it."""
    if finished.exit_status is not None:
        return finished.exit_status
    name = finished.signal or ""
    return 128 + (signal.Signals[name].value if name in signal.Signals.__members__ else 0)
