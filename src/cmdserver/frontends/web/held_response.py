"""Responses that are sent while their command runs, but held back for a while, so that the status tells how it ended.

An answer that is over soon, and short, is sent whole and with its own status. One that takes long, or grows, is begun
with 200, and how it ended can only be told at its end: a page tells it in words; text breaks off (`WebRequest.cut`), so
that a script does not take it for a success. While the client does not read, the run is paused.
"""

from http import HTTPStatus
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from cmdserver.core.errors import RequestError
from cmdserver.core.escaping import Printable
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.common.rendering import complaint, has_failed, output_omission
from cmdserver.frontends.common.text_sink import TextSink
from cmdserver.frontends.web import answers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import command_pages
from cmdserver.frontends.web.pages.filled_form import FilledForm
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.net.backpressure import Backpressure

#: The most output that is held back. Of text nothing needs to be seen before its end; for a page somebody waits.
HELD_TEXT_BYTES: Final = 1 << 20
HELD_PAGE_BYTES: Final = 1 << 16
#: How long a page is held back.
PATIENCE_SECONDS: Final = 1.0


class HeldResponse(Backpressure):
    """The response to a request, at its client's pace, of which up to ``held_bytes`` are held back."""

    representation: Representation

    def __init__(self, request: WebRequest, held_bytes: int) -> None:
        self.request = request
        self._held_bytes = held_bytes
        self._held: list[tuple[Stream, bytes]] = []
        self._held_length = 0
        self.is_open = False

    def follow(self, source: Producer | None) -> None:
        """See `Backpressure`; the request's producer as long as there is a source. Idempotent."""
        is_registered = self._source is not None
        super().follow(source)
        if source is not None:
            self.request.registerProducer(self, True)
        elif is_registered and not self.request.is_gone:
            self.request.unregisterProducer()

    def open(self) -> None:
        """Begin the response, though it is not known how the run will end. Idempotent."""
        if not self.is_open and not self.request.is_gone:
            self.is_open = True
            self.request.begin(HTTPStatus.OK, self.representation)
            self.preface()
            for stream, chunk in self._held:
                self.send(stream, chunk)
            self._held.clear()

    def _hold(self, stream: Stream, chunk: bytes) -> None:
        """Send output, or hold it back; once the run is over, however much it is."""
        if self.is_open:
            self.send(stream, chunk)
            return
        self._held.append((stream, chunk))
        self._held_length += len(chunk)
        if self._held_length > self._held_bytes and self._source is not None:
            self.open()

    # For subclasses

    def preface(self) -> None:
        """Send what comes before all output."""

    def send(self, stream: Stream, chunk: bytes) -> None:
        """Send output."""
        raise NotImplementedError


class HeldText(HeldResponse):
    """Text, as the `Output` of a `TextSink`."""

    representation = Representation.TEXT

    def __init__(self, request: WebRequest) -> None:
        super().__init__(request, HELD_TEXT_BYTES)

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        if self.is_open:
            self.request.write(data)
        else:
            self._hold(stream, data)

    def send(self, stream: Stream, chunk: bytes) -> None:
        del stream
        self.request.write(chunk)

    def finish(self, answer: Answer, sink: TextSink) -> None:
        """End the response, all of whose text was written."""
        if not self.is_open:
            headers = answers.outcome_headers(answer)
            if sink.omitted_stderr_bytes and not answer.finished.truncated:
                headers += answers.STDERR_TRUNCATED
            body = b"".join(chunk for _, chunk in self._held)
            self.request.respond(answers.status_of(answer, self.representation), self.representation, body, headers)
        elif has_failed(answer):
            self.request.cut()
        else:
            self.request.finish()


class LivePage(HeldResponse):
    """A page that grows; a `Listener`."""

    representation = Representation.PAGE

    def __init__(self, request: WebRequest, visitor: Visitor, clock: IReactorTime, granted: Request) -> None:
        super().__init__(request, HELD_PAGE_BYTES)
        self._asked, self._id = granted.grant, granted.id
        self._visitor = visitor
        self._clock = clock
        self._patience: IDelayedCall | None = None
        self._printable = {stream: Printable() for stream in Stream}

    def started(self, grant: Grant, producer: Producer) -> None:  # noqa: ARG002 - known before
        self.follow(producer)
        self._patience = self._clock.callLater(PATIENCE_SECONDS, self.open)

    def write(self, stream: Stream, chunk: bytes) -> None:
        self._hold(stream, chunk)

    def missed(self, count: int) -> None:
        self._hold(Stream.STDERR, output_omission(self._asked.command.name, count))

    def notice(self, text: str) -> None:
        self._hold(Stream.STDERR, complaint(text))

    def close(self) -> None:
        """Stop following the run, which is over or was left. Idempotent."""
        self.follow(None)
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None

    def preface(self) -> None:
        self.request.write(command_pages.head(self._visitor, self._asked, self._id))

    def send(self, stream: Stream, chunk: bytes) -> None:
        self._write(stream, self._printable[stream].feed(chunk))

    def finish(self, answer: Answer, filled: FilledForm) -> None:
        """End the response: the run is over, and the form of its command comes below.

        Args:
            answer: How it ended.
            filled: With the values of the run.
        """
        self.close()
        tail = command_pages.tail(self._visitor, answer, filled)
        if self.is_open:
            self._end_with(tail)
            return
        head = command_pages.head(self._visitor, self._asked, self._id)
        said = [self._piece(stream, self._printable[stream].feed(chunk)) for stream, chunk in self._held]
        rest = [self._piece(stream, printable.finish()) for stream, printable in self._printable.items()]
        body = b"".join((head, *said, *rest, tail))
        status = answers.status_of(answer, self.representation)
        self.request.respond(status, self.representation, body, answers.outcome_headers(answer))

    def complain(self, error: RequestError) -> None:
        """End a page that was begun, though there is no answer."""
        self.close()
        self._end_with(command_pages.failure(error))

    def _end_with(self, tail: bytes) -> None:
        for stream, printable in self._printable.items():
            self._write(stream, printable.finish())
        self.request.write(tail)
        self.request.finish()

    def _write(self, stream: Stream, text: bytes) -> None:
        if text:
            self.request.write(self._piece(stream, text))

    def _piece(self, stream: Stream, text: bytes) -> bytes:
        return command_pages.output_piece(text, is_error=stream is Stream.STDERR) if text else b""
