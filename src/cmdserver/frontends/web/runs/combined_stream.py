r"""The events of several runs and lists on one response: all that the pages of a browser follow.

    event: stream
    data: "5b1e0f6a9c3d7e24"

    part: 0
    id: 6f1c….212
    event: stdout
    data: "two\n"

Each event but the first says which part it belongs to; parts are numbered in the order in which they were asked for. A
part that ends does not end the others, and parts are added and dropped while the response goes on, by its id. It ends
with its last part, or with the session that it belongs to.

A client that does not keep up pauses all parts. They go on in turn, each until the client is behind again, so that none
of them keeps the others from being told; what is not told yet is in the recording of its run, and nowhere else.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from cmdserver.core.errors import LoginRequired, RequestError
from cmdserver.core.model import Caller
from cmdserver.frontends.common.rendering import error_json
from cmdserver.frontends.web.event_streams import EventStreams
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.runs.run_facts import Way
from cmdserver.frontends.web.runs.event_sink import HEARTBEAT_SECONDS
from cmdserver.frontends.web.runs.list_stream import ROWS, ListStream
from cmdserver.frontends.web.runs.run_drawing import RunDrawing
from cmdserver.frontends.web.runs.wanted import Kind, Wanted
from cmdserver.net.backpressure import Backpressure

#: The most parts of one response.
MOST_PARTS: Final = 100


class CombinedStream(Backpressure):
    """One response with the events of many.

    Args:
        name: Under which parts are added to it.
        streams: The event streams of runs.
        request: To be answered.
        caller: Who has asked for it.
        when_over: Called once, when it is.
    """

    def __init__(
        self,
        name: str,
        streams: EventStreams,
        request: WebRequest,
        caller: Caller,
        when_over: Callable[[str], object],
    ) -> None:
        self.name = name
        self.caller = caller
        self._streams = streams
        self._site = streams.site
        self._request = request
        self._when_over = when_over
        #: By their numbers, in the order in which they go on.
        self._parts: dict[int, Part] = {}
        self._next_number = 0
        self._is_adding = False
        self._is_over = False
        self._beating: IDelayedCall | None = None

    def begin(self, wanted: Iterable[Wanted]) -> None:
        """Begin the response."""
        request = self._request
        request.when_gone = self._end
        request.begin(HTTPStatus.OK, Representation.EVENTS)
        request.registerProducer(self, True)
        request.write(b'event: stream\ndata: "%s"\n\n' % self.name.encode("ascii"))
        self._beating = self._site.clock.callLater(HEARTBEAT_SECONDS, self._beat)
        self.change(self.caller, wanted, ())

    def has_room(self, wanted: int) -> bool:
        """Whether so many parts can be added."""
        return len(self._parts) + wanted <= MOST_PARTS

    def change(self, caller: Caller, wanted: Iterable[Wanted], unwanted: Iterable[int]) -> None:
        """Add parts, and drop others.

        Args:
            caller: Who asks: the same, but perhaps from elsewhere; each part is judged, counted and written down as if
                it were asked for alone.
            wanted: What to add.
            unwanted: Numbers of parts; those that are over already are none any more.
        """
        self._is_adding = True
        for number in unwanted:
            if (part := self._parts.pop(number, None)) is not None:
                part.leave(is_unwanted=True)
        for each in wanted:
            part = self._parts[self._next_number] = Part(self, self._next_number)
            self._next_number += 1
            try:
                self._fill(part, caller, each)
            except RequestError as error:
                part.fail(error)
        self._is_adding = False
        self._end_if_empty()

    def require_session(self) -> bool:
        """End it if the session has ended that it belongs to; return whether it goes on."""
        if self._is_over or not self._site.authentication.has_lost_session(self._request):
            return not self._is_over
        self._request.write(b"event: failure\ndata: %s\n\n" % error_json(LoginRequired()).strip())
        self._finish()
        return False

    # Backpressure

    def pauseProducing(self) -> None:
        super().pauseProducing()
        for part in list(self._parts.values()):
            part.pause()

    def resumeProducing(self) -> None:
        """Let parts go on, the one that has waited longest first, until the client is behind again."""
        super().resumeProducing()
        for number in list(self._parts):
            if self.is_output_full:
                return
            part = self._parts.pop(number, None)
            if part is not None:
                self._parts[number] = part
                part.resume()

    # As called by parts

    def write(self, event: bytes) -> None:
        """Send an event."""
        if not self._is_over:
            self._request.write(event)

    def ended(self, number: int) -> None:
        """Forget a part that is over."""
        if self._parts.pop(number, None) is not None and self.require_session():
            self._end_if_empty()

    def error_of(self, failure: Failure) -> RequestError:
        """Say what a client may know of a failure."""
        return self._site.error_of(failure)

    # Steps

    def _fill(self, part: "Part", caller: Caller, wanted: Wanted) -> None:
        """Let a part have events; raise a `RequestError` if it may not."""
        runs, request = self._site.dispatcher.runs, self._request
        if wanted.kind is Kind.RUNS:
            query = runs.follow(caller, wanted.query)
            ListStream(self._site, request, part, caller, query).begin()
            return

        def visitor() -> Visitor:
            return self._site.visitor(request, caller)

        stream = self._streams.asked_by(caller, wanted.run_id) if wanted.kind is Kind.ASKED else None
        if stream is not None:
            if (error := stream.objection(caller)) is not None:
                raise error
            stream.resume(part, wanted.position, visitor)
            return
        drawing = None
        if request.requestHeaders.hasHeader(ROWS):
            drawing = RunDrawing(self._site, caller, Way.WATCHED, lambda: runs.look(caller, wanted.run_id), visitor)
            Deferred.fromCoroutine(drawing.expect())
        self._streams.watch(part, caller, wanted.run_id, wanted.position, drawing)

    def _beat(self) -> None:
        self._beating = self._site.clock.callLater(HEARTBEAT_SECONDS, self._beat)
        if self.require_session() and not self.is_output_full:
            self._request.write(b": still here\n\n")

    def _end_if_empty(self) -> None:
        if not self._parts and not self._is_adding and not self._is_over:
            self._finish()

    def _finish(self) -> None:
        self._end()
        self._request.unregisterProducer()
        self._request.finish()

    def _end(self) -> None:
        self._is_over = True
        if self._beating is not None and self._beating.active():
            self._beating.cancel()
        self._beating = None
        self._when_over(self.name)
        parts, self._parts = self._parts, {}
        for part in parts.values():
            part.leave()


class Part:
    """One of them; an `EventSink`."""

    def __init__(self, stream: CombinedStream, number: int) -> None:
        self._stream: CombinedStream | None = stream
        self._number = number
        self._prefix = b"part: %d\n" % number
        self._source: Backpressure | None = None
        self._when_gone: Callable[[], object] | None = None
        self._when_unwanted: Callable[[], object] | None = None

    # EventSink

    @property
    def is_begun(self) -> bool:
        """See `EventSink`."""
        return self._source is not None

    def connect(self, when_gone: Callable[[], object], when_unwanted: Callable[[], object]) -> None:
        """See `EventSink`."""
        self._when_gone, self._when_unwanted = when_gone, when_unwanted

    def begin(self, source: Backpressure) -> None:
        """See `EventSink`."""
        self._source = source
        if self._stream is not None and self._stream.is_output_full:
            source.pauseProducing()

    def write(self, event: bytes) -> None:
        """See `EventSink`."""
        if self._stream is not None:
            self._stream.write(self._prefix + event)

    def beat(self, comment: bytes) -> None:
        """See `EventSink`; the whole response has a comment now and then."""

    def finish(self) -> None:
        """See `EventSink`."""
        self._when_gone = self._when_unwanted = self._source = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.ended(self._number)

    def drop(self) -> None:
        """See `EventSink`."""
        self.finish()

    def complain(self, failure: Failure) -> None:
        """See `EventSink`."""
        if self._stream is not None and not failure.check(CancelledError):
            self.fail(self._stream.error_of(failure))

    # As called by the stream

    def fail(self, error: RequestError) -> None:
        """Say why there are no events, or no more."""
        self.write(b"event: failure\ndata: %s\n\n" % error_json(error).strip())
        self.finish()

    def leave(self, *, is_unwanted: bool = False) -> None:
        """End it: its client is gone, or does not want it any more."""
        self._stream = None
        leave = self._when_unwanted if is_unwanted else self._when_gone
        self._when_gone = self._when_unwanted = None
        if leave is not None:
            leave()

    def pause(self) -> None:
        """Let it wait: the client does not keep up."""
        if self._source is not None:
            self._source.pauseProducing()

    def resume(self) -> None:
        """Let it go on."""
        if self._source is not None:
            self._source.resumeProducing()
