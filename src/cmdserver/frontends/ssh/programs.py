"""What a session can run, as the session sees it: one command, lines that come, or a prompt at a terminal.

Rule of this file: it knows no packets, and nothing of what is particular to one of them.
"""

from abc import ABC, abstractmethod
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.core.errors import Code
from cmdserver.core.model import Producer
from cmdserver.frontends.ssh.answers import Answers
from cmdserver.frontends.ssh.ending import INTERRUPTED, STATUS, ExitStatus

_log = Logger()


class Output(Protocol):
    """A channel, as a program sees it; see `cmdserver.frontends.ssh.channel.Channel`."""

    def out(self, data: bytes) -> None:
        """Write to standard output."""

    def err(self, data: bytes) -> None:
        """Write to standard error."""

    def follow(self, producer: Producer | None) -> None:
        """Pause and resume ``producer`` as the client keeps up."""

    def exit(self, ending: ExitStatus) -> None:
        """Say how it ended, when all is sent; only the first time counts."""

    def read_on(self) -> None:
        """More input is wanted."""

    def stirred(self) -> None:
        """A request has begun or ended."""

    @property
    def is_full(self) -> bool:
        """Whether something waits to be sent."""

    @property
    def is_exiting(self) -> bool:
        """Whether it has been said how it ended."""


class Screenful:
    """The streams of a terminal: both are one, and lines end as terminals want it (termios(3), ONLCR).

    Args:
        output: What the terminal is at the other end of.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        #: Whether the cursor is at the beginning of a row.
        self.ends_line = True

    def out(self, data: bytes) -> None:
        """See `Streams`."""
        if data:
            self.ends_line = data.endswith(b"\n")
            self._output.out(data.replace(b"\n", b"\r\n"))

    def err(self, data: bytes) -> None:
        """See `Streams`."""
        self.out(data)

    def follow(self, producer: Producer | None) -> None:
        """See `Streams`."""
        self._output.follow(producer)


class Program(ABC):
    """A program; what is the same for all of them.

    Args:
        answers: What answers its requests.
        output: Where it writes, and reads on.
    """

    def __init__(self, answers: Answers, output: Output) -> None:
        self._answers = answers
        self._output = output
        self._answering: Deferred[None] | None = None
        self._has_left = False

    # What a session asks of it

    @abstractmethod
    def start(self) -> None:
        """Begin."""

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Take input."""

    def end_input(self) -> None:  # noqa: B027 - not all need to know
        """There will be no more input."""

    def proceed(self) -> None:  # noqa: B027 - as above
        """Output has been sent: go on with what waits for that."""

    def resize(self, columns: int) -> None:  # noqa: B027 - as above
        """The terminal has another width."""

    @abstractmethod
    def interrupt(self, signal: str = "SIGINT") -> None:
        """End what runs, as that signal would."""

    def leave(self) -> None:
        """Nobody listens any more; twice is the same as once."""
        self._has_left = True
        if self._answering is not None:
            self._answering.cancel()

    @abstractmethod
    def expire(self, farewell: str) -> None:
        """Nothing was asked for too long; tell a person so, if one is there, and exit."""

    @abstractmethod
    def close_when_idle(self) -> None:
        """Exit as soon as what runs has ended."""

    @property
    def is_busy(self) -> bool:
        """Whether it is not the client who is waited for."""
        return self._answering is not None

    # For those that inherit

    @property
    def _may_proceed(self) -> bool:
        """Whether there is no reason to wait."""
        return not (self.is_busy or self._output.is_full or self._output.is_exiting or self._has_left)

    def _await(self, answering: Deferred[ExitStatus]) -> None:
        """Wait for the end of a request; `_answered` may be called at once."""
        self._answering = waiting = answering.addCallback(self._finish).addErrback(self._broken)
        if waiting.called and self._answering is waiting:
            self._answering = None
        else:
            self._output.stirred()

    def _finish(self, ending: ExitStatus) -> None:
        self._answering = None
        self._output.stirred()
        if not self._has_left:
            self._answered(ending)

    @abstractmethod
    def _answered(self, ending: ExitStatus) -> None:
        """Go on after a request; not asked once it has been told to leave."""

    def _broken(self, failure: Failure) -> None:
        """A mistake of ours; the log sees why."""
        _log.failure("SSH session", failure)
        self._answering = None
        self._output.exit(ExitStatus(STATUS[Code.FAULT]))


class Command(Program):
    """One command, as ``ssh HOST COMMAND`` wants it.

    Args:
        answers: What answers it.
        output: Where it writes.
        line: What was asked for.
        is_at_terminal: Whether a person looks at the output through a terminal of theirs.
    """

    def __init__(self, answers: Answers, output: Output, line: bytes, *, is_at_terminal: bool) -> None:
        super().__init__(answers, output)
        self._line = line
        self._is_at_terminal = is_at_terminal
        self._interrupted_by: str | None = None

    def start(self) -> None:
        """See `Program`."""
        streams = Screenful(self._output) if self._is_at_terminal else self._output
        answering = self._answers.perform(self._line.strip(), streams)
        if answering is None:
            self._output.exit(ExitStatus())
        else:
            self._await(answering)

    def feed(self, data: bytes) -> None:
        """No command reads any input; but a terminal can interrupt it."""
        if self._is_at_terminal and b"\x03" in data:
            self.interrupt()
        self._output.read_on()

    def interrupt(self, signal: str = "SIGINT") -> None:
        """See `Program`."""
        if self._answering is not None:
            self._interrupted_by = signal
            self._answering.cancel()

    def expire(self, farewell: str) -> None:
        """See `Program`."""

    def close_when_idle(self) -> None:
        """See `Program`; it does so anyway."""

    def _answered(self, ending: ExitStatus) -> None:
        self._output.exit(ExitStatus(signal=self._interrupted_by) if ending is INTERRUPTED else ending)
