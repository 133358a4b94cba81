"""Responses that are sent while their command runs, but held back for a while, so that the status tells how it ended.

An answer that is over soon, and short, is sent whole and with its own status. One that takes long, or grows, is begun
with 200, and how it ended can only be told at its end: a page tells it in words; text breaks off (`WebRequest.cut`), so
that a script does not take it for a success. While the client does not read, the run is paused.
"""

from http import HTTPStatus
from typing import Final

from twisted.python.failure import Failure

from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.frontends.common.rendering import has_failed
from cmdserver.frontends.common.text_sink import TextSink
from cmdserver.frontends.web import answers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.net.backpressure import Backpressure

#: The most text that is held back: nothing of it needs to be seen before its end.
HELD_TEXT_BYTES: Final = 1 << 20


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
            self.overflow()

    # For subclasses

    def overflow(self) -> None:
        """Hold no more back."""
        self.open()

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

    def abandon(self, failure: Failure) -> Failure:
        """Stop following a run that has no answer, and pass on why."""
        self.follow(None)
        return failure

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
