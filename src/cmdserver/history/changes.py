"""What happens to a run, as far as the history is concerned."""

from msgspec import Struct

from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import RunRecord


class Began(Struct, frozen=True):
    """Its process was started: if nothing more is heard of it, it is ``lost``."""

    record: RunRecord


class Ended(Struct, frozen=True):
    """It is over, and kept."""

    record: RunRecord
    output: KeptOutput


class Forgotten(Struct, frozen=True):
    """It is over, and not kept."""

    record: RunRecord


Change = Began | Ended | Forgotten
