"""What happens to a run, as far as the history is concerned."""

from dataclasses import dataclass

from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import RunRecord


@dataclass(frozen=True, slots=True)
class Began:
    """Its process was started: if nothing more is heard of it, it is ``lost``."""

    record: RunRecord


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over, and kept."""

    record: RunRecord
    output: KeptOutput


@dataclass(frozen=True, slots=True)
class Forgotten:
    """It is over, and not kept."""

    record: RunRecord


Change = Began | Ended | Forgotten
