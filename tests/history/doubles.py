"""Runs for tests of the history."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred, maybeDeferred

from cmdserver.core.output import Stream
from cmdserver.core.run_states import RunState
from cmdserver.history.changes import Ended
from cmdserver.history.retention import HistoryLimits
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import Sight
from cmdserver.runs.record import RunRecord

#: Seconds since the epoch.
NOW = 1_700_000_000.0
DAY = 86_400.0
LIMITS = HistoryLimits()
OUTPUT = KeptOutput(((Stream.STDOUT, b"out"), (Stream.STDERR, b"err")), 7, ((Stream.STDOUT, b"end"),))

#: Sees everything that tests run.
ALL = Sight(user=None, own=frozenset(), all=frozenset({"df", "uptime"}))


def run(number: int, **differences: Any) -> RunRecord:
    """Make a run that has ended well."""
    usual = RunRecord(
        number=number,
        id=f"{number:016x}",
        command="df",
        arguments=("-h", "/"),
        state=RunState.OK,
        user="ada",
        protocol="web",
        asked_at=NOW,
        started_at=NOW + 1,
        duration_seconds=2.5,
        exit_status=0,
        stdout_bytes=13,
        stderr_bytes=3,
    )
    return replace(usual, **differences)


def running(number: int, **differences: Any) -> RunRecord:
    """Make a run that is not over."""
    return run(number, **{"state": RunState.RUNNING, "exit_status": None, "duration_seconds": None, **differences})


def failed(number: int, **differences: Any) -> RunRecord:
    """Make a run that has failed."""
    return run(number, **{"state": RunState.FAILED, "exit_status": 1, **differences})


def ended(record: RunRecord, output: KeptOutput = OUTPUT) -> Ended:
    """Make the change that keeps a run."""
    return Ended(record, output)


class ManualThread:
    """A thread whose work is done at once, or, while it is held up, when a test says so."""

    def __init__(self) -> None:
        self.is_held = False
        self.is_stopped = False
        self._jobs: list[Callable[[], object]] = []

    def run(self, function: Callable[..., Any], *args: object) -> Deferred[Any]:
        """Call a function, now or later."""
        result: Deferred[Any] = Deferred()
        self._jobs.append(lambda: maybeDeferred(function, *args).chainDeferred(result))
        if not self.is_held:
            self.go_on()
        return result

    def go_on(self) -> None:
        """Do what was asked meanwhile, in this order."""
        self.is_held = False
        while self._jobs:
            self._jobs.pop(0)()

    def stop(self) -> None:
        """Take note."""
        self.is_stopped = True
