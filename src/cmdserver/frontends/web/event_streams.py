r"""Answers as event streams (HTML standard, "Server-sent events"): what a command says while it says it, and its end.

    id: 6f1c….1
    event: started
    data: {"command": "df", "arguments": []}

    id: 6f1c….2
    event: stdout
    data: "Filesystem      Size  Used Avail Use% Mounted on\n"

    id: 6f1c….3
    event: outcome
    data: {"id": …, "command": "df", "arguments": [], "exit_status": 0, …}

``stdout`` and ``stderr`` carry a JSON string, so that line breaks of every kind survive; ``outcome`` carries a JSON
answer without the output; ``failure`` comes in its place if there is no answer; ``picture`` comes before it if there is
data that a page can draw, and says how. A client whose connection breaks can resume within `RESUME_SECONDS` with the
last id that it has seen (``Last-Event-ID``); ``gap`` tells that something is no longer known. A client that wants no
more sends ``Cmdserver-Stop`` beside that id, and the run ends.

A client's pace is its run's, as far as others do not share it. Only events that a client may have missed are kept, and
of shared output that is the one copy of all.
"""

import json
import os
from collections import deque
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from cmdserver.core.errors import RequestError
from cmdserver.core.model import Answer, Caller, Grant, Producer, Stream
from cmdserver.dispatch.output_parsers import Kept
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.common.rendering import error_json, outcome_json
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.http.utf8 import CompleteCharacters
from cmdserver.frontends.web.pages import picture
from cmdserver.frontends.web.site import Site
from cmdserver.net.backpressure import Backpressure

LAST_EVENT_ID: Final = b"last-event-id"
_STOP: Final = b"cmdserver-stop"

#: How long a run goes on for a client that is gone and may resume; browsers do after a second or three.
RESUME_SECONDS: Final = 5.0
#: The most runs that go on so; further ones end at once.
MOST_LINGERING: Final = 100
#: The most output and the most events that are kept to be sent again.
KEPT_BYTES: Final = 1 << 16
KEPT_EVENTS: Final = 128
#: How often something is sent: proxies and browsers give up connections on which nothing is.
HEARTBEAT_SECONDS: Final = 15.0
#: The most pieces of output that are kept as JSON, for clients of unequal pace: 64 KiB each, six times that at worst.
ENCODED_PIECES: Final = 16

_HEARTBEAT: Final = b": still running\n\n"
#: The kinds of events that carry output.
_KINDS: Final = {Stream.STDOUT: b"stdout", Stream.STDERR: b"stderr"}
_OUTPUT: Final = frozenset(_KINDS.values())


class EventStreams:
    """The event streams of one listener."""

    def __init__(self, site: Site) -> None:
        self.site = site
        #: By the first part of their ids.
        self._streams: dict[str, EventStream] = {}
        #: How many have no client, and may be resumed.
        self.lingering = 0
        self._heartbeat = LoopingCall(self._beat)
        self._heartbeat.clock = site.clock
        #: Renders output as JSON; once for all who share a run.
        self.encode = lru_cache(ENCODED_PIECES)(lambda text: json.dumps(text.decode(errors="replace")).encode("ascii"))

    def begin(self, request: WebRequest, granted: Request) -> None:
        """Run a command, and answer with its events."""
        stream = EventStream(self, request, granted)
        self._streams[stream.name] = stream
        if not self._heartbeat.running:
            self._heartbeat.start(HEARTBEAT_SECONDS, now=False)
        stream.run()

    def resume(self, request: WebRequest, caller: Caller) -> None:
        """Answer with the events behind the last one that the client has seen; or end the run, if it asks for that."""
        name, _, number = (request.header(LAST_EVENT_ID) or b"").decode("latin-1").partition(".")
        stream = self._streams.get(name)
        if stream is not None and stream.granted.caller.key == caller.key and number.isascii() and number.isdigit():
            if request.header(_STOP) is None:
                self._resume(request, caller, stream, int(number[:10]))
                return
            stream.stop()
        request.respond_with(HTTPStatus.NO_CONTENT, b"text/event-stream", headers.EVENTS)

    def _resume(self, request: WebRequest, caller: Caller, stream: "EventStream", last: int) -> None:
        try:
            self.site.dispatcher.go_on(caller, stream.granted.words)
        except RequestError as error:
            self.site.answer_error(request, caller, error)
        else:
            stream.resume(request, last)

    def forget(self, stream: "EventStream") -> None:
        """Forget a stream, which is over. Idempotent."""
        self._streams.pop(stream.name, None)
        if not self._streams and self._heartbeat.running:
            self._heartbeat.stop()
            self.encode.cache_clear()  # nobody's output is kept without need

    def _beat(self) -> None:
        for stream in list(self._streams.values()):
            stream.beat()


class EventStream(Backpressure):
    """The events of one run, as one client is told them; a `Sink`. Only the run's caller may resume it."""

    def __init__(self, streams: EventStreams, request: WebRequest, granted: Request) -> None:
        self.name = os.urandom(8).hex()
        self.granted = granted
        self._streams = streams
        #: None while the client is gone.
        self._request: WebRequest | None = request
        self._running: Deferred[None] | None = None
        self._characters = {stream: CompleteCharacters() for stream in Stream}
        #: Number, kind and data of events that may have to be sent again; output as it is, so that sharers share it.
        self._kept: deque[tuple[int, bytes, bytes]] = deque()
        self._kept_bytes = 0
        self._count = 0
        self._kept_output = Kept()
        self._is_over = False
        self._lingering: IDelayedCall | None = None

    def run(self) -> None:
        """Run the command, and tell how the run ends, when it does."""
        running = self._streams.site.dispatcher.run(self.granted, self)
        self._running = running.addCallbacks(self._answered, self._failed).addErrback(self._broken)
        if self._request is not None and not self._is_over:
            self._request.when_gone = self._detached

    # Sink

    def started(self, grant: Grant, producer: Producer) -> None:
        self._source = producer
        self._kept_output.begin(grant.command)
        if self._request is not None:
            self._open(self._request)
        started = {"command": grant.command.name, "arguments": grant.arguments}
        self._tell(b"started", json.dumps(started).encode("ascii"))

    def write(self, stream: Stream, chunk: bytes) -> None:
        if stream is Stream.STDOUT:
            self._kept_output.add(chunk)
        self._output(stream, self._characters[stream].feed(chunk))

    # The client goes, and perhaps comes back

    def resume(self, request: WebRequest, last: int) -> None:
        """Answer another request with the events behind the last one that its client has seen."""
        self._drop_request()  # the client knows before us that its connection is gone
        self._stop_lingering()
        self._request = request
        request.when_gone = self._detached
        self.is_output_full = False
        self._open(request)
        first = self._kept[0][0] if self._kept else self._count + 1
        if last + 1 < first:
            self._write(last, b"gap", b"null")
        for number, kind, data in list(self._kept):
            if number > last:
                self._write(number, kind, data)
        if self._is_over:
            self._close(request)
        elif self._source is not None and not self.is_output_full:
            self._source.resumeProducing()

    def stop(self) -> None:
        """End the run, unless others share it: the client wants no more, or did not resume."""
        self._stop_lingering()
        self._drop_request()
        self._leave()

    def beat(self) -> None:
        """Send a comment, unless output is queued already."""
        if self._request is not None and self._request.startedWriting and not self.is_output_full:
            self._request.write(_HEARTBEAT)

    def _drop_request(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.when_gone = None
            request.unregisterProducer()
            request.cut()

    def _detached(self) -> None:
        self._request = None
        if self._source is None or self._is_over or self._streams.lingering >= MOST_LINGERING:
            self._leave()
            return
        self._source.pauseProducing()
        self._streams.lingering += 1
        self._lingering = self._streams.site.clock.callLater(RESUME_SECONDS, self.stop)

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            if self._lingering.active():
                self._lingering.cancel()
            self._lingering = None
            self._streams.lingering -= 1

    def _leave(self) -> None:
        self._streams.forget(self)
        if self._running is not None and not self._is_over:
            self._running.cancel()

    # The end

    def _answered(self, answer: Answer) -> None:
        for stream, characters in self._characters.items():
            self._output(stream, characters.finish())
        streamed = self._kept_output.output()
        if (drawn := picture.json_of(answer, streamed)) is not None:
            self._tell(b"picture", drawn)
        self._tell(b"outcome", outcome_json(answer, streamed).strip())
        self._end()

    def _failed(self, failure: Failure) -> None:
        if self._request is not None and not self._request.startedWriting:
            self._is_over = True
            self._broken(failure)
        elif failure.check(CancelledError):
            self._is_over = True
            self._streams.forget(self)
        else:
            self._tell(b"failure", error_json(self._streams.site.error_of(failure)).strip())
            self._end()

    def _broken(self, failure: Failure) -> None:
        self._streams.forget(self)
        if self._request is not None:
            self._streams.site.complain(self._request, failure)

    def _end(self) -> None:
        self._is_over = True
        self._source = None
        if self._request is not None:
            self._close(self._request)

    def _close(self, request: WebRequest) -> None:
        self._request = None
        self._streams.forget(self)
        if not request.is_gone:
            request.unregisterProducer()
            request.finish()

    # Events

    def _output(self, stream: Stream, text: bytes) -> None:
        if text:
            self._tell(_KINDS[stream], text)

    def _tell(self, kind: bytes, data: bytes) -> None:
        self._count += 1
        self._kept.append((self._count, kind, data))
        self._kept_bytes += len(data)
        while len(self._kept) > 1 and (self._kept_bytes > KEPT_BYTES or len(self._kept) > KEPT_EVENTS):
            self._kept_bytes -= len(self._kept.popleft()[2])
        self._write(self._count, kind, data)

    def _write(self, number: int, kind: bytes, data: bytes) -> None:
        if self._request is not None:
            encoded = self._streams.encode(data) if kind in _OUTPUT else data
            name = self.name.encode("ascii")
            self._request.write(b"id: %s.%d\nevent: %s\ndata: %s\n\n" % (name, number, kind, encoded))

    def _open(self, request: WebRequest) -> None:
        request.begin(HTTPStatus.OK, Representation.EVENTS)
        request.registerProducer(self, True)
