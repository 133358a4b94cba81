"""What a process says, how it ends, what a parser makes of it; the interfaces of who makes and who hears output."""

import enum
from typing import Protocol, Self

from msgspec import Struct

from cmdserver.checks.check import Check
from cmdserver.checks.data import Json
from cmdserver.checks.result import CheckResult
from cmdserver.core.errors import Code
from cmdserver.core.model import Grant
from cmdserver.core.run_states import EndedBy, RunState


class NotParsed(Exception):  # noqa: N818 - a statement
    """There is no data; the text says why, for people: one line without a full stop, of printable characters."""


class Parsed(Struct, frozen=True, kw_only=True, eq=False):
    """The data of a run; equal to itself alone, so that what is made of them can be kept."""

    #: As bytes: one line of ASCII. ``null`` if there is none.
    json: bytes = b"null"
    #: The same as values.
    value: Json = None
    #: Why there is none, see `NotParsed`; None if there is.
    problem: str | None = None


class Assessment(Struct, frozen=True, kw_only=True, eq=False):
    """What a run says of what its command looks at."""

    #: None: there is no parser.
    parsed: Parsed | None = None
    #: None: the command is no check.
    check: CheckResult | None = None


class ProcessResult(Struct, frozen=True, kw_only=True):
    """How one process ended, and what it had to say unless that was streamed."""

    #: None if a signal ended it.
    exit_status: int | None
    #: ``SIGTERM``, say; None if it exited by itself.
    signal: str | None
    timed_out: bool
    #: Whether it was ended for saying more than its limit.
    truncated: bool
    duration_seconds: float
    stdout_bytes: int
    stderr_bytes: int
    stdout: bytes = b""
    stderr: bytes = b""
    #: Who ended it, if it would have gone on.
    ended_by: EndedBy | None = None
    #: The name of whoever stopped it; None if nobody did, or they have none.
    stopped_by: str | None = None

    @classmethod
    def of_none(cls, ended_by: EndedBy | None = None, stopped_by: str | None = None) -> Self:
        """Say that a process will not be."""
        return cls(
            exit_status=None,
            signal=None,
            timed_out=False,
            truncated=False,
            duration_seconds=0.0,
            stdout_bytes=0,
            stderr_bytes=0,
            ended_by=ended_by,
            stopped_by=stopped_by,
        )

    def with_output(self, stdout: bytes, stderr: bytes) -> "ProcessResult":
        """Say the same with what it had to say."""
        return ProcessResult(
            exit_status=self.exit_status,
            signal=self.signal,
            timed_out=self.timed_out,
            truncated=self.truncated,
            duration_seconds=self.duration_seconds,
            stdout_bytes=self.stdout_bytes,
            stderr_bytes=self.stderr_bytes,
            stdout=stdout,
            stderr=stderr,
            ended_by=self.ended_by,
            stopped_by=self.stopped_by,
        )

    @property
    def is_over(self) -> bool:
        """Whether it has ended; else this is what it had done when somebody was told, and how it ends is not known."""
        return self.exit_status is not None or self.signal is not None

    @property
    def tells_of_command(self) -> bool:
        """Whether its end says something of its command: nobody has ended it, unless it went beyond its limits."""
        return self.ended_by is None or self.ended_by is EndedBy.LIMIT

    def state(self, ok_statuses: frozenset[int]) -> RunState:
        """Say how it ended: of several reasons the one that explains the others."""
        if self.truncated:
            return RunState.TRUNCATED
        if self.timed_out:
            return RunState.TIMEOUT
        if self.ended_by is not None:
            return RunState.STOPPED
        return RunState.OK if self.exit_status in ok_statuses else RunState.FAILED


class Answer(Struct, frozen=True, kw_only=True):
    """What one question got: the process that answered it, under the question's own id."""

    id: str
    command: str
    #: As `Grant.arguments`.
    arguments: tuple[str, ...]
    finished: ProcessResult
    state: RunState
    #: What went wrong, for people; None if nothing did.
    problem: str | None = None
    #: What makes data of the output; see `Command.parser`.
    parser: str | None = None
    #: What it has made of it; None if nobody has asked it.
    parsed: Parsed | None = None
    #: How the command checks something; see `Command.check`.
    examines: Check | None = None
    #: What that has come to; None if it is no check, or nobody has asked yet.
    check: CheckResult | None = None
    #: Whether the process answered other questions too.
    shared: bool = False
    #: Whether the process was under way when the question came.
    joined: bool = False
    #: Bytes of output that are no longer known.
    omitted_bytes: int = 0

    @property
    def code(self) -> Code:
        """The outcome, in the vocabulary of all protocols."""
        return outcome_of(self.state)


def outcome_of(state: RunState) -> Code:
    """Say in the vocabulary of all protocols how a run ended."""
    match state:
        case RunState.OK:
            return Code.OK
        case RunState.TIMEOUT:
            return Code.TIMEOUT
        case RunState.FAULT:
            return Code.FAULT
        case _:
            return Code.FAILED


class Stream(enum.Enum):
    """Which of its two streams a process wrote to; the values are its descriptors."""

    __hash__ = object.__hash__  # Enum's own is a function of Python, called for each look into a table

    STDOUT = 1
    STDERR = 2


class Producer(Protocol):
    """What makes output, as seen by whoever must keep up with it: the half of an `IPushProducer` that steers."""

    def pauseProducing(self) -> None:
        """Stop the output at its source; twice is the same as once."""

    def resumeProducing(self) -> None:
        """Let it go on; harmless if it was not paused or is over."""


class Sink(Protocol):
    """Where the output of a run goes while it runs.

    `started` comes first, once; then `write` any number of times in the order in which the bytes were read; nothing
    comes after the run's Deferred has fired. A paused `Producer` may still deliver one chunk that was on its way.
    """

    def started(self, grant: Grant, producer: Producer) -> None:
        """A process was started for a grant (or its kept output is about to be told)."""

    def write(self, stream: Stream, chunk: bytes) -> None:
        """Take bytes that the process wrote."""


class Listener(Sink, Protocol):
    """Whom the output of a run is told to, perhaps long after it was written."""

    def missed(self, count: int) -> None:
        """Hear that so many bytes, which the process wrote here, are no longer known."""

    def notice(self, text: str) -> None:
        """Hear what is no output, for a person."""
