"""What a line means: its words to the dispatcher, the answer as bytes to whoever sent it.

Listeners that speak lines (plain, TLS, SSH) differ in how bytes travel, not in what is said; this is what they share.
Rule of this file: it knows no transport; what it writes goes to an `Output`.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, assert_never

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.errors import Refusal, RequestError
from cmdserver.core.escaping import Printable
from cmdserver.core.model import Answer, Caller, Grant, Producer, Somebody, Stream
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.frontends.common import line_protocol, rendering
from cmdserver.frontends.common.held_stderr import HeldStderr


class Output(Protocol):
    """Where answers go: a connection, as the interpreter sees it."""

    def write(self, data: bytes) -> None:
        """Send bytes; never blocks."""

    def follow(self, producer: Producer | None) -> None:
        """Pause and resume ``producer`` as the client keeps up; None: there is nothing to pause any more."""


class Interpreter:
    """Answers lines.

    Args:
        dispatcher: Whom to ask.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def perform(
        self, caller: Caller, question: line_protocol.Question, output: Output, *, as_json: bool
    ) -> Deferred[None] | None:
        """Answer one question.

        Args:
            caller: Who asks.
            question: What.
            output: Where the answer goes, its errors included.
            as_json: Whether it is to be one JSON object on one line.

        Returns:
            None if the answer has been written already; else fires when it has, and never fails. To cancel it is to
            leave: nothing more is written.
        """
        if isinstance(question, line_protocol.Run):
            return self._run(caller, question.words, output, as_json=as_json)
        try:
            answer = self.consult(caller, question, as_json=as_json)
        except RequestError as error:
            answer = _render_error(error, as_json=as_json)
        output.write(answer)
        return None

    def refuse(self, somebody: Somebody, refusal: Refusal, output: Output, *, as_json: bool) -> None:
        """Answer bytes that were no request."""
        output.write(_render_error(self._dispatcher.refuse(somebody, refusal), as_json=as_json))

    def _run(self, caller: Caller, words: tuple[str, ...], output: Output, *, as_json: bool) -> Deferred[None]:
        if as_json:
            written = self._dispatcher.ask(caller, words).addCallback(
                lambda answer: _JSONAnswer(rendering.answer_json_pieces(answer), output).begin()
            )
            return written.addErrback(self._complain, lambda error: output.write(rendering.error_json(error)))
        text = _TextAnswer(output)
        written = self._dispatcher.ask(caller, words, text).addCallback(text.finish)
        return written.addErrback(self._complain, text.complain)

    def _complain(self, failure: Failure, complain: Callable[[RequestError], None]) -> None:
        if failure.check(CancelledError):
            return  # there is nobody to complain to
        error = failure.value
        complain(error if isinstance(error, RequestError) else self._dispatcher.fault(failure))

    def consult(self, caller: Caller, question: line_protocol.Question, *, as_json: bool) -> bytes:
        """Answer what needs no process.

        Raises:
            RequestError: There is no answer.
        """
        match question:
            case line_protocol.Help(name):
                commands = self._dispatcher.help(caller, name)
                return rendering.help_json(commands) if as_json else rendering.help_text(commands)
            case line_protocol.Explain(words):
                grant, rule = self._dispatcher.explain(caller, words)
                render = rendering.explanation_json if as_json else rendering.explanation_text
                return render(grant, rule)
            case line_protocol.WhoAmI():
                roles = self._dispatcher.whoami(caller)
                return (rendering.whoami_json if as_json else rendering.whoami_text)(caller, roles)
            case line_protocol.Who():
                connected = self._dispatcher.who(caller)
                return rendering.who_json(connected) if as_json else rendering.who_text(connected)
            case line_protocol.Run():
                raise AssertionError(question)  # see _run
            case _:
                assert_never(question)


class _JSONAnswer:
    """A `Producer` of an answer that is there already: it is made JSON as the client takes it."""

    def __init__(self, pieces: Iterator[bytes], output: Output) -> None:
        self._pieces = pieces
        self._output = output
        self._next = next(pieces, None)
        self._is_paused = False
        self._written: Deferred[None] | None = None

    def begin(self) -> Deferred[None] | None:
        """Write; if that is not done at once, return what fires when it is."""
        self._output.follow(self)
        self._go_on()
        if self._next is not None:
            self._written = Deferred(self._forget)
        return self._written

    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._go_on()

    def _go_on(self) -> None:
        while self._next is not None and not self._is_paused:
            piece, self._next = self._next, next(self._pieces, None)
            self._output.write(piece)
        if self._next is None:
            self._output.follow(None)
            if self._written is not None:
                written, self._written = self._written, None
                written.callback(None)

    def _forget(self, _: Deferred[None]) -> None:
        """The client has left."""
        self._next = self._written = None


class _TextAnswer:
    """A `Sink` for one text answer: standard output as it comes, then standard error, then what went wrong."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._stderr = HeldStderr()
        self._is_raw = False
        self._printable = Printable()
        self._ends_line = True

    def started(self, grant: Grant, producer: Producer) -> None:
        self._is_raw = grant.command.raw
        self._output.follow(producer)

    def write(self, stream: Stream, chunk: bytes) -> None:
        if stream is Stream.STDERR:
            self._stderr.add(chunk)
        else:
            self._write(chunk if self._is_raw else self._printable.feed(chunk))

    def finish(self, answer: Answer) -> None:
        self._output.follow(None)
        self._write(self._printable.finish())
        self.write(Stream.STDOUT, self._stderr.text(answer.grant.command.name))
        self._write(self._printable.finish())
        self._say(rendering.answer_trailer(answer))

    def complain(self, error: RequestError) -> None:
        self._output.follow(None)
        self._say(rendering.error_text(error))

    def _say(self, complaint: bytes) -> None:
        if complaint and not self._ends_line:
            self._write(b"\n")
        self._write(complaint)

    def _write(self, data: bytes) -> None:
        if data:
            self._ends_line = data.endswith(b"\n")
            self._output.write(data)


def _render_error(error: RequestError, *, as_json: bool) -> bytes:
    return rendering.error_json(error) if as_json else rendering.error_text(error)
