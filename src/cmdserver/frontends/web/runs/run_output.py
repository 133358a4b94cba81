"""The output of one run over HTTP, for whoever looks at it: as text, or on a page that grows while the run goes on."""

from collections.abc import Callable
from http import HTTPStatus

from cmdserver.core.errors import RequestError
from cmdserver.core.escaping import Printable
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.common.rendering import complaint, output_omission
from cmdserver.frontends.web.answers import end_headers
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import command_pages, run_pages
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.pages import in_words
from cmdserver.frontends.web.pages.run_marks import Shown
from cmdserver.net.backpressure import Backpressure
from cmdserver.runs.record import RunRecord


class _Response(Backpressure):
    """A response that is begun with the first output, and then goes at its client's pace."""

    representation: Representation

    def __init__(self, request: WebRequest) -> None:
        self.request = request
        #: Besides the usual ones.
        self.headers: Headers = ()

    def follow(self, source: Producer | None) -> None:
        """See `Backpressure`; the request's producer as long as there is a source. Idempotent."""
        is_registered = self._source is not None
        super().follow(source)
        if source is not None and not is_registered:
            self.request.registerProducer(self, True)
        elif source is None and is_registered and not self.request.is_gone:
            self.request.unregisterProducer()

    def open(self) -> None:
        """Begin the response. Idempotent."""
        if not self.request.startedWriting and not self.request.is_gone:
            self.request.begin(HTTPStatus.OK, self.representation, self.headers)


class RunText(_Response):
    """Text, as the `Output` of a `TextSink`."""

    representation = Representation.TEXT

    def expect(self, seen: SeenRun) -> None:
        """Say in the head how a run has ended that is over already."""
        record = seen.record
        if not record.state.is_alive:
            self.headers = end_headers(record.id, record.exit_status, record.signal, is_truncated=record.truncated)

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        del stream
        self.open()
        self.request.write(data)

    def finish(self) -> None:
        """End the response."""
        self.open()
        self.request.finish()


class RunPage(_Response):
    """A page with what a run says; a `Listener`.

    Args:
        request: To be answered.
        visitor: Who looks.
        time_of_day: Seconds since the epoch.
    """

    representation = Representation.PAGE

    def __init__(self, request: WebRequest, visitor: Visitor, time_of_day: Callable[[], float]) -> None:
        super().__init__(request)
        self._visitor = visitor
        self._time_of_day = time_of_day
        self._printable = {stream: Printable() for stream in Stream}

    def begin(self, seen: SeenRun) -> None:
        """Begin the page: who has asked for what, and where its output comes."""
        self._seen = seen
        self.open()
        self.request.write(run_pages.head(self._visitor, seen, self._time_of_day()))

    # Listener

    def started(self, grant: Grant, producer: Producer) -> None:  # noqa: ARG002 - known before
        self.follow(producer)

    def write(self, stream: Stream, chunk: bytes) -> None:
        self._write(stream, self._printable[stream].feed(chunk))

    def missed(self, count: int) -> None:
        self._write(Stream.STDERR, output_omission(self._seen.record.command, count))

    def notice(self, text: str) -> None:
        self._write(Stream.STDERR, complaint(text))

    # The end

    def finish(self, answer: Answer, record: RunRecord, *, may_run: bool) -> None:
        """End the page: the run is over.

        Args:
            answer: How it ended.
            record: The run.
            may_run: Whether the visitor may ask for the same anew.
        """
        shown = Shown.of(record, self._seen.grant.command)
        was_alive = self._seen.record.state.is_alive
        now = self._time_of_day()
        self._end_with(run_pages.tail(self._visitor, shown, answer, now, was_alive=was_alive, may_run=may_run))

    def complain(self, error: RequestError) -> None:
        """End a page that was begun, though its reader may see no more of the run."""
        self._end_with(run_pages.gone(in_words(error)))

    def _end_with(self, tail: bytes) -> None:
        for stream, printable in self._printable.items():
            self._write(stream, printable.finish())
        self.request.write(tail)
        self.request.finish()

    def _write(self, stream: Stream, text: bytes) -> None:
        if text:
            self.request.write(command_pages.output_piece(text, is_error=stream is Stream.STDERR))
