"""From granted requests to processes: who shares one, who waits, who starts, who is told.

Requests that may share a process form a `Job` (`Coalescing`); a job waits for a place (`FairQueue`); when a place is
free its process starts (`Runner`); when that has ended, the place goes to the next job before anybody is told.

State is changed before anybody is told, because whoever is told may ask again at once.
"""

import errno
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Busy, Refusal
from cmdserver.core.model import Answer, ProcessResult
from cmdserver.dispatch.broadcast import READERS_A_TURN, Broadcast
from cmdserver.dispatch.coalescing import Coalescing
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.requests import Job, Request
from cmdserver.execution.runner import Runner
from cmdserver.limits.fair_queue import FairQueue
from cmdserver.limits.start_rates import StartRates

#: What the kernel says when it is the host that has no room: worth another try, so `busy`, not `fault`.
_NO_ROOM = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
#: Output that is made into answers in one turn of the reactor, if there are several: a megabyte of JSON takes 10 ms.
BYTES_A_TURN: Final = 1 << 20

#: Says why a request that has no answer yet, and whose process runs or not, may not have one; None if it may.
Judge = Callable[[Request, bool], Refusal | None]


class Scheduler:
    """The requests that are under way.

    Args:
        fair_queue: The places.
        runner: Starts processes.
        clock: Says when it is the next subscribers' turn.
        log: Writes down what becomes of requests, and answers those that get no process.
    """

    def __init__(self, fair_queue: FairQueue[Job], runner: Runner, clock: IReactorTime, log: RequestLog) -> None:
        self.fair_queue = fair_queue
        self._runner = runner
        self._clock = clock
        self._log = log
        self._rates = StartRates()
        self._jobs: Coalescing[Job] = Coalescing()
        #: Those whose process has ended and who have no answer yet, as they are many or slow; and how it ended.
        self._settled: dict[Request, ProcessResult] = {}

    def enter(self, request: Request) -> None:
        """Let a request join the job that waits for the same answer, or a new one in the queue.

        Its ``answered`` fires when it has its answer; to cancel that is to leave.

        Raises:
            Busy: There is no room; the request is forgotten.
            Throttled: The command was started as often as it may be.
        """
        command = request.grant.command
        if command.rate_limit is not None:
            self._rates.require(command.name, command.rate_limit, self._clock.seconds())
        request.answered = Deferred(lambda _: self._leave(request))
        key: Hashable = request.grant if command.share else request.id
        job = request.job = self._jobs.ask(key, request, lambda key: Job(key, command))
        if len(job.requests) > 1:
            self.fair_queue.join(job, request.caller.key)
        elif self._jobs.may_start(job):
            try:
                self._queue(job, request.caller.key)
            except Busy:
                self._jobs.leave(job, request)
                request.job = None
                raise
            self.start_all_that_may()

    def start_all_that_may(self) -> None:
        """Give free places to those whose turn it is; to be called when the limits have grown."""
        while (job := self.fair_queue.grant()) is not None:
            self._start(job)

    def review(self, judge: Judge) -> None:
        """Judge all requests that have no answer yet, and refuse those that may not have one.

        A process that nobody waits for then is ended, as it is when its last caller leaves.
        """
        refused = [
            (request, refusal, so_far)
            for request, is_running, so_far in self._unanswered()
            if (refusal := judge(request, is_running)) is not None
        ]
        for request, _, _ in refused:
            self._take_out(request)
        for request, refusal, so_far in refused:
            self._refuse(request, refusal, so_far)

    def _unanswered(self) -> Iterator[tuple[Request, bool, ProcessResult | None]]:
        """List the requests without an answer, whether their processes were started, and what those have done."""
        for job in self._jobs:
            so_far = job.run.so_far() if job.run is not None else None
            for request in job.requests:
                yield request, job.is_running, so_far
        for request, result in self._settled.items():
            yield request, True, result

    # From the queue to the process

    def _queue(self, job: Job, lane: str) -> None:
        loser = self.fair_queue.ask(job, lane)
        if loser is not None:
            self._turn_away(loser, Busy("others had fewer requests waiting", self.fair_queue.wait_seconds()))

    def _queue_following(self, job: Job) -> None:
        lanes = list(dict.fromkeys(request.caller.key for request in job.requests))
        try:
            self._queue(job, lanes[0])
        except Busy as busy:
            self._turn_away(job, busy)
        else:
            for lane in lanes[1:]:
                self.fair_queue.join(job, lane)

    def _start(self, job: Job) -> None:
        self._jobs.start(job)
        first = next(iter(job.requests))
        rate_limit = first.grant.command.rate_limit
        try:
            if rate_limit is not None:
                self._rates.spend(job.command, rate_limit, self._clock.seconds())
                job.is_counted = True
            self._log.starting(list(job.requests))  # now, and not before: it may have waited for long
            sink = self._broadcast(job) if first.grant.command.share else first.sink
            job.run = self._runner.run(first.grant, sink)
        except Exception:  # noqa: BLE001 - whatever it is, its place is given back and somebody is told
            self._not_started(job, Failure())
        else:
            if not job.requests:
                job.run.abandon()  # its only caller left while it was being started
            job.run.finished.addCallbacks(self._settle, self._lost, callbackArgs=(job,), errbackArgs=(job,)).addErrback(
                self._unsettled, job
            )

    def _broadcast(self, job: Job) -> Broadcast | None:
        """Let all who listen to a shared run hear it; where nobody does, its output is gathered for all."""
        listening = [request for request in job.requests if request.sink is not None]
        if not listening:
            return None
        job.broadcast = broadcast = Broadcast(self._clock)
        for request in listening:
            if request.sink is not None:
                request.subscriber = broadcast.subscribe(request.sink, partial(self._sink_failed, request))
        return broadcast

    def _sink_failed(self, request: Request, failure: Failure) -> None:
        """One subscriber failed: fail its request, keep the run for the others."""
        self._leave(request)
        if not request.answered.called:
            self._log.failed(request, failure)

    # The end of a process

    def _lost(self, failure: Failure, job: Job) -> None:
        """The process could not be started after all, its runner is gone, or its sink has raised something."""
        for request in job.departed:
            self._log.abandoned(request)
        self._not_started(job, failure)
        self.start_all_that_may()

    def _not_started(self, job: Job, failure: Failure) -> None:
        error = failure.value
        if job.is_counted and not job.has_begun(error):
            self._rates.give_back(job.command)
        requests = self._end(job, 0.0)
        self._stop_telling(requests)
        for request in requests:
            if isinstance(error, Refusal):
                self._refuse(request, error)
            elif isinstance(error, OSError) and error.errno == errno.E2BIG:
                self._refuse(request, BadArgument("the values are too long together"))
            elif isinstance(error, OSError) and error.errno in _NO_ROOM:
                self._refuse(request, Busy(f"no process can be started: {error.strerror}", 1))
            elif request.answered.called:
                self._log.abandoned(request)
            else:
                self._log.failed(request, failure)

    def _settle(self, result: ProcessResult, job: Job) -> None:
        requests = self._end(job, result.duration_seconds)
        self.start_all_that_may()
        if job.broadcast is not None:
            result = job.broadcast.complete(result)
        if self._log.ended(requests, job.departed, result):
            self._settled.update((request, result) for request in requests if not request.answered.called)
            self._tell(job, result)
        else:
            self._stop_telling(requests)

    def _unsettled(self, failure: Failure, job: Job) -> None:
        """A mistake of ours while answers were given: nobody may be left without one."""
        self._stop_telling(job.asked)
        for request in job.asked:
            if not request.answered.called:
                self._log.failed(request, failure)

    def _end(self, job: Job, duration_seconds: float) -> list[Request]:
        """Give the place back, and queue the job that waits for this end; return who asked."""
        job.asked = list(job.requests)
        for request in job.asked:
            request.job = None  # requests and job point at each other, and would be left to the garbage collector
        job.requests.clear()
        self.fair_queue.leave(job, duration_seconds)
        following = self._jobs.end(job)
        if following is not None:
            self._queue_following(following)
        return job.asked

    # Answers

    def _tell(self, job: Job, result: ProcessResult, first: int = 0) -> None:
        """Answer as many as one turn of the reactor is good for, and the others in the next ones."""
        following = first + _answers_a_turn(result)
        for request in job.asked[first:following]:
            if request in self._settled:  # else it has left, or was refused, in the meantime
                answer = Answer(id=request.id, grant=request.grant, finished=result, shared=len(job.asked) > 1)
                if request.subscriber is not None:
                    request.subscriber.end(partial(self._answer, request, answer))
                else:
                    self._answer(request, answer)
        if following < len(job.asked):
            deferLater(self._clock, 0, self._tell, job, result, following).addErrback(self._unsettled, job)

    def _answer(self, request: Request, answer: Answer) -> None:
        del self._settled[request]
        request.subscriber = None  # which points back, and would be left to the garbage collector
        request.answered.callback(answer)

    def _turn_away(self, job: Job, busy: Busy) -> None:
        """Refuse all who wait for a run that will not be."""
        self.fair_queue.withdraw(job)
        requests = list(job.requests)
        for request in requests:
            self._jobs.leave(job, request)
            request.job = None
        for request in requests:
            self._refuse(request, busy)

    def _refuse(self, request: Request, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        """Tell somebody that there is no answer, unless what another was told has made them leave."""
        if request.answered.called:
            self._log.abandoned(request)
        else:
            self._log.turned_away(request, refusal, so_far)

    def _stop_telling(self, requests: Iterable[Request]) -> None:
        """Who gets no answer hears no more of what it would have been."""
        for request in requests:
            self._settled.pop(request, None)
            if request.subscriber is not None:
                request.subscriber.stop()
                request.subscriber = None

    def _leave(self, request: Request) -> None:
        """The caller is gone, or wants no answer any more."""
        job = self._take_out(request)
        if job is None:
            return
        if job.is_running:
            job.departed.append(request)
        else:
            self._log.abandoned(request)

    def _take_out(self, request: Request) -> Job | None:
        """Let a request wait no more; a job that nobody else waits for is given up.

        Returns:
            The job that it waited for; None if that is over.
        """
        self._stop_telling([request])
        job, request.job = request.job, None
        if job is not None and self._jobs.leave(job, request):
            if job.run is not None:
                job.run.abandon()
            elif not job.is_running:
                self.fair_queue.withdraw(job)
        return job


def _answers_a_turn(result: ProcessResult) -> int:
    """Say how many answers may be made of an end before others have their turn."""
    size = len(result.stdout) + len(result.stderr)
    return max(1, min(READERS_A_TURN, BYTES_A_TURN // (size + 1)))
