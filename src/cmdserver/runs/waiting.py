"""Why a run has not begun, as one caller may know it at one moment."""

import enum

from msgspec import Struct

from cmdserver.runs.record import RunRecord


class WaitsFor(enum.StrEnum):
    """What has to happen before a run begins."""

    #: A run of the same command has to end: ``max_running`` of them run, or one whose answer may be shared.
    RUN = "run"
    #: Its turn has to come: as many processes run as may, and others have waited for longer.
    TURN = "turn"


class Waiting(Struct, frozen=True):
    """Why a run has not begun."""

    waits_for: WaitsFor
    #: The run that has to end; None if it waits for its turn, or if the caller may see no such run.
    run: RunRecord | None = None
