"""The output of one run as text: made harmless for terminals, with what went wrong on a line of its own behind it."""

from enum import Enum, auto
from typing import Protocol

from cmdserver.core.errors import RequestError
from cmdserver.core.escaping import Printable
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.core.run_states import RunState
from cmdserver.frontends.common import rendering
from cmdserver.frontends.common.held_stderr import HeldStderr


class Output(Protocol):
    """Where answers go: a connection, or a channel of one."""

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        """Send bytes, never none; never blocks. Where there is only one stream, both are it."""

    def follow(self, producer: Producer | None) -> None:
        """Pause and resume ``producer`` as the client keeps up; None: there is nothing to pause any more."""


class Style(Enum):
    """How the two streams of a run, and its end, are told."""

    #: Standard error behind standard output, and then how the run ended unless that was well.
    IN_ONE = auto()
    #: Both as they come, and how the run ended: for a person who sees both.
    AS_IT_COMES = auto()
    #: Both as they come. The client gets an exit status, and is told only what that does not say.
    APART = auto()
    #: Standard output byte for byte; behind it, only if the command failed, standard error and how it ended.
    VERBATIM = auto()


class TextSink:
    """The `Sink` of one run."""

    __slots__ = ("_ends_line", "_held", "_is_raw", "_name", "_output", "_printable", "_style", "omitted_stderr_bytes")

    def __init__(self, output: Output, style: Style, *, is_raw: bool = False) -> None:
        self._output = output
        self._style = style
        self._held = HeldStderr() if style is Style.IN_ONE or style is Style.VERBATIM else None
        stdout = Printable()
        self._printable = (stdout, stdout if style is Style.IN_ONE else Printable())
        self._is_raw = is_raw or style is Style.VERBATIM
        self._name = ""
        #: How much of standard error is not told, once the run is over.
        self.omitted_stderr_bytes = 0
        #: Whether a complaint would begin a line.
        self._ends_line = True

    def started(self, grant: Grant, producer: Producer) -> None:
        self._is_raw |= grant.command.raw
        self._name = grant.command.name
        self._output.follow(producer)

    def write(self, stream: Stream, chunk: bytes) -> None:
        if self._held is not None and stream is Stream.STDERR:
            self._held.add(chunk)
            return
        data = chunk if self._is_raw else self._printable[stream is Stream.STDERR].feed(chunk)
        if data:  # as `_send`, but each chunk comes here
            if stream is Stream.STDERR or self._style is not Style.APART:
                self._ends_line = data.endswith(b"\n")
            self._output.write(data, stream)

    def missed(self, count: int) -> None:
        self._flush(Stream.STDOUT)
        self._complain(rendering.output_omission(self._name, count))

    def notice(self, text: str) -> None:
        if self._style is not Style.VERBATIM:
            self._complain(rendering.complaint(text))

    def finish(self, answer: Answer) -> Answer:
        """Write what was held back, and how the run ended; return the answer."""
        self._output.follow(None)
        if self._style is Style.VERBATIM and not rendering.has_failed(answer):
            return answer
        self._flush(Stream.STDOUT)
        if self._held is not None:
            held, self._held = self._held, None
            self.omitted_stderr_bytes = held.omitted_bytes
            self.write(Stream.STDERR, held.text(answer.command))
        self._flush(Stream.STDERR)
        if self._style is not Style.APART or not _shows_in_exit_status(answer):
            self._complain(rendering.answer_trailer(answer))
        return answer

    def fail(self, error: RequestError) -> None:
        """Write that there is no answer."""
        self._complain(rendering.error_text(error))

    def _flush(self, stream: Stream) -> None:
        self._send(stream, self._printable[stream is Stream.STDERR].finish())

    def _complain(self, complaint: bytes) -> None:
        if complaint and not self._ends_line:
            self._send(Stream.STDERR, b"\n")
        self._send(Stream.STDERR, complaint)

    def _send(self, stream: Stream, data: bytes) -> None:
        if data:
            if stream is Stream.STDERR or self._style is not Style.APART:
                self._ends_line = data.endswith(b"\n")
            self._output.write(data, stream)


def _shows_in_exit_status(answer: Answer) -> bool:
    """Whether an exit status, or a signal, says all that there is to say of an end."""
    return answer.state in {RunState.OK, RunState.FAILED} and answer.finished.is_over
