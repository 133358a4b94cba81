"""From granted questions to processes: who shares, who waits, who starts, who is told.

Questions that may share a process form groups (`coalescing`); a group waits for a place (`fair_queue`); when a place is
free its process starts (`runner`); when that has ended, the place goes to the next before anybody is told.

Rules of this file: it knows no policy and writes nothing down, it reports to its `Reporter`; state is changed before
anybody is told, because whoever is told may ask again at once.
"""

import errno
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from cmdserver.core.errors import Busy, Refusal
from cmdserver.core.model import Answer, Command, ProcessResult
from cmdserver.dispatch.broadcast import READERS_A_TURN, Broadcast
from cmdserver.dispatch.coalescing import Coalescing, Group
from cmdserver.dispatch.requests import Judge, Reporter, Request
from cmdserver.execution.process_run import Execution
from cmdserver.execution.runner import Runner
from cmdserver.limits.fair_queue import FairQueue, QueueEntry

#: What the kernel says when it is the host that has no room: worth another try, so `busy`, not `fault`.
_NO_ROOM = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
#: Output that is made into answers in one turn of the reactor, if there are several: a megabyte of JSON takes 10 ms.
BYTES_A_TURN: Final = 1 << 20


class Run(QueueEntry):
    """One process for one group of questions: first the place that it waits for, then the execution."""

    __slots__ = ("asked", "departed", "execution", "group", "recording")

    def __init__(self, group: Group[object, Request], command: Command) -> None:
        super().__init__(command.name, command.max_running)
        self.group = group
        self.execution: Execution | None = None
        #: Of a shared run that somebody listens to.
        self.recording: Broadcast | None = None
        #: Those who left while the process was running.
        self.departed: list[Request] = []
        #: Those who stayed until it had ended.
        self.asked: list[Request] = []


class Scheduler:
    """The questions that are under way.

    Args:
        admission: The places.
        runner: Starts processes.
        clock: Says when it is the next readers' turn.
    """

    def __init__(self, fair_queue: FairQueue[Run], runner: Runner, clock: IReactorTime) -> None:
        self.fair_queue = fair_queue
        self._runner = runner
        self._clock = clock
        self._coalescing: Coalescing[object, Request] = Coalescing()
        self._runs: dict[Group[object, Request], Run] = {}
        #: Those whose process has ended and who have no answer yet, as they are many or slow; and how it ended.
        self._settled: dict[Request, ProcessResult] = {}

    def report_to(self, reporter: Reporter) -> None:
        """Name the one reporter; before the first question."""
        self._reporter = reporter

    def enter(self, request: Request) -> None:
        """Let a question join the group that waits for the same answer, or found one and stand in line.

        Its ``answered`` fires when it has its answer; to cancel that is to leave.

        Raises:
            Busy: There is no room; the question is forgotten.
        """
        request.answered = Deferred(lambda _: self._leave(request))
        key: object = request.grant if request.grant.command.share else request.id
        group = request.group = self._coalescing.ask(key, request)
        run = self._runs.get(group)
        if run is not None:
            self.fair_queue.join(run, request.caller.key)
            return
        run = self._runs[group] = Run(group, request.grant.command)
        if self._coalescing.may_start(group):
            try:
                self._queue(run, request.caller.key)
            except Busy:
                self._coalescing.leave(group, request)
                request.group = None
                del self._runs[group]
                raise
            self.start_all_that_may()

    def start_all_that_may(self) -> None:
        """Give free places to those whose turn it is; to be called when the limits have grown."""
        while (run := self.fair_queue.grant()) is not None:
            self._start(run)

    def review(self, judge: Judge) -> None:
        """Judge all questions that have no answer yet, and refuse those that may not have one.

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
        """List the questions without an answer, whether their processes were started, and what those have done."""
        for run in self._runs.values():
            so_far = run.execution.so_far() if run.execution is not None else None
            for request in run.group.requests:
                yield request, run.is_running, so_far
        for request, finished in self._settled.items():
            yield request, True, finished

    def _queue(self, run: Run, lane: str) -> None:
        loser = self.fair_queue.ask(run, lane)
        if loser is not None:
            self._turn_away(loser, Busy("others had fewer requests waiting", self.fair_queue.wait_seconds()))

    def _start(self, run: Run) -> None:
        self._coalescing.start(run.group)
        first = next(iter(run.group.requests))
        try:
            self._reporter.starting(list(run.group.requests))  # now, and not before: it may have waited for long
            sink = self._record(run) if first.grant.command.share else first.sink
            run.execution = self._runner.run(first.grant, sink)
        except Exception:  # noqa: BLE001 - whatever it is, its place is given back and somebody is told
            self._not_started(run, Failure())
        else:
            if not run.group.requests:
                run.execution.abandon()  # its only caller left while it was being started
            run.execution.finished.addCallbacks(
                self._settle, self._lost, callbackArgs=(run,), errbackArgs=(run,)
            ).addErrback(self._unsettled, run)

    def _lost(self, failure: Failure, run: Run) -> None:
        """It could not be started after all, whoever ran it is gone, or its sink has raised something."""
        for request in run.departed:
            self._reporter.withdrawn(request)
        self._not_started(run, failure)
        self.start_all_that_may()

    def _record(self, run: Run) -> Broadcast | None:
        """Let all who listen to a shared run hear it; where nobody does, its output is gathered for all."""
        listening = [request for request in run.group.requests if request.sink is not None]
        if not listening:
            return None
        run.recording = recording = Broadcast(self._clock)
        for request in listening:
            if request.sink is not None:
                request.reader = recording.read(request.sink, partial(self._deaf, request))
        return recording

    def _deaf(self, request: Request, failure: Failure) -> None:
        """A sink has raised something: its question cannot be answered, the others of its run can."""
        self._leave(request)
        if not request.answered.called:
            self._reporter.failed(request, failure)

    def _not_started(self, run: Run, failure: Failure) -> None:
        error = failure.value
        requests = self._end(run, 0.0)
        self._stop_telling(requests)
        for request in requests:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                self._refuse(request, Busy(f"no process can be started: {error.strerror}", 1))
            elif request.answered.called:
                self._reporter.withdrawn(request)
            else:
                self._reporter.failed(request, failure)

    def _settle(self, finished: ProcessResult, run: Run) -> None:
        requests = self._end(run, finished.duration_seconds)
        self.start_all_that_may()
        if run.recording is not None:
            finished = run.recording.complete(finished)
        if self._reporter.settled(requests, run.departed, finished):
            self._settled.update((request, finished) for request in requests if not request.answered.called)
            self._tell(run, finished)
        else:
            self._stop_telling(requests)

    def _unsettled(self, failure: Failure, run: Run) -> None:
        """A mistake of ours while answers were given: nobody may be left without one."""
        self._stop_telling(run.asked)
        for request in run.asked:
            if not request.answered.called:
                self._reporter.failed(request, failure)

    def _tell(self, run: Run, finished: ProcessResult, first: int = 0) -> None:
        """Answer as many as one turn of the reactor is good for, and the others in the next ones."""
        following = first + _answers_a_turn(finished)
        for request in run.asked[first:following]:
            if request in self._settled:  # else it has left, or was refused, in the meantime
                answer = Answer(id=request.id, grant=request.grant, finished=finished, shared=len(run.asked) > 1)
                self._deliver(request, answer)
        if following < len(run.asked):
            deferLater(self._clock, 0, self._tell, run, finished, following).addErrback(self._unsettled, run)

    def _deliver(self, request: Request, answer: Answer) -> None:
        if request.reader is not None:
            request.reader.end(partial(self._answer, request, answer))
        else:
            self._answer(request, answer)

    def _end(self, run: Run, duration_seconds: float) -> list[Request]:
        """Give the place back, let the group stand in line that has been waiting for this; return who asked."""
        run.asked = list(run.group.requests)
        self._release(run)
        self.fair_queue.leave(run, duration_seconds)
        del self._runs[run.group]
        group = self._coalescing.end(run.group)
        if group is not None:
            self._queue_following(group)
        return run.asked

    def _release(self, run: Run) -> None:
        """Let questions and group go; they point at each other, and would be left to the garbage collector."""
        for request in run.asked:
            request.group = None
        run.group.requests.clear()

    def _queue_following(self, group: Group[object, Request]) -> None:
        following = self._runs[group]
        lanes = list(dict.fromkeys(request.caller.key for request in group.requests))
        try:
            self._queue(following, lanes[0])
        except Busy as busy:
            self._turn_away(following, busy)
        else:
            for lane in lanes[1:]:
                self.fair_queue.join(following, lane)

    def _turn_away(self, run: Run, busy: Busy) -> None:
        """Refuse all who wait for a run that will not be."""
        self.fair_queue.withdraw(run)
        del self._runs[run.group]
        requests = list(run.group.requests)
        for request in requests:
            self._coalescing.leave(run.group, request)
            request.group = None
        for request in requests:
            self._refuse(request, busy)

    def _answer(self, request: Request, answer: Answer) -> None:
        del self._settled[request]
        request.reader = None  # which points back, and would be left to the garbage collector
        request.answered.callback(answer)

    def _refuse(self, request: Request, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        """Tell somebody that there is no answer, unless what another was told has made them leave."""
        if request.answered.called:
            self._reporter.withdrawn(request)
        else:
            self._reporter.turned_away(request, refusal, so_far)

    def _stop_telling(self, requests: Iterable[Request]) -> None:
        """Who gets no answer hears no more of what it would have been."""
        for request in requests:
            self._settled.pop(request, None)
            if request.reader is not None:
                request.reader.stop()
                request.reader = None

    def _leave(self, request: Request) -> None:
        """The caller is gone, or wants no answer any more."""
        run = self._take_out(request)
        if run is None:
            return
        if run.is_running:
            run.departed.append(request)
        else:
            self._reporter.withdrawn(request)

    def _take_out(self, request: Request) -> Run | None:
        """Let a question wait no more; a run that nobody else waits for is given up.

        Returns:
            The run that it waited for; None if that is over.
        """
        self._stop_telling([request])
        group, request.group = request.group, None
        if group is None:
            return None
        nobody_is_left = self._coalescing.leave(group, request)
        run = self._runs[group]
        if nobody_is_left and run.execution is not None:
            run.execution.abandon()
        elif nobody_is_left and not run.is_running:
            self.fair_queue.withdraw(run)
            del self._runs[group]
        return run


def _answers_a_turn(finished: ProcessResult) -> int:
    """Say how many answers may be made of an end before others have their turn."""
    size = len(finished.stdout) + len(finished.stderr)
    return max(1, min(READERS_A_TURN, BYTES_A_TURN // (size + 1)))
