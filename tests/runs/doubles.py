"""A history for tests, and runs to be kept in it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed

from cmdserver.core.run_states import RunState
from cmdserver.runs.history import KeptRun
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery, Sight
from cmdserver.runs.record import RunRecord

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
