"""A history for tests, and runs to be kept in it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace
from twisted.internet.defer import Deferred, succeed

from cmdserver.core.run_states import RunState
from cmdserver.runs.history import KeptRun
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery, Sight
from cmdserver.runs.record import RunRecord

T = TypeVar("T")

_RECORD = RunRecord(
    number=7,
    id="00000000000000a7",
    command="uptime",
    arguments=(),
    state=RunState.OK,
    user="ada",
    protocol="line",
    asked_at=1_600_000_000.0,
    started_at=1_600_000_001.0,
    duration_seconds=0.25,
    exit_status=0,
)


def a_record(**differences: Any) -> RunRecord:
    """Make a run that differs from ada's successful ``uptime`` of long ago as said."""
    return replace(_RECORD, **differences)


class MemoryHistory:
    """A `History` that keeps what it is told, and believes nobody's `Sight`: it finds all that it has."""

    def __init__(self, kept: Iterable[tuple[RunRecord, KeptOutput]] = ()) -> None:
        self.kept = {record.id: KeptRun(record, output) for record, output in kept}
        #: What it was told, in order: what happened, and the run at that moment.
        self.told: list[tuple[str, RunRecord]] = []
        self.outputs: list[KeptOutput] = []
        #: What was looked for.
        self.asked: list[tuple[RunQuery, Sight, int | None]] = []
        #: Called before an answer is given, as time passes until then.
        self.meanwhile: Callable[[], object] = lambda: None
        #: Whether it can be read; None: not yet, and `answer` says when.
        self.is_readable: bool | None = True
        #: How often it was read as a whole, or for one command.
        self.reads: list[str | None] = []
        self._unanswered: list[Callable[[], object]] = []

    @property
    def commands(self) -> frozenset[str]:
        return frozenset(each.record.command for each in self.kept.values())

    def known(self) -> Deferred[None]:
        return succeed(None)

    def began(self, record: RunRecord) -> None:
        self.told.append(("began", record))

    def ended(self, record: RunRecord, output: KeptOutput) -> None:
        self.told.append(("ended", record))
        self.outputs.append(output)

    def forgotten(self, record: RunRecord) -> None:
        self.told.append(("forgotten", record))

    def find(self, query: RunQuery, sight: Sight, before: int | None) -> Deferred[tuple[RunRecord, ...]]:
        self.asked.append((query, sight, before))
        self.meanwhile()
        found = [each.record for each in self.kept.values() if query.matches(each.record)]
        return succeed(tuple(each for each in found if before is None or each.number < before))

    def get(self, run_id: str) -> Deferred[KeptRun | None]:
        self.meanwhile()
        return succeed(self.kept.get(run_id))

    def newest(self, most_users: int) -> Deferred[tuple[RunRecord, ...] | None]:
        del most_users  # it tells all
        return self._read(None, lambda: tuple(each.record for each in self.kept.values()))

    def durations(self, command: str) -> Deferred[Mapping[int, float] | None]:
        return self._read(
            command,
            lambda: {
                each.record.number: each.record.duration_seconds
                for each in self.kept.values()
                if each.record.command == command
                and each.record.state is RunState.OK
                and each.record.duration_seconds is not None
            },
        )

    def answer(self, *, is_readable: bool) -> None:
        """Answer what was asked while it could not be told whether it can be read."""
        self.is_readable = is_readable
        unanswered, self._unanswered = self._unanswered, []
        for answer in unanswered:
            answer()

    def _read(self, command: str | None, question: Callable[[], T]) -> Deferred[T | None]:
        self.reads.append(command)
        self.meanwhile()
        answer: Deferred[T | None] = Deferred()

        def tell() -> None:
            answer.callback(question() if self.is_readable else None)

        if self.is_readable is None:
            self._unanswered.append(tell)
        else:
            tell()
        return answer
