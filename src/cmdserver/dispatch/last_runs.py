"""What has become of commands last: who may be told of which run, by the policy of that moment.

Rule: a run that a caller may not see changes nothing of what they are told.
"""

from collections.abc import Iterator, Mapping

from cmdserver.core.model import Caller
from cmdserver.dispatch.admission import Admission
from cmdserver.dispatch.requests import Run
from cmdserver.dispatch.scheduling.latest_runs import NewestByAsker
from cmdserver.dispatch.scheduling.run_directory import RunDirectory
from cmdserver.runs.query import Sight
from cmdserver.runs.record import RunRecord


class LastRuns:
    """What callers ask about the last runs of commands; see `RunAccess`.

    Args:
        admission: Has the policy.
        directory: Knows what is alive, and what was last.
    """

    def __init__(self, admission: Admission, directory: RunDirectory) -> None:
        self._admission = admission
        self._directory = directory
        self._latest = directory.latest
        self.review()

    def review(self) -> None:
        """Go by the commands of the policy as it is now."""
        self._latest.reconfigure(self._admission.policy.names)

    async def latest(self, caller: Caller) -> Mapping[str, RunRecord]:
        """See `RunAccess.latest`."""
        await self._latest.known()
        sight = self._sight(caller)
        over = (_seen(sight, name, self._latest.runs(name)) for name in sight.own | sight.all)
        return _newest_of_each(over, self._alive(sight))

    async def recent(self, caller: Caller, most: int) -> tuple[RunRecord, ...]:
        """See `RunAccess.recent`."""
        await self._latest.known()
        may_run = {command.name for command in self._admission.policy.allowed(caller)}
        sight = self._sight(caller)
        own = Sight(user=sight.user, own=sight.own & may_run, all=frozenset())
        over = (_seen(own, name, self._latest.runs(name)) for name in own.own)
        newest = _newest_of_each(over, self._alive(own)).values()
        return tuple(sorted(newest, key=lambda each: -each.number)[:most])

    async def last_success(self, caller: Caller, command: str) -> RunRecord | None:
        """See `RunAccess.last_success`."""
        await self._latest.known()
        return _seen(self._sight(caller), command, self._latest.successes(command))

    def _sight(self, caller: Caller) -> Sight:
        policy = self._admission.policy
        return policy.sight(caller, policy.names)

    def _alive(self, sight: Sight) -> Iterator[Run]:
        """Find what is alive, oldest first."""
        for run in self._directory.alive():
            users = run.users()
            if (run.command in sight.own and sight.user in users) or (run.command in sight.all and users):
                yield run


def _seen(sight: Sight, command: str, runs: NewestByAsker) -> RunRecord | None:
    """Tell of the newest of a command's runs that may be seen."""
    if command in sight.all:
        return runs.newest()
    return runs.of(sight.user) if command in sight.own and sight.user is not None else None


def _newest_of_each(over: Iterator[RunRecord | None], alive: Iterator[Run]) -> Mapping[str, RunRecord]:
    """Tell of each command the newest of its runs."""
    newest = {record.command: record for record in over if record is not None}
    started = {run.command: run for run in alive}  # the last one of each counts, which is the newest
    for command, run in started.items():
        if command not in newest or newest[command].number < run.number:
            newest[command] = run.record()
    return newest
