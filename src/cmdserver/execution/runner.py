"""Start granted commands, and know which are under way."""

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorProcess, IReactorTime

from cmdserver.core.model import Grant
from cmdserver.core.output import ProcessResult, Sink
from cmdserver.core.run_states import EndedBy
from cmdserver.execution.gather import gather
from cmdserver.execution.process_run import ProcessRun
from cmdserver.execution.timeouts import Timeouts

Outcome = TypeVar("Outcome")


class Runner:
    """Starts runs and knows those that are under way.

    Args:
        spawner: Starts processes by the names of their commands: the runner process, or ourselves.
    """

    def __init__(self, spawner: IReactorProcess, clock: IReactorTime) -> None:
        self._spawner = spawner
        self._clock = clock
        self._timeouts = Timeouts(clock)
        self._under_way: set[ProcessRun] = set()
        self._idle: list[Deferred[None]] = []

    def run(
        self,
        grant: Grant,
        sink: Sink,
        *,
        gathers: bool = False,
        then: Callable[[ProcessResult], Deferred[ProcessResult]] | None = None,
    ) -> ProcessRun:
        """Start a granted command, whose output goes to the sink as it comes.

        Args:
            grant: What is run.
            sink: Hears what the process says.
            gathers: Whether the result has the output, too.
            then: What is done when the process has ended, and belongs to the run; `wait_idle` waits for that, too.

        Raises:
            OSError: The process cannot be started; nothing was. It may turn out later, too: see `ProcessRun.finished`.
        """

        def start(sink: Sink) -> ProcessRun:
            run = ProcessRun(grant, sink, self._spawner, self._clock, self._timeouts)
            run.start()
            return run

        run = gather(grant, start, sink) if gathers else start(sink)
        self._under_way.add(run)
        if then is not None:
            run.finished.addCallback(then)
        run.finished.addBoth(self._forget, run)
        return run

    def _forget(self, finished: Outcome, run: ProcessRun) -> Outcome:
        self._under_way.discard(run)
        if self._idle:
            # Not now: those who wait for this end are told of it after us, and may start another run.
            self._clock.callLater(0, self._tell_if_idle)
        return finished

    def _tell_if_idle(self) -> None:
        if not self._under_way:
            waiting, self._idle = self._idle, []
            for deferred in waiting:
                deferred.callback(None)

    def wait_idle(self) -> Deferred[None]:
        """Fire when no process is under way and everybody has been told of the last one's end.

        Where more share it than are told in one turn of the reactor, the others are told in the turns after that.
        """
        idle: Deferred[None] = Deferred(self._idle.remove)
        if self._under_way:
            self._idle.append(idle)
        else:
            idle.callback(None)
        return idle

    def close(self) -> None:
        """Let go of the clock: nothing is under way, nor will be."""
        self._timeouts.close()

    def end_all(self) -> None:
        """Ask every process group to end, as the daemon does; `wait_idle` tells when they have."""
        for run in list(self._under_way):
            run.end(EndedBy.SHUTDOWN)
