"""The runs that are alive, by the ids of their requests; and what the history is told of them.

What was started for nobody who waits can be asked for a while after its end, whether it is kept or not. Whether a
caller may know of a run is not decided here.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from cmdserver.core.output import ProcessResult
from cmdserver.core.run_states import Keep, RunState
from cmdserver.dispatch.requests import Request, Run
from cmdserver.dispatch.scheduling.latest_runs import LatestRuns
from cmdserver.runs.history import History
from cmdserver.runs.outcome import problem_of
from cmdserver.runs.record import RunRecord
from cmdserver.runs.recording import Recording

#: How long a run goes on before the history is told that it is under way: most are over by then.
NOTED_AFTER_SECONDS: Final = 0.05
#: How long, and how many, of what was started and is over are remembered here.
REMEMBERED_SECONDS: Final = 300.0
MOST_REMEMBERED: Final = 64
#: How long, and of how many runs, it is known that they have just ended.
JUST_SECONDS: Final = 5.0
MOST_JUST_ENDED: Final = 100

_log = Logger()

#: Hears what becomes of runs.
RunObserver = Callable[[Run], None]


class RunDirectory:
    """The runs that are alive, and some that have just ended.

    Args:
        clock: For what takes time.
        time_of_day: Seconds since the epoch.
        history: Keeps runs.
        output_bytes: How much of the output of a run is kept, now.
    """

    def __init__(
        self,
        clock: IReactorTime,
        time_of_day: Callable[[], float],
        history: History,
        output_bytes: Callable[[], int],
    ) -> None:
        self.history = history
        #: What has ended last.
        self.latest = LatestRuns(history)
        self.clock = clock
        self._time_of_day = time_of_day
        self._output_bytes = output_bytes
        self._by_id: dict[str, Run] = {}
        #: In the order in which they were asked for.
        self._alive: dict[int, Run] = {}
        self._remembered: OrderedDict[int, Run] = OrderedDict()
        #: When they ended, and what is known of them.
        self._just_ended: deque[tuple[float, Callable[[], RunRecord]]] = deque(maxlen=MOST_JUST_ENDED)
        self._last_number = 0
        self._is_noting = False
        self._observers: dict[RunObserver, None] = {}

    # What the scheduler tells

    def open(self, key: Hashable, first: Request) -> Run:
        """Make a run for its first request."""
        now = self._time_of_day()
        self._last_number = number = max(self._last_number + 1, int(now * 1e6))
        run = Run(key, first, number, now, Recording(self.clock))
        self._alive[number] = run
        return run

    def entered(self, run: Run, request: Request) -> None:
        """A request waits for a run."""
        self._by_id[request.id] = run
        run.askers[request.id] = request.caller.name
        if request.wanted_for is not None:
            run.listings.add(request.id)
        if not self._is_noting:
            self._note_soon(run)
        if self._observers:
            self._tell(run)

    def left(self, run: Run, request: Request) -> None:
        """A request waits no more for a run that has not begun."""
        self._by_id.pop(request.id, None)
        run.askers.pop(request.id, None)

    def started(self, run: Run) -> None:
        """A run's process is started."""
        run.started_at = self._time_of_day()
        if not self._is_noting:
            self._note_soon(run)
        if self._observers:
            self._tell(run)

    def ended(self, run: Run, result: ProcessResult) -> None:
        """A run is over."""
        command = run.grant.command
        run.result = result
        self._close(run, result.state(command.ok_statuses), problem_of(command, result))

    def failed(self, run: Run, problem: str) -> None:
        """A run has begun, or somebody has been promised it, and there is no result."""
        run.result = run.process.so_far() if run.process is not None else ProcessResult.of_none()
        self._close(run, RunState.FAULT, problem)

    def dropped(self, run: Run) -> None:
        """Nobody waits for a run any more, and it has not begun."""
        if self._alive.pop(run.number, None) is not None:
            self._forget_ids(run)
            run.state = RunState.STOPPED
            if run.noted is not None:
                self.history.forgotten(run.record())
            if self._observers:
                self._tell(run)

    # What others ask

    def find(self, request_id: str) -> Run | None:
        """Find a run by the id of one of its requests."""
        return self._by_id.get(request_id)

    def record_of(self, request_id: str) -> RunRecord:
        """Tell what is known of the run of a request that is alive, or was started for nobody who waits."""
        return self._by_id[request_id].record()

    def __iter__(self) -> Iterator[Run]:
        """Iterate over what is known here, newest first."""
        known = {**self._remembered, **self._alive}
        return (known[number] for number in sorted(known, reverse=True))

    def alive(self) -> Iterator[Run]:
        """Iterate over what is alive, oldest first."""
        return iter(self._alive.values())

    def just_ended(self) -> Iterator[RunRecord]:
        """Iterate over what has ended in the last seconds, oldest first; of many, the last ones."""
        since = self.clock.seconds() - JUST_SECONDS
        return (snapshot() for ended_at, snapshot in self._just_ended if ended_at >= since)

    def listen(self, observer: RunObserver) -> Callable[[], None]:
        """Let somebody hear what becomes of runs; return what ends that."""
        self._observers[observer] = None

        def stop() -> None:
            self._observers.pop(observer, None)

        return stop

    # Steps

    def _close(self, run: Run, state: RunState, problem: str | None) -> None:
        run.state, run.problem = state, problem
        self._alive.pop(run.number, None)
        keep, snapshot = run.grant.command.history, run.snapshot()
        self.latest.note(run, snapshot)
        self._just_ended.append((self.clock.seconds(), snapshot))
        try:
            check = run.assessment.check if run.assessment is not None else None
            if keep.keeps(state, check.state if check is not None else None):
                self.history.ended(snapshot(), run.recording.kept(self._output_bytes()))
            elif run.noted is not None:
                self.history.forgotten(snapshot())
        except Exception:  # noqa: BLE001 - whatever it is, it is nobody's trouble who waits for an answer
            _log.failure("the history failed")
        if run.has_detached:
            self._remember(run)
        else:
            self._forget_ids(run)
        if self._observers:
            self._tell(run)

    def _note_soon(self, run: Run) -> None:
        """Let the history know of a run that waits, or goes on, for longer than most."""
        if run.grant.command.history is not Keep.NONE:
            self._is_noting = True
            self.clock.callLater(NOTED_AFTER_SECONDS, self._note)

    def _note(self) -> None:
        """Tell the history of what is still under way."""
        self._is_noting = False
        for run in self._alive.values():
            if run.noted is not run.alive_state and run.grant.command.history is not Keep.NONE:
                run.noted = run.alive_state
                self.history.began(run.record())

    def _remember(self, run: Run) -> None:
        self._remembered[run.number] = run
        if len(self._remembered) > MOST_REMEMBERED:
            self._forget(next(iter(self._remembered)))
        self.clock.callLater(REMEMBERED_SECONDS, self._forget, run.number)

    def _forget(self, number: int) -> None:
        run = self._remembered.pop(number, None)
        if run is not None:
            self._forget_ids(run)

    def _forget_ids(self, run: Run) -> None:
        for request_id in run.askers:
            self._by_id.pop(request_id, None)

    def _tell(self, run: Run) -> None:
        for observer in list(self._observers):
            with _log.failuresHandled("an observer of runs failed"):
                observer(run)
