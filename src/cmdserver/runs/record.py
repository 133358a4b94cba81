"""What is known of one run at one moment: told to people and programs, and kept in the history.

Frozen, and without its output. No secret is in it: values are spelled as `Grant.arguments` spells them.
"""

from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from cmdserver.checks.states import CheckState
from cmdserver.core.run_states import EndedBy, RunState


class Asked(Struct, frozen=True, kw_only=True):
    """One of the requests that a run answers, or has answered."""

    id: str
    #: Who has asked; None for the anonymous.
    user: str | None


class RunRecord(Struct, frozen=True, kw_only=True):
    """One run."""

    #: Larger than that of each run that was asked for before: microseconds since the epoch, if the clock is right.
    number: int
    #: The id of the request that asked for it first.
    id: str
    command: str
    arguments: tuple[str, ...]
    state: RunState
    #: Who asked first; None for the anonymous.
    user: str | None
    #: How they asked: the protocol's name, or ``schedule``.
    protocol: str
    #: Seconds since the epoch: when it was asked for.
    asked_at: float
    #: Seconds since the epoch: when its process was started; None if none was.
    started_at: float | None = None
    #: How long the process has run, up to now or to its end; None if there was none.
    duration_seconds: float | None = None
    #: None if it is not over, or a signal has ended it.
    exit_status: int | None = None
    #: ``SIGTERM``, say.
    signal: str | None = None
    ended_by: EndedBy | None = None
    #: The name of whoever has stopped it.
    stopped_by: str | None = None
    truncated: bool = False
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    #: What went wrong, for people; None if nothing did, or it is not over.
    problem: str | None = None
    #: What it says of what its command looks at, and in which words; None if that is no check, or it is not over.
    check_state: CheckState | None = None
    check_text: str | None = None
    #: The requests that share it, besides the first.
    others: tuple[Asked, ...] = ()

    def named(self, request_id: str) -> Self:
        """Return the same, by the id of another of its requests."""
        return replace(self, id=request_id)

    def is_of(self, user: str | None) -> bool:
        """Whether somebody has asked for it; the anonymous have no runs of their own."""
        return user is not None and (user == self.user or any(user == each.user for each in self.others))
