"""The events of one run, as one client is told them; `event_streams` has their form.

A client may know a part of the output already: what it knows is heard, and not told again.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.frontends.common.rendering import error_json, outcome_json
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.http.utf8 import CompleteCharacters
from cmdserver.frontends.web.pages import picture
from cmdserver.frontends.web.site import Site
from cmdserver.net.backpressure import Backpressure

_HEARTBEAT: Final = b": still running\n\n"
#: The kinds of events that carry output.
_KINDS: Final = {Stream.STDOUT: b"stdout", Stream.STDERR: b"stderr"}


class Streams(Protocol):
    """Where a stream belongs."""

    site: Site

    @property
    def encode(self) -> Callable[[bytes], bytes]:
        """Renders output as JSON; once for all who share a run."""

    def forget(self, stream: "EventStream") -> None:
        """Forget a stream, which is over. Idempotent."""


class EventStream(Backpressure):
    """The events of one run, as one client is told them; a `Listener`.

    Args:
        streams: Where it belongs.
        name: The id of a request of the run's.
    """

    def __init__(self, streams: Streams, name: str) -> None:
        self.name = name
        self._streams = streams
        #: None while the client is gone.
        self._request: WebRequest | None = None
        self._running: Deferred[None] | None = None
        #: Bytes of output that were heard, and that the client knows already.
        self._position = self._known = 0
        #: Whether the client knows that it has begun.
        self._is_resumed = False
        self._characters = {stream: CompleteCharacters() for stream in Stream}
        self._is_over = False

    def skip(self, position: int) -> None:
        """Begin anew, for a client that knows so many bytes of output."""
        self._position, self._known, self._is_resumed = 0, position, True
        self._characters = {stream: CompleteCharacters() for stream in Stream}

    def answer(self, request: WebRequest) -> None:
        """Be the answer to a request."""
        self._request = request
        request.when_gone = self._detached

    def follow_run(self, running: Deferred[Answer]) -> None:
        """Tell how the run ends, when it does."""
        self._running = running.addCallbacks(self._answered, self._failed).addErrback(self._broken)

    # Listener

    def started(self, grant: Grant, producer: Producer) -> None:
        self._source = producer
        if self._request is not None and not self._request.startedWriting:
            self._open(self._request)
        if not self._is_resumed:
            started = {"command": grant.command.name, "arguments": grant.arguments}
            self._tell(b"started", json.dumps(started).encode("ascii"))

    def write(self, stream: Stream, chunk: bytes) -> None:
        known = self._known - self._position
        self._position += len(chunk)
        if known > 0:
            self._characters[stream].feed(chunk[:known])
            chunk = chunk[known:]
        if chunk:
            self._output(stream, self._characters[stream].feed(chunk))

    def missed(self, count: int) -> None:
        self._position += count
        if self._position > self._known:
            self._tell(b"gap", b"%d" % count)

    def notice(self, text: str) -> None:
        if self._request is not None and not self._request.startedWriting:
            self._open(self._request)
        self._tell(b"notice", json.dumps(text).encode("ascii"))

    # The client

    def beat(self) -> None:
        """Send a comment, unless output is queued already."""
        if self._request is not None and self._request.startedWriting and not self.is_output_full:
            self._request.write(_HEARTBEAT)

    def _detached(self) -> None:
        self._request = None
        self._leave()

    def _leave(self) -> None:
        self._streams.forget(self)
        if self._running is not None and not self._is_over:
            self._running.cancel()

    # The end

    def _answered(self, answer: Answer) -> None:
        for stream, characters in self._characters.items():
            self._output(stream, characters.finish())
        if (drawn := picture.json_of(answer)) is not None:
            self._tell(b"picture", drawn)
        self._tell(b"outcome", outcome_json(answer).strip())
        self._end()

    def _failed(self, failure: Failure) -> None:
        if self._request is not None and not self._request.startedWriting:
            self._is_over = True
            self._broken(failure)
        elif failure.check(CancelledError):
            self._is_over = True
            self._streams.forget(self)
        else:
            self._fail(error_json(self._streams.site.error_of(failure)).strip())

    def _fail(self, why: bytes) -> None:
        self._tell(b"failure", why)
        self._end()

    def _broken(self, failure: Failure) -> None:
        self._streams.forget(self)
        if self._request is not None:
            self._streams.site.complain(self._request, failure)

    def _end(self) -> None:
        self._is_over = True
        self._source = None
        self._streams.forget(self)
        request, self._request = self._request, None
        if request is not None and not request.is_gone:
            request.when_gone = None
            if not request.startedWriting:
                self._open(request)
            request.unregisterProducer()
            request.finish()

    # Events

    def _output(self, stream: Stream, text: bytes) -> None:
        if text:
            self._tell(_KINDS[stream], self._streams.encode(text))

    def _tell(self, kind: bytes, data: bytes) -> None:
        if self._request is not None:
            name = self.name.encode("ascii")
            self._request.write(b"id: %s.%d\nevent: %s\ndata: %s\n\n" % (name, self._position, kind, data))

    def _open(self, request: WebRequest) -> None:
        request.begin(HTTPStatus.OK, Representation.EVENTS)
        request.registerProducer(self, True)
