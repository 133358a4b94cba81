"""Answers that are sent while their command runs: held back for a while, so that the status can tell how it ended.

An answer that is over soon, and short, goes out whole and with its own status. One that takes long, or grows, is begun
with 200, and what came of it can only be said at its end: a page says it in words; text breaks off (`WebRequest.cut`),
so that a script does not take it for a success.

While the client does not read, the run is paused. Rule of this file: bytes of commands to bytes of answers; it asks
nobody.
"""

from http import HTTPStatus
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from cmdserver.core.errors import RequestError
from cmdserver.core.escaping import Printable
from cmdserver.core.model import Answer, Grant, Producer, Stream
from cmdserver.dispatch.output_parsers import Kept
from cmdserver.frontends.common.held_stderr import HeldStderr
from cmdserver.frontends.web import answers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import pages
from cmdserver.frontends.web.pages.layout import Visitor

#: Of text: nothing of it needs to be seen before its end, so it is held back as long as there is room.
HELD_TEXT_BYTES: Final = 1 << 20
#: Of a page, which somebody waits for.
HELD_PAGE_BYTES: Final = 1 << 16
PATIENCE_SECONDS: Final = 1.0


@implementer(IPushProducer)
class Live:
    """What text and pages have in common: a `Sink` that is at its client's pace, and holds back what comes first.

    Args:
        request: To be answered.
        held_bytes: Of output that may be held back.
    """

    representation: Representation

    def __init__(self, request: WebRequest, held_bytes: int) -> None:
        self.request = request
        self._held_bytes = held_bytes
        self._held: list[tuple[Stream, bytes]] = []
        self._held_length = 0
        self._is_open = False
        self._is_full = False
        self._producer: Producer | None = None

    # Sink

    def started(self, grant: Grant, producer: Producer) -> None:
        """See `Sink`."""
        self._producer = producer
        self.grant = grant
        self.request.registerProducer(self, True)

    def write(self, stream: Stream, chunk: bytes) -> None:
        """See `Sink`."""
        if self._is_open:
            self.say(stream, chunk)
            return
        self._held.append((stream, chunk))
        self._held_length += len(chunk)
        if self._held_length > self._held_bytes:
            self.open()

    def open(self) -> None:
        """Begin the answer, though it is not known how it will end; harmless if it was begun."""
        if not self._is_open and not self.request.is_gone:
            self._is_open = True
            self.request.begin(HTTPStatus.OK, self.representation)
            self.preface()
            for stream, chunk in self._held:
                self.say(stream, chunk)
            self._held.clear()

    def close(self) -> None:
        """Nothing more will come of the run."""
        if self._producer is not None:
            self._producer = None
            if not self.request.is_gone:
                self.request.unregisterProducer()

    # What differs

    def preface(self) -> None:
        """Write what comes before all output."""

    def say(self, stream: Stream, chunk: bytes) -> None:
        """Write a piece of output."""
        raise NotImplementedError

    # IPushProducer

    def pauseProducing(self) -> None:
        """The client does not keep up."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """It has caught up."""
        if self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is gone; the request's ``when_gone`` sees to that."""


class LiveText(Live):
    """Standard output as it is."""

    representation = Representation.TEXT

    def __init__(self, request: WebRequest) -> None:
        super().__init__(request, HELD_TEXT_BYTES)
        self._stderr = HeldStderr()
        self._ends_line = True

    def write(self, stream: Stream, chunk: bytes) -> None:
        """Keep standard error for the end."""
        if stream is Stream.STDERR:
            self._stderr.add(chunk)
        else:
            super().write(stream, chunk)

    def say(self, stream: Stream, chunk: bytes) -> None:
        """See `Live`."""
        del stream
        self._ends_line = chunk.endswith(b"\n")
        self.request.write(chunk)

    def finish(self, answer: Answer) -> None:
        """All is known."""
        self.close()
        has_failed = answers.has_failed(answer)
        stderr = self._stderr.text(answer.grant.command.name) if has_failed else b""
        if not self._is_open:
            body = b"".join(chunk for _, chunk in self._held) + stderr
            if has_failed:
                body += answers.complaint(answer, ends_line=not body or body.endswith(b"\n"))
            headers = answers.outcome_headers(answer)
            if has_failed and self._stderr.omitted_bytes and not answer.finished.truncated:
                headers += answers.STDERR_TRUNCATED
            self.request.respond(answers.status_of(answer, self.representation), self.representation, body, headers)
        elif has_failed:
            if stderr:
                self.say(Stream.STDERR, stderr)
            self.request.write(answers.complaint(answer, ends_line=self._ends_line))
            self.request.cut()
        else:
            self.request.finish()


class LivePage(Live):
    """A page that grows.

    Args:
        request: To be answered.
        visitor: Who looks at it.
        arguments: The command's.
        clock: Measures patience.
    """

    representation = Representation.PAGE

    def __init__(self, request: WebRequest, visitor: Visitor, arguments: list[str], clock: IReactorTime) -> None:
        super().__init__(request, HELD_PAGE_BYTES)
        self._visitor = visitor
        self._arguments = arguments
        self._clock = clock
        self._patience: IDelayedCall | None = None
        self._printable = {stream: Printable() for stream in Stream}
        self._kept = Kept()

    def started(self, grant: Grant, producer: Producer) -> None:
        """See `Sink`."""
        super().started(grant, producer)
        self._kept.begin(grant.command)
        self._patience = self._clock.callLater(PATIENCE_SECONDS, self.open)

    def write(self, stream: Stream, chunk: bytes) -> None:
        """See `Sink`."""
        if stream is Stream.STDOUT:
            self._kept.add(chunk)
        super().write(stream, chunk)

    def close(self) -> None:
        """See `Live`."""
        super().close()
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None

    def preface(self) -> None:
        """See `Live`."""
        self.request.write(pages.command_head(self._visitor, self.grant.command, self._arguments))

    def say(self, stream: Stream, chunk: bytes) -> None:
        """See `Live`."""
        self._write(stream, self._printable[stream].feed(chunk))

    def finish(self, answer: Answer) -> None:
        """All is known."""
        self.close()
        tail = pages.command_tail(self._visitor, answer, None, self._kept.output())
        if self._is_open:
            self._flush()
            self.request.write(tail)
            self.request.finish()
            return
        head = pages.command_head(self._visitor, answer.grant.command, self._arguments)
        said = [self._piece(stream, self._printable[stream].feed(chunk)) for stream, chunk in self._held]
        rest = [self._piece(stream, printable.finish()) for stream, printable in self._printable.items()]
        body = b"".join((head, *said, *rest, tail))
        status = answers.status_of(answer, self.representation)
        self.request.respond(status, self.representation, body, answers.outcome_headers(answer))

    def complain(self, error: RequestError) -> None:
        """There is no answer, though a page of it was begun."""
        self.close()
        self._flush()
        self.request.write(pages.command_tail(self._visitor, None, error))
        self.request.finish()

    @property
    def is_open(self) -> bool:
        """Whether something was sent."""
        return self._is_open

    def _flush(self) -> None:
        for stream, printable in self._printable.items():
            self._write(stream, printable.finish())

    def _write(self, stream: Stream, text: bytes) -> None:
        if text:
            self.request.write(self._piece(stream, text))

    def _piece(self, stream: Stream, text: bytes) -> bytes:
        return pages.command_output(text, is_error=stream is Stream.STDERR) if text else b""
