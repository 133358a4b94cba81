"""What is said of a run on its page besides what it is, and how its reader has come there."""

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from cmdserver.runs.check_trends import Trend
from cmdserver.runs.record import RunRecord


class Way(Enum):
    """How somebody has come to see a run."""

    #: They have asked for it at the command's address, and it may end when they leave.
    ASKED = "asked"
    #: They look at it.
    WATCHED = "watched"


class RunFacts(Struct, frozen=True, kw_only=True):
    """What is said of a run besides what it is."""

    way: Way
    #: How long the command usually takes; None if that is not known.
    usual_seconds: float | None = None
    #: The last run of the same command that went well; None if it is this one, or there is none to be seen.
    last_success: RunRecord | None = None
    #: Whether the visitor may ask for the same anew.
    may_run: bool = False
    #: What the check has found in the day before; None: it is none, or that is not told.
    trend: Trend | None = None
    #: What stands in the page's address, for tables that are sorted by a link; None: such a link would run it anew.
    query: Sequence[tuple[str, str]] | None = None
    #: Whether the run has a page of its own that the visitor can come back to.
    has_page: bool = True
    #: What the script of a page asks `/-/events` for that is complete before the run is over; None of any other.
    follow: str | None = None
