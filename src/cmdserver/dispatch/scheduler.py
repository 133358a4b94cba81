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
from cmdserver.dispatch.requests import Judge, Question, Reporter
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

    def __init__(self, group: Group[object, Question], command: Command) -> None:
        super().__init__(command.name, command.max_running)
        self.group = group
        self.execution: Execution | None = None
        #: Of a shared run that somebody listens to.
        self.recording: Broadcast | None = None
        #: Those who left while the process was running.
        self.departed: list[Question] = []
        #: Those who stayed until it had ended.
        self.asked: list[Question] = []


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
        self._coalescing: Coalescing[object, Question] = Coalescing()
        self._runs: dict[Group[object, Question], Run] = {}
        #: Those whose process has ended and who have no answer yet, as they are many or slow; and how it ended.
        self._settled: dict[Question, ProcessResult] = {}

    def report_to(self, reporter: Reporter) -> None:
        """Name the one reporter; before the first question."""
        self._reporter = reporter

    def enter(self, question: Question) -> None:
        """Let a question join the group that waits for the same answer, or found one and stand in line.

        Its ``answered`` fires when it has its answer; to cancel that is to leave.

        Raises:
            Busy: There is no room; the question is forgotten.
        """
        question.answered = Deferred(lambda _: self._leave(question))
        key: object = question.grant if question.grant.command.share else question.id
        group = question.group = self._coalescing.ask(key, question)
        run = self._runs.get(group)
        if run is not None:
            self.fair_queue.join(run, question.caller.key)
            return
        run = self._runs[group] = Run(group, question.grant.command)
        if self._coalescing.may_start(group):
            try:
                self._queue(run, question.caller.key)
            except Busy:
                self._coalescing.leave(group, question)
                question.group = None
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
            (question, refusal, so_far)
            for question, is_running, so_far in self._unanswered()
            if (refusal := judge(question, is_running)) is not None
        ]
        for question, _, _ in refused:
            self._take_out(question)
        for question, refusal, so_far in refused:
            self._refuse(question, refusal, so_far)

    def _unanswered(self) -> Iterator[tuple[Question, bool, ProcessResult | None]]:
        """List the questions without an answer, whether their processes were started, and what those have done."""
        for run in self._runs.values():
            so_far = run.execution.so_far() if run.execution is not None else None
            for question in run.group.questions:
                yield question, run.is_running, so_far
        for question, finished in self._settled.items():
            yield question, True, finished

    def _queue(self, run: Run, lane: str) -> None:
        loser = self.fair_queue.ask(run, lane)
        if loser is not None:
            self._turn_away(loser, Busy("others had fewer requests waiting", self.fair_queue.wait_seconds()))

    def _start(self, run: Run) -> None:
        self._coalescing.start(run.group)
        first = next(iter(run.group.questions))
        try:
            self._reporter.starting(list(run.group.questions))  # now, and not before: it may have waited for long
            sink = self._record(run) if first.grant.command.share else first.sink
            run.execution = self._runner.run(first.grant, sink)
        except Exception:  # noqa: BLE001 - whatever it is, its place is given back and somebody is told
            self._not_started(run, Failure())
        else:
            if not run.group.questions:
                run.execution.abandon()  # its only caller left while it was being started
            run.execution.finished.addCallbacks(
                self._settle, self._lost, callbackArgs=(run,), errbackArgs=(run,)
            ).addErrback(self._unsettled, run)

    def _lost(self, failure: Failure, run: Run) -> None:
        """It could not be started after all, whoever ran it is gone, or its sink has raised something."""
        for question in run.departed:
            self._reporter.withdrawn(question)
        self._not_started(run, failure)
        self.start_all_that_may()

    def _record(self, run: Run) -> Broadcast | None:
        """Let all who listen to a shared run hear it; where nobody does, its output is gathered for all."""
        listening = [question for question in run.group.questions if question.sink is not None]
        if not listening:
            return None
        run.recording = recording = Broadcast(self._clock)
        for question in listening:
            if question.sink is not None:
                question.reader = recording.read(question.sink, partial(self._deaf, question))
        return recording

    def _deaf(self, question: Question, failure: Failure) -> None:
        """A sink has raised something: its question cannot be answered, the others of its run can."""
        self._leave(question)
        if not question.answered.called:
            self._reporter.failed(question, failure)

    def _not_started(self, run: Run, failure: Failure) -> None:
        error = failure.value
        questions = self._end(run, 0.0)
        self._stop_telling(questions)
        for question in questions:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                self._refuse(question, Busy(f"no process can be started: {error.strerror}", 1))
            elif question.answered.called:
                self._reporter.withdrawn(question)
            else:
                self._reporter.failed(question, failure)

    def _settle(self, finished: ProcessResult, run: Run) -> None:
        questions = self._end(run, finished.duration_seconds)
        self.start_all_that_may()
        if run.recording is not None:
            finished = run.recording.complete(finished)
        if self._reporter.settled(questions, run.departed, finished):
            self._settled.update((question, finished) for question in questions if not question.answered.called)
            self._tell(run, finished)
        else:
            self._stop_telling(questions)

    def _unsettled(self, failure: Failure, run: Run) -> None:
        """A mistake of ours while answers were given: nobody may be left without one."""
        self._stop_telling(run.asked)
        for question in run.asked:
            if not question.answered.called:
                self._reporter.failed(question, failure)

    def _tell(self, run: Run, finished: ProcessResult, first: int = 0) -> None:
        """Answer as many as one turn of the reactor is good for, and the others in the next ones."""
        following = first + _answers_a_turn(finished)
        for question in run.asked[first:following]:
            if question in self._settled:  # else it has left, or was refused, in the meantime
                answer = Answer(id=question.id, grant=question.grant, finished=finished, shared=len(run.asked) > 1)
                self._deliver(question, answer)
        if following < len(run.asked):
            deferLater(self._clock, 0, self._tell, run, finished, following).addErrback(self._unsettled, run)

    def _deliver(self, question: Question, answer: Answer) -> None:
        if question.reader is not None:
            question.reader.end(partial(self._answer, question, answer))
        else:
            self._answer(question, answer)

    def _end(self, run: Run, duration_seconds: float) -> list[Question]:
        """Give the place back, let the group stand in line that has been waiting for this; return who asked."""
        run.asked = list(run.group.questions)
        self._release(run)
        self.fair_queue.leave(run, duration_seconds)
        del self._runs[run.group]
        group = self._coalescing.end(run.group)
        if group is not None:
            self._queue_following(group)
        return run.asked

    def _release(self, run: Run) -> None:
        """Let questions and group go; they point at each other, and would be left to the garbage collector."""
        for question in run.asked:
            question.group = None
        run.group.questions.clear()

    def _queue_following(self, group: Group[object, Question]) -> None:
        following = self._runs[group]
        lanes = list(dict.fromkeys(question.caller.key for question in group.questions))
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
        questions = list(run.group.questions)
        for question in questions:
            self._coalescing.leave(run.group, question)
            question.group = None
        for question in questions:
            self._refuse(question, busy)

    def _answer(self, question: Question, answer: Answer) -> None:
        del self._settled[question]
        question.reader = None  # which points back, and would be left to the garbage collector
        question.answered.callback(answer)

    def _refuse(self, question: Question, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        """Tell somebody that there is no answer, unless what another was told has made them leave."""
        if question.answered.called:
            self._reporter.withdrawn(question)
        else:
            self._reporter.turned_away(question, refusal, so_far)

    def _stop_telling(self, questions: Iterable[Question]) -> None:
        """Who gets no answer hears no more of what it would have been."""
        for question in questions:
            self._settled.pop(question, None)
            if question.reader is not None:
                question.reader.stop()
                question.reader = None

    def _leave(self, question: Question) -> None:
        """The caller is gone, or wants no answer any more."""
        run = self._take_out(question)
        if run is None:
            return
        if run.is_running:
            run.departed.append(question)
        else:
            self._reporter.withdrawn(question)

    def _take_out(self, question: Question) -> Run | None:
        """Let a question wait no more; a run that nobody else waits for is given up.

        Returns:
            The run that it waited for; None if that is over.
        """
        self._stop_telling([question])
        group, question.group = question.group, None
        if group is None:
            return None
        nobody_is_left = self._coalescing.leave(group, question)
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
