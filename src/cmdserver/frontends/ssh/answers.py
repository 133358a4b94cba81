"""A request of a session, answered: standard output and standard error apart, and how it ended.

Rule of this file: lines in, two streams and an `ExitStatus` out; it knows neither packets nor terminals.
"""

from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Malformed, Refusal, RequestError
from cmdserver.core.escaping import Printable
from cmdserver.core.model import Answer, Caller, Grant, Producer, Stream
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.frontends.common import line_protocol, rendering
from cmdserver.frontends.common.interpreter import Interpreter
from cmdserver.frontends.ssh.exit_status import ExitStatus, of_answer, of_error

#: The exit status of a request that was cancelled; compared by identity.
INTERRUPTED: Final = ExitStatus(signal="SIGINT")


class Streams(Protocol):
    """Where an answer goes."""

    def write(self, stream: Stream, data: bytes) -> None:
        """Write to one of the two; an empty chunk is nothing."""

    def follow(self, producer: Producer | None) -> None:
        """Pause and resume ``producer`` as the client keeps up; None: there is nothing to pause any more."""


class Answers:
    """Answers the requests of one caller.

    Args:
        caller: Who asks.
        dispatcher: Whom to ask.
        line_bytes: The longest line.
    """

    def __init__(self, caller: Caller, dispatcher: Dispatcher, line_bytes: int) -> None:
        self._caller = caller
        self._dispatcher = dispatcher
        self._interpreter = Interpreter(dispatcher)
        self.line_bytes = line_bytes

    @property
    def is_forced(self) -> bool:
        """Whether the same is run whatever is asked for."""
        return self._caller.forced_words is not None

    def names(self) -> frozenset[str]:
        """Name what the caller may run, for completion."""
        return self._dispatcher.names(self._caller)

    def perform(self, line: bytes, streams: Streams, *, is_for_person: bool = False) -> Deferred[ExitStatus] | None:
        """Answer one line.

        Args:
            line: As it came.
            streams: Where the answer goes.
            is_for_person: Who sees no exit status, and so is told of it.

        Returns:
            Fires with how it ended, and never fails. To cancel it ends what runs, and says nothing more. None if the
            line asks to leave.
        """
        try:
            parsed = self._parse(line)
        except Refusal as refusal:
            return self.refuse(refusal, streams, as_json=line_protocol.wants_json(line))
        request = parsed.request
        match request:
            case line_protocol.Quit():
                return None
            case line_protocol.Session():
                answering = succeed(ExitStatus())
            case line_protocol.LogIn():
                answering = self.refuse(BadArgument("you have logged in"), streams)
            case line_protocol.Run(words) if parsed.as_json:
                answering = self._run_as_json(words, streams)
            case line_protocol.Run(words):
                answering = self._run(words, streams, is_for_person=is_for_person)
            case _:
                answering = self._consult(request, streams, as_json=parsed.as_json)
        return answering

    def refuse(self, refusal: Refusal, streams: Streams, *, as_json: bool = False) -> Deferred[ExitStatus]:
        """Answer what is no request."""
        return succeed(_complain(self._dispatcher.refuse(self._caller, refusal), streams, as_json=as_json))

    def _parse(self, line: bytes) -> line_protocol.Line:
        if self._caller.forced_words is not None:
            return line_protocol.Line(line_protocol.Run(self._caller.forced_words), as_json=False)
        if len(line) > self.line_bytes:
            raise Malformed(f"the line is longer than {self.line_bytes} bytes")
        return line_protocol.parse(line)

    def _consult(self, question: line_protocol.Question, streams: Streams, *, as_json: bool) -> Deferred[ExitStatus]:
        try:
            streams.write(Stream.STDOUT, self._interpreter.consult(self._caller, question, as_json=as_json))
        except RequestError as error:
            return succeed(_complain(error, streams, as_json=as_json))
        return succeed(ExitStatus())

    def _run(self, words: tuple[str, ...], streams: Streams, *, is_for_person: bool) -> Deferred[ExitStatus]:
        run = _Run(streams, is_for_person=is_for_person)
        asked = self._dispatcher.ask(self._caller, words, run).addCallback(run.finish)
        return asked.addErrback(self._failed, streams, run)

    def _run_as_json(self, words: tuple[str, ...], streams: Streams) -> Deferred[ExitStatus]:
        def write(answer: Answer) -> ExitStatus:
            streams.write(Stream.STDOUT, rendering.answer_json(answer))
            return of_answer(answer)

        return self._dispatcher.ask(self._caller, words).addCallback(write).addErrback(self._failed, streams, None)

    def _failed(self, failure: Failure, streams: Streams, run: "_Run | None") -> ExitStatus:
        if run is not None:
            run.stop()
        if failure.check(CancelledError):
            return INTERRUPTED
        error = failure.value
        if not isinstance(error, RequestError):
            error = self._dispatcher.fault(failure)
        if run is not None:
            run.begin_line()
        return _complain(error, streams, as_json=run is None)


class _Run:
    """A `Sink` for one run: each stream as it comes, made harmless for terminals unless the command says ``raw``."""

    def __init__(self, streams: Streams, *, is_for_person: bool) -> None:
        self._streams = streams
        self._is_for_person = is_for_person
        self._is_raw = False
        self._printable = {stream: Printable() for stream in Stream}
        #: Whether what was last written where complaints go ended a line.
        self._ends_line = True

    def started(self, grant: Grant, producer: Producer) -> None:
        self._is_raw = grant.command.raw
        self._streams.follow(producer)

    def write(self, stream: Stream, chunk: bytes) -> None:
        self._send(stream, chunk if self._is_raw else self._printable[stream].feed(chunk))

    def finish(self, answer: Answer) -> ExitStatus:
        self.stop()
        for stream, printable in self._printable.items():
            self._send(stream, printable.finish())
        # A program reads the status; what it cannot read from that is said in any case.
        if self._is_for_person or answer.finished.truncated or answer.finished.timed_out:
            trailer = rendering.answer_trailer(answer)
            if trailer:
                self.begin_line()
                self._send(Stream.STDERR, trailer)
        return of_answer(answer)

    def stop(self) -> None:
        self._streams.follow(None)

    def begin_line(self) -> None:
        """Let a complaint begin a line of its own."""
        if not self._ends_line:
            self._send(Stream.STDERR, b"\n")

    def _send(self, stream: Stream, data: bytes) -> None:
        if data:
            self._streams.write(stream, data)
            if stream is Stream.STDERR or self._is_for_person:
                self._ends_line = data.endswith(b"\n")


def _complain(error: RequestError, streams: Streams, *, as_json: bool) -> ExitStatus:
    """Say what became of a request without an answer: to programs that want JSON where they read it."""
    if as_json:
        streams.write(Stream.STDOUT, rendering.error_json(error))
    else:
        streams.write(Stream.STDERR, rendering.error_text(error))
    return of_error(error)
