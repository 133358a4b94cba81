"""From granted requests to processes: who shares one, who waits, who starts, who is told.

Requests that may share a process form a `Run` (`Coalescing`); a run waits for a place (`FairQueue`); when a place is
free its process starts (`Runner`); when that has ended, the place goes to the next run before anybody is told.

State is changed before anybody is told, because whoever is told may ask again at once.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from cmdserver.core.errors import Busy, Refusal
from cmdserver.core.model import Command
from cmdserver.core.output import ProcessResult
from cmdserver.core.run_states import EndedBy, OnDisconnect, WhenRunning
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.requests import JOINED, Request, Run
from cmdserver.dispatch.scheduling.answering import Answering
from cmdserver.dispatch.scheduling.run_directory import RunDirectory
from cmdserver.dispatch.scheduling.run_queue import RunQueue
from cmdserver.execution.runner import Runner
from cmdserver.limits.fair_queue import FairQueue

#: Who stops what a caller may not have any more; no user is called so.
A_RELOAD: Final = "a reload"

#: Says why a request that has no answer yet, and whose process runs or not, may not have one; None if it may.
Judge = Callable[[Request, bool], Refusal | None]


class Scheduler:
    """The requests that are under way.

    Args:
        fair_queue: The places.
        runner: Starts processes.
        clock: Says when it is the next subscribers' turn.
        log: Writes down what becomes of requests, and answers those that get no process.
        directory: Knows the runs that are alive.
        assessor: Judges what runs have found.
    """

    def __init__(
        self,
        fair_queue: FairQueue[Run],
        runner: Runner,
        clock: IReactorTime,
        log: RequestLog,
        directory: RunDirectory,
        assessor: Assessor,
    ) -> None:
        self.fair_queue = fair_queue
        self.directory = directory
        self._clock = clock
        self._log = log
        #: Answers those who have asked.
        self.answering = Answering(clock, log, self._take_out)
        self._queue = RunQueue(fair_queue, runner, clock, log, directory, self.answering, assessor)

    def enter(self, request: Request) -> None:
        """Let a request join the run that waits for the same answer, or a new one in the queue.

        Its ``answered`` fires when it has its answer; to cancel that is to leave.

        Raises:
            Busy: There is no room; the request is forgotten.
            Throttled: The command was started as often as it may be.
        """
        command = request.grant.command
        request.answered = Deferred(lambda _: self._leave(request))
        if command.when_running is not WhenRunning.WAIT and self._runs_enough(command) and self._join(request):
            return
        if command.rate_limit is not None:
            self._queue.rates.require(command.name, command.rate_limit, self._clock.seconds())
        key: Hashable = request.grant if command.share else request.id
        run = request.run = self._queue.runs.ask(key, request, partial(self.directory.open, first=request))
        is_joined = len(run.requests) > 1
        if is_joined:
            self.fair_queue.join(run, request.caller.key)
        elif self._queue.runs.may_start(run):
            try:
                self._queue.queue(run, request.caller.key)
            except Busy:
                self._queue.runs.leave(run, request)
                request.run = None
                self.directory.dropped(run)
                raise
        self.directory.entered(run, request)
        if not is_joined:
            self._queue.start_all_that_may()

    def start_all_that_may(self) -> None:
        """Give free places to those whose turn it is; to be called when the limits have grown."""
        self._queue.start_all_that_may()

    def obstacles(self, run: Run) -> Sequence[Run] | None:
        """Say why a run has not begun.

        Returns:
            The runs of its command one of which has to end first, in the order in which they began; none if it waits
            for its turn alone. None: it does not wait.
        """
        if run.is_running or not run.requests:
            return None
        running = self._queue.runs.running
        if run.key in running:
            return (running[run.key],)
        same = [each for each in running.values() if each.command == run.command]
        return same if run.max_running is not None and len(same) >= run.max_running else ()

    def stop(self, run: Run, by: EndedBy, whom: str | None) -> None:
        """End a run, whoever waits for it; they are told by whom.

        Args:
            run: One that is alive; of another nothing becomes.
            by: Whether one of those stops it who have asked for it.
            whom: The name of whoever stops it.
        """
        if run.process is not None:
            run.process.end(by, whom)
        elif not run.is_running and run.requests:
            self._queue.take_back(run, ProcessResult.of_none(by, whom))

    def interrupt(self, request: Request) -> None:
        """Let a request's caller leave because they want its run to end."""
        request.ended_by = EndedBy.CALLER
        if request.answered.called:  # they have left before, and it has gone on
            self._leave(request)
        else:
            request.answered.cancel()

    def review(self, judge: Judge, by: EndedBy = EndedBy.STOP) -> None:
        """Judge all requests that have no answer yet, and refuse those that may not have one.

        A process that nobody waits for then is ended, as it is when its last caller leaves.

        Args:
            judge: Says which.
            by: Why: another configuration, or the daemon's end.
        """
        refused = [
            (request, refusal, so_far)
            for request, is_running, so_far in self._unanswered()
            if (refusal := judge(request, is_running)) is not None
        ]
        for request, refusal, _ in refused:
            request.ended_by = by
            self._take_out(request, refusal)
        for request, refusal, so_far in refused:
            self.answering.refuse(request, refusal, so_far)

    def _unanswered(self) -> Iterator[tuple[Request, bool, ProcessResult | None]]:
        """List the requests without an answer, whether their processes were started, and what those have done."""
        for run in self._queue.runs:
            so_far = run.process.so_far() if run.process is not None else None
            for request in run.requests:
                if not (request.is_detached and run.is_running):
                    yield request, run.is_running, so_far
        for request, run in self.answering.unanswered():
            yield request, True, run.result

    # Commands that are to run once

    def _runs_enough(self, command: Command) -> bool:
        return command.max_running is not None and command.max_running <= sum(
            run.command == command.name for run in self._queue.runs
        )

    def _join(self, request: Request) -> bool:
        """Let a request see the run of its command and values that is alive; return whether there is one.

        Raises:
            Busy: It is not to wait either.
        """
        command = request.grant.command
        if command.when_running is WhenRunning.REFUSE:
            raise Busy(f"{command.name} is running already", self.fair_queue.wait_seconds())
        run = next((each for each in self._queue.runs if each.grant == request.grant and each.requests), None)
        if run is None:
            return False
        request.run, request.is_joined = run, True
        run.requests[request] = None
        self.directory.entered(run, request)
        self.fair_queue.join(run, request.caller.key)
        if request.sink is not None:
            request.sink.notice(JOINED)
            if run.is_running:
                self.answering.hear_at_once(run, request)
        return True

    # Those who leave

    def _leave(self, request: Request) -> None:
        """The caller is gone, or wants no answer any more."""
        if (
            request.run is not None
            and request.ended_by is EndedBy.DISCONNECT
            and request.grant.command.on_disconnect is OnDisconnect.CONTINUE
        ):
            request.is_detached = True
            self.answering.stop_telling([request])
            request.sink = None
            return
        run = self._take_out(request)
        if run is not None and run.is_running:
            run.departed.append(request)
        elif run is not None:
            self._log.abandoned(request)

    def _take_out(self, request: Request, refusal: Refusal | None = None) -> Run | None:
        """Let a request wait no more; a run that nobody else waits for is given up.

        Args:
            request: Leaves, or is made to.
            refusal: Why it may not wait any longer; what was promised to somebody tells it to who asks for it.

        Returns:
            The run that it waited for; None if that is over.
        """
        self.answering.stop_telling([request])
        run, request.run = request.run, None
        if run is None:
            return None
        is_left = self._queue.runs.leave(run, request)
        if run.process is not None and is_left:
            run.process.end(request.ended_by, _who_has_ended(request))
        elif not run.is_running and is_left:
            self._queue.give_up(run, request, refusal)
        elif not run.is_running:
            self.directory.left(run, request)
        return run


def _who_has_ended(request: Request) -> str | None:
    """Name who ends a run by taking a request out; None where that is nobody in particular."""
    match request.ended_by:
        case EndedBy.CALLER:
            return request.caller.name
        case EndedBy.STOP:
            return A_RELOAD
        case _:
            return None
