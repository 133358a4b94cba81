"""What keeps runs that are over, as those see it who have runs to be kept, or look for one."""

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred, succeed

from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery, Sight
from cmdserver.runs.record import RunRecord

#: Successes by which is judged how long a command takes.
USUAL_RUNS: Final = 10


class KeptRun(Struct, frozen=True):
    """A run and its output, or as much of that as is known."""

    record: RunRecord
    output: KeptOutput


class History(Protocol):
    """Keeps runs. Nobody waits for it: what it cannot keep is lost, and the log says so."""

    @property
    def commands(self) -> frozenset[str]:
        """The names of commands of which runs are kept, as far as that is known."""

    def known(self) -> Deferred[None]:
        """Fire when that is known: at a start it takes a moment, and nobody waits for longer than another."""

    def began(self, record: RunRecord) -> None:
        """Note that a run is under way, so that it can be told if the daemon is killed."""

    def ended(self, record: RunRecord, output: KeptOutput) -> None:
        """Keep a run."""

    def forgotten(self, record: RunRecord) -> None:
        """Forget a run that has begun, and is not to be kept."""

    def find(self, query: RunQuery, sight: Sight, before: int | None) -> Deferred[tuple[RunRecord, ...]]:
        """Find runs, newest first.

        Args:
            query: What is looked for; its ``before`` is for the caller to look up.
            sight: Which runs may be found.
            before: Only those with smaller numbers.
        """

    def get(self, run_id: str) -> Deferred[KeptRun | None]:
        """Look a run up by the id of any of its requests."""

    def newest(self, most_users: int) -> Deferred[tuple[RunRecord, ...] | None]:
        """Find of each command the newest run and the newest success of each who has asked for one, in any order.

        Args:
            most_users: Of each command and kind: of those who have asked last.

        Returns:
            None if they cannot be read now.
        """

    def durations(self, command: str) -> Deferred[Mapping[int, float] | None]:
        """Say how long the last `USUAL_RUNS` successes of a command have run, in seconds, by their numbers.

        Returns:
            None if they cannot be read now.
        """


class NoHistory:
    """Keeps nothing."""

    commands = frozenset[str]()

    def known(self) -> Deferred[None]:
        """See `History`."""
        return succeed(None)

    def began(self, record: RunRecord) -> None:
        """See `History`."""

    def ended(self, record: RunRecord, output: KeptOutput) -> None:
        """See `History`."""

    def forgotten(self, record: RunRecord) -> None:
        """See `History`."""

    def find(self, query: RunQuery, sight: Sight, before: int | None) -> Deferred[tuple[RunRecord, ...]]:
        """See `History`."""
        del query, sight, before
        return succeed(())

    def get(self, run_id: str) -> Deferred[KeptRun | None]:
        """See `History`."""
        del run_id
        return succeed(None)

    def newest(self, most_users: int) -> Deferred[tuple[RunRecord, ...] | None]:
        """See `History`."""
        del most_users
        return succeed(())

    def durations(self, command: str) -> Deferred[Mapping[int, float] | None]:
        """See `History`."""
        del command
        return succeed({})
