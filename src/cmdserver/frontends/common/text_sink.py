"""The output of one run as text: made harmless for terminals, with what went wrong on a line of its own behind it."""

from enum import Enum, auto
from typing import Protocol

from cmdserver.core.errors import RequestError
from cmdserver.core.escaping import Printable, ends_line
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.frontends.common import rendering
from cmdserver.frontends.common.check_text import is_overruled, plugin_text, says_itself
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
    #: Both byte for byte as they come, and in the last line how the run ended, be it well: for programs.
    FOLLOWED = auto()
    #: Standard output byte for byte; behind it, only if the command failed, standard error and how it ended.
    VERBATIM = auto()


class TextSink:
    """The `Sink` of one run.

    Args:
        output: Where it goes.
        style: How it is told.
        is_raw: Whether control sequences are left alone, whatever the command says.
        is_at_terminal: Whether both streams go to the terminal of a person, before whom a CR begins the line anew.
    """

    __slots__ = (
        "_ends_line",
        "_held",
        "_holds",
        "_is_apart",
        "_is_raw",
        "_is_withheld",
        "_name",
        "_output",
        "_printable",
        "_style",
        "omitted_stderr_bytes",
    )

    def __init__(self, output: Output, style: Style, *, is_raw: bool = False, is_at_terminal: bool = False) -> None:
        self._output = output
        self._style = style
        #: Whether standard error is held back; and what of it there was.
        self._holds = style is Style.IN_ONE or style is Style.VERBATIM
        self._held: HeldStderr | None = None
        stdout = Printable(keeps_returns=is_at_terminal)
        stderr = stdout if style is Style.IN_ONE else Printable(keeps_returns=is_at_terminal)
        self._printable = (stdout, stderr)
        #: Whether what is on standard output is not before a complaint.
        self._is_apart = style is Style.APART and not is_at_terminal
        self._is_raw = is_raw or style is Style.VERBATIM or style is Style.FOLLOWED
        #: Whether a check is judged by rules: what they find is the answer, and not what the command prints.
        self._is_withheld = False
        self._name = ""
        #: How much of standard error is not told, once the run is over.
        self.omitted_stderr_bytes = 0
        #: Whether a complaint would begin a line.
        self._ends_line = True

    def started(self, grant: Grant, producer: Producer) -> None:
        self._is_raw |= grant.command.raw
        self._name = grant.command.name
        check = grant.command.check
        self._is_withheld = check is not None and not check.is_plugin and self._style is not Style.FOLLOWED
        for printable in self._printable:
            printable.keeps_colours = grant.command.colours
        self._output.follow(producer)

    def write(self, stream: Stream, chunk: bytes) -> None:
        if self._is_withheld:
            return
        if self._holds and stream is Stream.STDERR:
            if self._held is None:
                self._held = HeldStderr()
            self._held.add(chunk)
            return
        data = chunk if self._is_raw else self._printable[stream is Stream.STDERR].feed(chunk)
        if data:  # as `_send`, but each chunk comes here
            if stream is Stream.STDERR or not self._is_apart:
                self._ends_line = data[-1:] == b"\n" or (data[-1:] == b"m" and ends_line(data, self._ends_line))
            self._output.write(data, stream)

    def missed(self, count: int) -> None:
        if self._is_withheld:
            return
        self._flush(Stream.STDOUT)
        self._complain(rendering.output_omission(self._name, count))

    def notice(self, text: str) -> None:
        if self._style is not Style.VERBATIM:
            self._complain(rendering.complaint(text))

    def finish(self, answer: Answer) -> Answer:
        """Write what was held back, and how the run ended; return the answer."""
        self._output.follow(None)
        if self._is_withheld or (answer.check is not None and self._is_wordless(answer)):
            self._is_withheld = False
            self.write(Stream.STDOUT, plugin_text(answer))
            if says_itself(answer):
                self._flush(Stream.STDOUT)
                return answer
        if self._style is Style.VERBATIM and (says_itself(answer) or not rendering.has_failed(answer)):
            return answer
        stdout, stderr = self._printable
        if not stdout.is_clean:
            self._flush(Stream.STDOUT)
        self._holds = False
        if self._held is not None:
            held, self._held = self._held, None
            self.omitted_stderr_bytes = held.omitted_bytes
            self.write(Stream.STDERR, held.text(answer.command))
        if not stderr.is_clean:
            self._flush(Stream.STDERR)
        if self._style is Style.FOLLOWED:
            self._complain(rendering.end_line(answer))
        elif (self._style is not Style.APART or not _shows_in_exit_status(answer)) and (
            trailer := rendering.answer_trailer(answer)
        ):
            self._complain(trailer)
        return answer

    def _is_wordless(self, answer: Answer) -> bool:
        """Whether a plugin has printed nothing that its reader sees, so that its state would be told nowhere."""
        finished = answer.finished
        is_silent = not finished.stdout_bytes and (self._style is Style.VERBATIM or not finished.stderr_bytes)
        return is_silent and self._style is not Style.FOLLOWED and says_itself(answer)

    def fail(self, error: RequestError) -> None:
        """Write that there is no answer."""
        self._complain(rendering.error_text(error))

    def leave(self) -> None:
        """Write nothing more, but leave the colours of a terminal as they were."""
        for stream in Stream:
            self._send(stream, self._printable[stream is Stream.STDERR].reset())

    def _flush(self, stream: Stream) -> None:
        self._send(stream, self._printable[stream is Stream.STDERR].finish())

    def _complain(self, complaint: bytes) -> None:
        if complaint:
            self.leave()
        if complaint and not self._ends_line:
            self._send(Stream.STDERR, b"\n")
        self._send(Stream.STDERR, complaint)

    def _send(self, stream: Stream, data: bytes) -> None:
        if data:
            if stream is Stream.STDERR or not self._is_apart:
                self._ends_line = data[-1:] == b"\n" or (data[-1:] == b"m" and ends_line(data, self._ends_line))
            self._output.write(data, stream)


def _shows_in_exit_status(answer: Answer) -> bool:
    """Whether an exit status, or a signal, says all that there is to say of an end."""
    if is_overruled(answer):
        return False
    return answer.state.is_own_end and answer.finished.is_over
