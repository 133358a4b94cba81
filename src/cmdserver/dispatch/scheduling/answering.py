"""How those who have asked hear a run and get its answer: each at their own pace, and many in several turns.

Which run answers whom is decided elsewhere; here nobody is left without an answer, and nobody gets two.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from cmdserver.core.errors import Refusal
from cmdserver.core.output import ProcessResult
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.requests import Request, Run
from cmdserver.runs.recording import READERS_A_TURN

#: Output that is made into answers in one turn of the reactor, if there are several: a megabyte of JSON takes 10 ms.
BYTES_A_TURN: Final = 1 << 20


class Answering:
    """The answers that are on their way.

    Args:
        clock: Says when it is the next ones' turn.
        log: Answers those that get no process.
        leave: Lets a request wait no more; called for one whose listener has raised something.
    """

    def __init__(self, clock: IReactorTime, log: RequestLog, leave: Callable[[Request], object]) -> None:
        self._clock = clock
        self._log = log
        self._leave = leave
        #: Those whose process has ended and who have no answer yet, as they are many or slow; and their runs.
        self._settled: dict[Request, Run] = {}

    def unanswered(self) -> Iterator[tuple[Request, Run]]:
        """Iterate over those whose run is over, and who have no answer yet."""
        return iter(self._settled.items())

    # While it runs

    def hear(self, run: Run, request: Request) -> None:
        """Let who listens hear the run from its beginning; one that is not shared goes at the pace of its caller."""
        if request.sink is not None:
            is_pacer = not (request.is_joined or request.grant.command.share)
            broken = partial(self._sink_failed, request)
            request.reader = run.recording.read(request.sink, broken, is_pacer=is_pacer)

    def hear_at_once(self, run: Run, request: Request) -> None:
        """Let who listens hear a run that is under way, from its beginning."""
        self.hear(run, request)
        if request.reader is not None:
            run.recording.tell(request.reader)

    def hear_again(self, request: Request) -> None:
        """Let who listens hear their run again, from its beginning."""
        run = request.run or self._settled.get(request)
        if run is None or request.reader is None:
            return  # it is over, or waits: then they hear it from its beginning anyway
        request.reader.stop()
        self.hear_at_once(run, request)
        if request.reader is not None and request in self._settled:
            request.reader.end(partial(self._answer, request))

    def stop_telling(self, requests: Iterable[Request]) -> None:
        """Who gets no answer hears no more of what it would have been."""
        for request in requests:
            self._settled.pop(request, None)
            if request.reader is not None:
                request.reader.stop()
                request.reader = None

    def _sink_failed(self, request: Request, failure: Failure) -> None:
        """One reader failed: fail its request, keep the run for the others."""
        self._leave(request)
        if not request.answered.called:
            self._log.failed(request, failure)

    # At its end

    def ended(self, run: Run) -> None:
        """Write down how a run has ended, and answer those who stayed."""
        if self._log.ended(run):
            for request in run.asked:
                if not request.answered.called:
                    self._settled[request] = run
            self._tell(run)
        else:
            self.stop_telling(run.asked)

    def refuse(self, request: Request, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        """Tell somebody that there is no answer, unless what another was told has made them leave."""
        if request.answered.called:
            self._log.abandoned(request)
        else:
            self._log.turned_away(request, refusal, so_far)

    def broken(self, failure: Failure, run: Run) -> None:
        """A mistake of ours while answers were given: nobody may be left without one."""
        self.stop_telling(run.asked)
        for request in run.asked:
            if not request.answered.called:
                self._log.failed(request, failure)
        run.tell_watchers()

    def _tell(self, run: Run, first: int = 0) -> None:
        """Answer as many as one turn of the reactor is good for, and the others in the next ones."""
        count = len(run.asked)
        following = 1 if count == 1 else first + _answers_a_turn(run.result)
        for request in run.asked[first:following]:
            if request in self._settled:  # else it has left, or was refused, in the meantime
                if request.reader is not None:
                    request.reader.end(partial(self._answer, request))
                else:
                    self._answer(request)
        if following < count:
            deferLater(self._clock, 0, self._tell, run, following).addErrback(self.broken, run)

    def _answer(self, request: Request) -> None:
        run = self._settled.pop(request)
        request.reader = None  # which points back, and would be left to the garbage collector
        request.answered.callback(run.answer(request.id, shared=len(run.asked) > 1, joined=request.is_joined))


def _answers_a_turn(result: ProcessResult | None) -> int:
    """Say how many answers may be made of an end before others have their turn."""
    size = len(result.stdout) + len(result.stderr) if result is not None else 0
    return max(1, min(READERS_A_TURN, BYTES_A_TURN // (size + 1)))
