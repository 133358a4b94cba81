"""The output of one run as text over HTTP, for whoever looks at it."""

from collections.abc import Awaitable
from http import HTTPStatus

from cmdserver.core.errors import RequestError
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.common.text_sink import TextSink
from cmdserver.frontends.web.answers import TRAILERS, check_headers, end_headers, trailers_of
from cmdserver.frontends.web.http.headers import UNGATHERED, Headers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.net.backpressure import Backpressure


class RunText(Backpressure):
    """Text, begun with the first output and at its client's pace; the `Output` of a `TextSink`."""

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
            self.request.begin(HTTPStatus.OK, Representation.TEXT, self.headers)

    def expect(self, seen: SeenRun) -> None:
        """Say in the head how a run has ended that is over already."""
        record = seen.record
        if not record.state.is_alive:
            self.headers = end_headers(record.id, record.exit_status, record.signal, is_truncated=record.truncated)
            if record.check_state is not None:
                self.headers += check_headers(record.check_state)

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        del stream
        self.open()
        self.request.write(data)

    def finish(self) -> None:
        """End the response."""
        self.open()
        self.request.finish()


class FollowedText(RunText):
    """Text while it is made, whose last line says how the run ended, as the `Output` of a `TextSink`.

    The head is sent as soon as the run has begun, and says nothing of its end: a client that takes trailers is told
    there, too.

    Args:
        request: To be answered.
        run_id: As the client is to know the run.
    """

    def __init__(self, request: WebRequest, run_id: str) -> None:
        super().__init__(request)
        self.headers = ((b"Cmdserver-Request-Id", run_id.encode("ascii")), *UNGATHERED)
        if request.takes_trailers:
            self.headers += ((b"Trailer", TRAILERS),)

    def follow(self, source: Producer | None) -> None:
        if source is not None:
            self.open()
        super().follow(source)

    async def tell(self, sink: TextSink, running: Awaitable[Answer]) -> None:
        """Answer with a run.

        Args:
            sink: With this as its output.
            running: Its end.
        """
        try:
            answer = sink.finish(await running)
        except RequestError as error:
            self.follow(None)
            if self.request.is_gone or not self.request.startedWriting:
                raise
            sink.fail(error)
            self.request.finish()
        else:
            self.open()
            self.request.finish(trailers_of(answer))
        finally:
            self.follow(None)
