"""Those who hear a run that they, or others, have asked for: from its beginning to its end, or until they may not.

Whether they may is asked of whoever made the watch; here is what becomes of its reader.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.core.errors import UnknownRun
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Listener
from cmdserver.dispatch.requests import Run
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import RunRecord
from cmdserver.runs.recording import Reader, Recording
from cmdserver.runs.waiting import Waiting


class SeenRun(Struct, frozen=True):
    """A run, as one caller may see it."""

    record: RunRecord
    output: KeptOutput
    #: What was run, if that is still in the file; else what is known of it.
    grant: Grant
    may_stop: bool
    #: Why it has not begun, if it is alive and has not.
    waiting: Waiting | None = None


class EndedRun(NamedTuple):
    """A run that is over, for somebody who has heard it."""

    answer: Answer
    record: RunRecord


class Watch:
    """Somebody who reads a run's output.

    Args:
        run_id: The run, by the id that they have named.
        may_go_on: Says whether they may see it, at that moment.
    """

    __slots__ = ("_waiting", "may_go_on", "run_id")

    def __init__(self, run_id: str, may_go_on: Callable[[], bool]) -> None:
        self.run_id = run_id
        self.may_go_on = may_go_on
        self._waiting: Deferred[None] = Deferred()

    def wait(self) -> Deferred[None]:
        """Return what fires at the next `go_on`, and fails at `end`."""
        self._waiting = Deferred()
        return self._waiting

    def go_on(self) -> None:
        """What was waited for has happened."""
        if not self._waiting.called:
            self._waiting.callback(None)

    def end(self, error: Exception | Failure) -> None:
        """Nothing more is to be told."""
        if not self._waiting.called:
            self._waiting.errback(error)


class Watches:
    """All who watch.

    Args:
        clock: Says when it is the next readers' turn.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._all: dict[Watch, None] = {}

    def review(self) -> None:
        """End the watches that may not go on."""
        for watch in list(self._all):
            if not watch.may_go_on():
                watch.end(UnknownRun(watch.run_id))

    async def watch(self, watch: Watch, run: Run, sink: Listener | None) -> EndedRun:
        """Tell a run that is known to the directory, from its beginning to its end."""
        recording = run.recording
        reader: Reader | None = None
        self._all[watch] = None
        try:
            waiting = watch.wait()
            if sink is not None:
                reader = recording.read(sink, watch.end)
                recording.tell(reader)
            if not recording.is_over:
                run.watchers.append(watch.go_on)
                await waiting
            if run.result is None:
                raise UnknownRun(watch.run_id)  # it was never begun, and nobody waits for it any more
            if reader is not None:
                waiting = watch.wait()
                reader.end(watch.go_on)
                await waiting
        finally:
            del self._all[watch]
            with suppress(ValueError):
                run.watchers.remove(watch.go_on)
            if reader is not None:
                reader.stop()
        return EndedRun(run.answer(watch.run_id, shared=len(run.askers) > 1, has_output=sink is None), run.record())

    async def tell_kept(self, watch: Watch, known: SeenRun, sink: Listener) -> None:
        """Tell what is kept of a run that is over."""
        recording = Recording.of(known.output, self._clock)
        waiting = watch.wait()
        reader = recording.read(sink, watch.end)
        self._all[watch] = None
        try:
            recording.started(known.grant, _NoProducer())
            reader.end(watch.go_on)
            await waiting
        finally:
            del self._all[watch]
            reader.stop()


class _NoProducer:
    """Whatever made the output is gone."""

    def pauseProducing(self) -> None:
        """See `Producer`."""

    def resumeProducing(self) -> None:
        """See `Producer`."""
