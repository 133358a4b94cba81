"""What becomes of a run: its states, who ends it, and what the configuration says of all that."""

import enum

from cmdserver.checks.states import CheckState


class RunState(enum.StrEnum):
    """What a run is doing, or how it has ended; told to people and programs, and kept."""

    #: It waits for its turn.
    QUEUED = "queued"
    RUNNING = "running"
    OK = "ok"
    #: Another exit status than those of ``ok_statuses``, or a signal that nobody here has sent.
    FAILED = "failed"
    #: Ran into ``timeout_seconds``.
    TIMEOUT = "timeout"
    #: Ended for saying more than ``output_limit_bytes``.
    TRUNCATED = "truncated"
    #: Somebody ended it: see `EndedBy`.
    STOPPED = "stopped"
    #: It could not be started, or whoever ran it is gone.
    FAULT = "fault"
    #: The daemon ended before it did.
    LOST = "lost"

    @property
    def is_alive(self) -> bool:
        """Whether the run is not over."""
        return self in {RunState.QUEUED, RunState.RUNNING}

    @property
    def is_own_end(self) -> bool:
        """Whether the process has ended by itself, well or not."""
        return self in {RunState.OK, RunState.FAILED}


class EndedBy(enum.StrEnum):
    """Who ended what would have gone on."""

    #: Whoever has asked for it: Ctrl-C, or *Stop* of one's own.
    CALLER = "caller"
    #: Somebody else.
    STOP = "stop"
    #: The caller's connection ended.
    DISCONNECT = "disconnect"
    #: Time or output.
    LIMIT = "limit"
    #: The daemon stops.
    SHUTDOWN = "shutdown"


class OnDisconnect(enum.StrEnum):
    """What becomes of a run whose caller is gone."""

    END = "end"
    CONTINUE = "continue"


class WhenRunning(enum.StrEnum):
    """What becomes of a request for a command that runs ``max_running`` times already."""

    WAIT = "wait"
    #: ``busy``.
    REFUSE = "refuse"
    #: The caller is shown the run of the same command and values that is under way; without one, it waits.
    JOIN = "join"


class Keep(enum.StrEnum):
    """Which runs of a command are kept in the history."""

    ALL = "all"
    FAILED = "failed"
    NONE = "none"

    def keeps(self, ended: RunState, check: CheckState | None = None) -> bool:
        """Whether a run that has ended so is kept; a check is no success unless it is OK, by rules as by a plugin."""
        is_success = ended is RunState.OK and check in {None, CheckState.OK}
        return self is Keep.ALL or (self is Keep.FAILED and not is_success)
