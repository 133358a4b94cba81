"""Runs on their way from the queue to a process, and to their end: who starts when a place is free, who has to go.

Requests come and leave elsewhere; here a run begins, ends, or will not be, and its place goes to the next.
"""

import errno
from collections.abc import Iterable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Busy, Refusal
from cmdserver.core.output import Assessment, ProcessResult
from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.requests import Request, Run
from cmdserver.dispatch.scheduling.answering import Answering
from cmdserver.dispatch.scheduling.coalescing import Coalescing
from cmdserver.dispatch.scheduling.run_directory import RunDirectory
from cmdserver.execution.runner import Runner
from cmdserver.limits.fair_queue import FairQueue
from cmdserver.limits.start_rates import StartRates

#: What the kernel says when it is the host that has no room: worth another try, so `busy`, not `fault`.
_NO_ROOM = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})

#: What is told of a run that has no end of its own.
_NOT_BEGUN = "it could not be run; the log says why"
_GONE = "its end is not known, as whoever ran it is gone; the log says why"


class RunQueue:
    """The runs that wait and those that run; see `Scheduler` for the arguments.

    Args:
        answering: Answers those who have asked.
        assessor: Judges what runs have found.
    """

    def __init__(
        self,
        fair_queue: FairQueue[Run],
        runner: Runner,
        clock: IReactorTime,
        log: RequestLog,
        directory: RunDirectory,
        answering: Answering,
        assessor: Assessor,
    ) -> None:
        self.runs: Coalescing[Run] = Coalescing()
        self.rates = StartRates()
        self._fair_queue = fair_queue
        self._runner = runner
        self._clock = clock
        self._log = log
        self._directory = directory
        self._answering = answering
        self._assessor = assessor

    def start_all_that_may(self) -> None:
        """Give free places to those whose turn it is; to be called when the limits have grown."""
        queue = self._fair_queue
        while queue.queued and (run := queue.grant()) is not None:
            self._start(run)

    # From the queue to the process

    def queue(self, run: Run, lane: str) -> None:
        """Let a run wait for its turn, in a caller's lane.

        Raises:
            Busy: There is no room.
        """
        loser = self._fair_queue.ask(run, lane)
        if loser is not None:
            self._turn_away(loser, Busy("others had fewer requests waiting", self._fair_queue.wait_seconds()))

    def _queue_following(self, run: Run) -> None:
        lanes = list(dict.fromkeys(request.caller.key for request in run.requests))
        try:
            self.queue(run, lanes[0])
        except Busy as busy:
            self._turn_away(run, busy)
        else:
            for lane in lanes[1:]:
                self._fair_queue.join(run, lane)

    def _start(self, run: Run) -> None:
        self.runs.start(run)
        command = run.grant.command
        try:
            if command.rate_limit is not None:
                self.rates.spend(run.command, command.rate_limit, self._clock.seconds())
                run.is_counted = True
            self._log.starting(run)  # now, and not before: it may have waited for long
            self._directory.started(run)
            is_heard = False
            for request in list(run.requests):
                if request.sink is not None:
                    is_heard = True
                    self._answering.hear(run, request)
            run.is_gathered = not is_heard and _want_output(run.requests)
            judge = partial(self._assess, run) if command.check is not None or command.metrics else None
            run.process = self._runner.run(run.grant, run.recording, gathers=run.is_gathered, then=judge)
        except Exception:  # noqa: BLE001 - whatever it is, its place is given back and somebody is told
            self._not_started(run, Failure())
        else:
            if not run.requests:
                run.process.end(EndedBy.DISCONNECT)  # its only caller left while it was being started
            run.process.finished.addCallbacks(
                self._settle, self._lost, callbackArgs=(run,), errbackArgs=(run,)
            ).addErrback(self._answering.broken, run)

    # The end of a process

    def _lost(self, failure: Failure, run: Run) -> None:
        """The process could not be started after all, or its runner is gone."""
        for request in run.departed:
            self._log.abandoned(request)
        self._not_started(run, failure)
        self.start_all_that_may()

    def _not_started(self, run: Run, failure: Failure) -> None:
        error = failure.value
        has_begun = run.has_begun(error)
        if run.is_counted and not has_begun:
            self.rates.give_back(run.command)
        requests = self._end(run, 0.0)
        self._answering.stop_telling(requests)
        run.recording.finish()
        refusal = _refusal_of(error)
        if has_begun or any(request.is_detached for request in requests):
            self._directory.failed(run, str(refusal or (_GONE if has_begun else _NOT_BEGUN)))
        else:
            self._directory.dropped(run)
        for request in requests:
            if refusal is not None:
                self._answering.refuse(request, refusal)
            elif request.answered.called:
                self._log.abandoned(request)
            else:
                self._log.failed(request, failure)
        run.tell_watchers()

    def _assess(self, run: Run, result: ProcessResult) -> Deferred[ProcessResult]:
        """Let it be judged what a run has found, before it is over for anybody: its state belongs to its answer."""
        if not run.is_gathered:
            result, run.is_gathered = run.recording.complete(result), True

        def keep(assessment: Assessment) -> ProcessResult:
            run.assessment = assessment
            return result

        return self._assessor.assess(run.grant.command, result).addCallback(keep)

    def _settle(self, result: ProcessResult, run: Run) -> None:
        requests = self._end(run, result.duration_seconds)
        self.start_all_that_may()
        self._ended(run, requests, result)

    def _ended(self, run: Run, requests: list[Request], result: ProcessResult) -> None:
        """A run is over: write that down, and answer those who have asked."""
        run.recording.finish()
        if not run.is_gathered and (run.grant.command.parser is not None or _want_output(requests)):
            result = run.recording.complete(result)
        self._directory.ended(run, result)
        self._answering.ended(run)
        run.tell_watchers()

    def _end(self, run: Run, duration_seconds: float) -> list[Request]:
        """Give the place back, and queue the run that waits for this end; return who asked."""
        run.asked = list(run.requests)
        for request in run.asked:
            request.run = None  # requests and run point at each other, and would be left to the garbage collector
        run.requests = {}
        self._fair_queue.leave(run, duration_seconds)
        following = self.runs.end(run)
        if following is not None:
            self._queue_following(following)
        return run.asked

    def _turn_away(self, run: Run, busy: Busy) -> None:
        """Refuse all who wait for a run that will not be."""
        self._fair_queue.withdraw(run)
        requests = self._forget_waiting(run)
        run.recording.finish()
        if any(request.is_detached for request in requests):
            self._directory.failed(run, str(busy))
        else:
            self._directory.dropped(run)
        for request in requests:
            self._answering.refuse(request, busy)
        run.tell_watchers()

    def take_back(self, run: Run, result: ProcessResult) -> None:
        """End a run that waits."""
        self._fair_queue.withdraw(run)
        self._ended(run, self._forget_waiting(run), result)

    def _forget_waiting(self, run: Run) -> list[Request]:
        """Let nobody wait for a run any more that has not begun; return who did."""
        run.asked = list(run.requests)
        for request in run.asked:
            self.runs.leave(run, request)
            request.run = None
        return run.asked

    def give_up(self, run: Run, last: Request, refusal: Refusal | None) -> None:
        """Forget a run that waits, and that nobody waits for any more."""
        self._fair_queue.withdraw(run)
        run.recording.finish()
        if refusal is not None and last.is_detached:
            run.asked = [last]
            if last.ended_by is EndedBy.SHUTDOWN:
                self._directory.ended(run, ProcessResult.of_none(last.ended_by))
            else:
                self._directory.failed(run, str(refusal))
        else:
            self._directory.dropped(run)
        run.tell_watchers()


def _want_output(requests: Iterable[Request]) -> bool:
    """Whether somebody wants the output in the answer."""
    for request in requests:  # noqa: SIM110 - a generator is three calls more
        if request.sink is None and not request.is_detached:
            return True
    return False


def _refusal_of(error: BaseException | None) -> Refusal | None:
    """Say what to tell of a process that could not be started, if it is nobody's fault."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return BadArgument("the values are too long together")
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Busy(f"no process can be started: {error.strerror}", 1)
    return None
