"""Who may see and stop which run: every question about runs asks the policy of its moment, here and nowhere else.

A run that a caller may not see does not exist for them. What is read from the history was written by us, perhaps; it is
shown, and decides nothing but whose run it was.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred

from cmdserver.core.errors import Denied, UnknownRun
from cmdserver.core.model import Caller, Command
from cmdserver.core.output import Listener
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.admission import Admission
from cmdserver.dispatch.assessing import Assessor, as_recorded
from cmdserver.dispatch.bygone import answer_of, grant_of
from cmdserver.dispatch.last_runs import LastRuns
from cmdserver.dispatch.requests import Request, Run
from cmdserver.dispatch.scheduling.scheduler import Scheduler
from cmdserver.dispatch.watching import EndedRun, SeenRun, Watch, Watches
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery
from cmdserver.runs.record import RunRecord
from cmdserver.runs.waiting import Waiting, WaitsFor


class FoundRuns(NamedTuple):
    """What somebody has looked for, and found."""

    query: RunQuery
    #: Newest first.
    records: tuple[RunRecord, ...]


class RunAccess:
    """What callers ask about runs.

    Args:
        admission: Counts and writes down what is asked, and has the policy.
        scheduler: Ends runs, and knows them.
        assessor: Judges anew what runs have found that are known from the history alone.
    """

    def __init__(self, admission: Admission, scheduler: Scheduler, assessor: Assessor) -> None:
        self._admission = admission
        self._assessor = assessor
        self._scheduler = scheduler
        self._directory = scheduler.directory
        self._watches = Watches(self._directory.clock)
        self._last = LastRuns(admission, self._directory)

    # What listeners ask

    def find(self, caller: Caller, fields: Sequence[tuple[str, str]]) -> Deferred[FoundRuns]:
        """List runs that a caller may see, newest first.

        Args:
            caller: Who asks.
            fields: Which, as `RunQuery.parse` reads them.

        Returns:
            Fails with a `RequestError`: a field is none, or ``before`` is no run that they may see.
        """
        shown = tuple(f"{key}={value}" for key, value in fields)
        return Deferred.fromCoroutine(
            self._admission.consult_later(caller, "runs", shown, lambda: self._find(caller, RunQuery.parse(fields)))
        )

    def follow(self, caller: Caller, fields: Sequence[tuple[str, str]]) -> RunQuery:
        """Let a caller `listen`; return what they want to hear of. Raises a `RequestError`."""
        shown = tuple(f"{key}={value}" for key, value in fields)
        return self._admission.consult(caller, "runs", shown, lambda: RunQuery.parse(fields))

    def get(self, caller: Caller, run_id: str) -> Deferred[SeenRun]:
        """Tell of one run, and what it has said up to now; fails with `UnknownRun`."""
        return Deferred.fromCoroutine(
            self._admission.consult_later(caller, "attach", (run_id,), lambda: self._get(caller, run_id))
        )

    def attach(
        self,
        caller: Caller,
        run_id: str,
        sink: Listener | None = None,
        begin: Callable[[SeenRun], object] | None = None,
    ) -> Deferred[EndedRun]:
        """Let a caller hear a run, from its beginning to its end.

        Args:
            caller: Who asks.
            run_id: The id of one of its requests; may hold anything.
            sink: Hears what it says; None: that is in the answer.
            begin: Called first, with what is known of it.

        Returns:
            Fires with how the run ended; fails with `UnknownRun`, also when a reload says that they may see it no more.
            To cancel it is to hear no more; the run goes on.
        """
        return Deferred.fromCoroutine(self._attach(caller, run_id, sink, begin))

    def stop(self, caller: Caller, run_id: str) -> Deferred[RunRecord]:
        """End a run, and wait until it has ended.

        Of a run that others have asked for, too, and that the caller may not stop for these, only they take leave.

        Returns:
            Fires with the run as it is then; fails with `UnknownRun`, or with `Denied` if they may only see it.
        """
        return Deferred.fromCoroutine(
            self._admission.consult_later(caller, "stop", (run_id,), lambda: self._stop(caller, run_id))
        )

    def end(self, request: Request) -> bool:
        """End the run of somebody who has asked for it, if they alone have; they are told how it ends.

        Returns:
            False if others wait for it, too, or it is over: then nothing has changed.
        """
        run = request.run
        if run is None or len(run.requests) > 1:
            return False
        self._scheduler.stop(run, EndedBy.CALLER, request.caller.name)
        return True

    def listen(self, caller: Caller, hear: Callable[[int, Callable[[], RunRecord]], None]) -> Callable[[], None]:
        """Let a caller hear whenever something becomes of a run that they may see then.

        Args:
            caller: Who listens.
            hear: Called with the run's number, and with what tells of it as it is at that time.

        Returns:
            What ends that.
        """

        def tell(run: Run) -> None:
            if self._sees(caller, run):
                hear(run.number, run.record)

        return self._directory.listen(tell)

    def alive(self, caller: Caller) -> tuple[RunRecord, ...]:
        """Tell what is alive that a caller may see, newest first: not counted, and not written down."""
        seen = [run.record() for run in self._directory.alive() if self._sees(caller, run)]
        return tuple(reversed(seen))

    def just_ended(self, caller: Caller) -> tuple[RunRecord, ...]:
        """Tell what has ended in the last seconds that a caller may see, oldest first: as `alive`."""
        return tuple(record for record in self._directory.just_ended() if self.may_see(caller, record))

    def counts(self, caller: Caller) -> Mapping[RunState, int] | None:
        """Count what is alive that a caller may see, by state; None if they could see nothing, whatever is."""
        if not self._admission.policy.sees_any(caller):
            return None
        return Counter(run.alive_state for run in self._directory.alive() if self._sees(caller, run))

    def last_runs(self, caller: Caller, command: str, most: int = 3) -> Deferred[tuple[RunRecord, ...]]:
        """Tell of a caller's last runs of a command, and of others' that they may see, newest first: not counted."""
        query = RunQuery(command=command, limit=most)

        async def find() -> tuple[RunRecord, ...]:
            return (await self._find(caller, query)).records

        return Deferred.fromCoroutine(find())

    def look(self, caller: Caller, run_id: str) -> SeenRun | None:
        """Tell what is known of a run that is alive, or has just ended: not counted, and not written down.

        Returns:
            None if there is none that they may see.
        """
        run = self._directory.find(run_id)
        return self._as_seen(caller, run) if run is not None and self._sees(caller, run) else None

    def of_request(self, request: Request) -> Callable[[], SeenRun | None]:
        """Let whoever has asked for a run know of it, also when it is over; None as long as there is none."""
        known: list[Run] = []

        def look() -> SeenRun | None:
            run = self._directory.find(request.id)
            if run is not None:
                known[:] = [run]
            return self._as_seen(request.caller, known[0]) if known else None

        return look

    def _as_seen(self, caller: Caller, run: Run) -> SeenRun:
        return self._with_output(caller, run, KeptOutput())

    def _with_output(self, caller: Caller, run: Run, output: KeptOutput) -> SeenRun:
        record = run.record()
        waiting = self.why_waiting(caller, run) if record.state is RunState.QUEUED else None
        return SeenRun(record, output, run.grant, self.may_stop(caller, record), waiting)

    def latest(self, caller: Caller) -> Deferred[Mapping[str, RunRecord]]:
        """Tell of each command the newest run that a caller may see; what is alive counts.

        Neither this nor the questions below are counted or written down. None of them fails, whatever the history does;
        what only listed choices for a form is no run here.

        Returns:
            By the names of commands that are in the file; without those of which there is none.
        """
        return Deferred.fromCoroutine(self._last.latest(caller))

    def recent(self, caller: Caller, most: int = 4) -> Deferred[tuple[RunRecord, ...]]:
        """Tell of the caller's own newest runs, one of each command, newest first, if they may run that now.

        Args:
            caller: Who asks; the anonymous have none.
            most: How many, >= 0.
        """
        return Deferred.fromCoroutine(self._last.recent(caller, most))

    def usual_seconds(self, command: str) -> Deferred[float | None]:
        """Say how long a command usually runs: the median of its last ten successes.

        Returns:
            None if there are fewer than three, or there is no such command.
        """
        return Deferred.fromCoroutine(self._directory.latest.usual_seconds(command))

    def last_success(self, caller: Caller, command: str) -> Deferred[RunRecord | None]:
        """Tell of the newest success of a command that a caller may see."""
        return Deferred.fromCoroutine(self._last.last_success(caller, command))

    def waiting(self, caller: Caller, run_id: str) -> Waiting | None:
        """Tell why a run has not begun: not counted, and not written down.

        Returns:
            None: it has, or there is none that the caller may see.
        """
        run = self._directory.find(run_id)
        return self.why_waiting(caller, run) if run is not None and self._sees(caller, run) else None

    def may_see(self, caller: Caller, record: RunRecord) -> bool:
        """Whether a caller may see a run at this moment."""
        return self._admission.policy.sees(caller, record.command, is_own=record.is_of(caller.name))

    def may_stop(self, caller: Caller, record: RunRecord) -> bool:
        """Whether a run is alive, and a caller may stop it."""
        policy = self._admission.policy
        return record.state.is_alive and policy.stops(caller, record.command, is_own=record.is_of(caller.name))

    def command(self, name: str) -> Command | None:
        """Tell of the command of a run that a caller was told of; None if it is not in the file any more."""
        return self._admission.policy.command(name)

    def names(self, caller: Caller) -> tuple[str, ...]:
        """Name the commands of which a caller may see runs, in the order of their names."""
        policy = self._admission.policy
        known = {*self._directory.history.commands, *policy.names}
        sight = policy.sight(caller, known)
        return tuple(sorted(sight.own | sight.all))

    # What the dispatcher asks

    def why_waiting(self, caller: Caller, run: Run) -> Waiting | None:
        """Tell why a run has not begun; of the run that is in its way only what the caller may see. See `waiting`."""
        obstacles = self._scheduler.obstacles(run)
        if obstacles is None:
            return None
        if not obstacles:
            return Waiting(WaitsFor.TURN)
        seen = next((each for each in obstacles if self._sees(caller, each)), None)
        return Waiting(WaitsFor.RUN, seen.record() if seen is not None else None)

    def review(self) -> None:
        """Let nobody hear any more what the policy does not let them see."""
        self._watches.review()
        self._last.review()

    # Steps

    def _sees(self, caller: Caller, run: Run) -> bool:
        is_own = caller.name is not None and caller.name in run.askers.values()
        return self._admission.policy.sees(caller, run.command, is_own=is_own)

    async def _find(self, caller: Caller, query: RunQuery) -> FoundRuns:
        before = None
        if query.before is not None:
            before = (await self._get(caller, query.before)).record.number
        known = {run.number: run for run in self._directory}
        here = [
            record
            for number, run in known.items()
            if (before is None or number < before) and self._sees(caller, run) and query.matches(record := run.record())
        ]
        await self._directory.history.known()
        sight = self._admission.policy.sight(caller, self._directory.history.commands)
        kept = await self._directory.history.find(query, sight, before)
        records = [*here, *(each for each in kept if each.number not in known and self.may_see(caller, each))]
        return FoundRuns(query, tuple(sorted(records, key=lambda each: -each.number)[: query.limit]))

    async def _get(self, caller: Caller, run_id: str) -> SeenRun:
        run = self._directory.find(run_id)
        if run is not None and self._sees(caller, run):
            return self._with_output(caller, run, run.recording.kept())
        kept = await self._directory.history.get(run_id) if run is None else None
        if kept is None or not self.may_see(caller, kept.record):
            raise UnknownRun(run_id)
        return SeenRun(kept.record, kept.output, grant_of(kept.record, self._admission.policy), may_stop=False)

    async def _attach(
        self, caller: Caller, run_id: str, sink: Listener | None, begin: Callable[[SeenRun], object] | None
    ) -> EndedRun:
        known = await self._admission.consult_later(caller, "attach", (run_id,), lambda: self._get(caller, run_id))
        run = self._directory.find(run_id)
        if begin is not None:
            begin(known)
        if run is not None:
            return await self._watches.watch(Watch(run_id, lambda: self._sees(caller, run)), run, sink)
        if sink is not None:
            await self._watches.tell_kept(Watch(run_id, lambda: self.may_see(caller, known.record)), known, sink)
        answer = answer_of(known.record, known.output, run_id, known.grant.command)
        # A check's state belongs to its answer; of others data are made if somebody asks.
        if answer.examines is not None:
            answer = as_recorded(await self._assessor.complete(answer), known.record)
        return EndedRun(answer, known.record)

    async def _stop(self, caller: Caller, run_id: str) -> RunRecord:
        seen = await self._get(caller, run_id)
        run = self._directory.find(run_id)
        if run is None or not seen.record.state.is_alive:
            return seen.record
        is_own = seen.record.is_of(caller.name)
        policy = self._admission.policy
        if not policy.stops(caller, run.command, is_own=is_own):
            raise Denied(f"no role of {caller.name or 'the anonymous'} may stop the {run.command} of others")
        own = [each for each in run.requests if each.caller.name == caller.name]
        if len(own) < len(run.requests) and not policy.stops(caller, run.command, is_own=False):
            for request in own:
                self._scheduler.interrupt(request)
            return run.record()
        over: Deferred[None] = Deferred()
        run.watchers.append(lambda: over.callback(None))
        self._scheduler.stop(run, EndedBy.CALLER if is_own else EndedBy.STOP, caller.name or "(anonymous)")
        if not run.recording.is_over:
            await over
        return run.record()
