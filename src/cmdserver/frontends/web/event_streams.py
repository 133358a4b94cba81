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
data that a page can draw, and says how. ``gap`` tells how many bytes are no longer known, ``notice`` something for a
person.

An id is a run's and how many bytes of its output were told. A client whose connection breaks sends it again
(``Last-Event-ID``) and hears the rest of the run's recording: for `RESUME_SECONDS` whoever has asked for the run, and
later, or elsewhere, whoever may see it. A client that wants no more sends ``Cmdserver-Stop`` beside the id, and the run
ends.
"""

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall

from cmdserver.core.errors import RequestError
from cmdserver.core.model import Caller
from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.runs.event_stream import EventStream
from cmdserver.frontends.web.site import Site

LAST_EVENT_ID: Final = b"last-event-id"
_STOP: Final = b"cmdserver-stop"

#: How long a run goes on for a client that is gone and may resume; browsers do after a second or three.
RESUME_SECONDS: Final = 5.0
#: The most runs that go on so; further ones end at once.
MOST_LINGERING: Final = 100
#: How often something is sent: proxies and browsers give up connections on which nothing is.
HEARTBEAT_SECONDS: Final = 15.0
#: The most pieces of output that are kept as JSON, for clients of unequal pace: 64 KiB each, six times that at worst.
ENCODED_PIECES: Final = 16

#: Digits of a position.
_LONGEST_NUMBER: Final = 15


class EventStreams:
    """The event streams of one listener."""

    def __init__(self, site: Site) -> None:
        self.site = site
        #: Those that may be resumed, by the ids of their requests.
        self._streams: dict[str, AskedStream] = {}
        self._beating: dict[EventStream, None] = {}
        #: How many have no client, and may be resumed.
        self.lingering = 0
        self._heartbeat = LoopingCall(self._beat)
        self._heartbeat.clock = site.clock
        #: Renders output as JSON; once for all who share a run.
        self.encode = lru_cache(ENCODED_PIECES)(lambda text: json.dumps(text.decode(errors="replace")).encode("ascii"))

    def begin(self, request: WebRequest, granted: Request) -> None:
        """Run a command, and answer with its events."""
        stream = AskedStream(self, request, granted)
        self._streams[stream.name] = stream
        self.start(stream)
        stream.run()

    def resume(self, request: WebRequest, caller: Caller) -> None:
        """Answer with the events behind the last one that the client has seen; or end the run, if it asks for that."""
        name, _, position = (request.header(LAST_EVENT_ID) or b"").decode("latin-1").partition(".")
        stream = self._streams.get(name) if is_number(position) else None
        if stream is not None and stream.granted.caller.key != caller.key:
            stream = None
        if request.header(_STOP) is None and stream is not None:
            self._resume(request, caller, stream, int(position))
        elif request.header(_STOP) is None and is_number(position) and caller.name is not None:
            self.watch(request, caller, name, int(position))
        else:
            if stream is not None:
                stream.stop(EndedBy.CALLER)
            request.respond_with(HTTPStatus.NO_CONTENT, b"text/event-stream", headers.EVENTS)

    def _resume(self, request: WebRequest, caller: Caller, stream: "AskedStream", position: int) -> None:
        try:
            self.site.dispatcher.go_on(caller, stream.granted.words)
        except RequestError as error:
            self.site.answer_error(request, caller, error)
        else:
            stream.resume(request, position)

    def watch(self, request: WebRequest, caller: Caller, run_id: str, position: int | None = None) -> None:
        """Answer with the events of a run, whoever has asked for it, behind a position."""
        stream = EventStream(self, run_id)
        if position is not None:
            stream.skip(position)
        self.start(stream)
        stream.answer(request)
        attached = self.site.dispatcher.runs.attach(caller, run_id, stream)
        stream.follow_run(attached.addCallback(lambda ended: ended.answer))

    def start(self, stream: "EventStream") -> None:
        """Let a stream have heartbeats."""
        self._beating[stream] = None
        if not self._heartbeat.running:
            self._heartbeat.start(HEARTBEAT_SECONDS, now=False)

    def forget(self, stream: "EventStream") -> None:
        """Forget a stream, which is over. Idempotent."""
        self._beating.pop(stream, None)
        if self._streams.get(stream.name) is stream:
            del self._streams[stream.name]
        if not self._beating and self._heartbeat.running:
            self._heartbeat.stop()
            self.encode.cache_clear()  # nobody's output is kept without need

    def _beat(self) -> None:
        for stream in list(self._beating):
            stream.beat()


class AskedStream(EventStream):
    """The events of a run for whoever has asked for it; they may be gone for a while, and resume."""

    def __init__(self, streams: EventStreams, request: WebRequest, granted: Request) -> None:
        super().__init__(streams, granted.id)
        self._all = streams
        self.granted = granted
        self._request = request
        self._lingering: IDelayedCall | None = None
        #: Why there is no answer, as long as the client is gone and may resume.
        self._untold: bytes | None = None

    def run(self) -> None:
        """Run the command, and tell how the run ends, when it does."""
        self.follow_run(self._streams.site.dispatcher.run(self.granted, self))
        if self._request is not None and not self._is_over:
            self._request.when_gone = self._detached

    def resume(self, request: WebRequest, position: int) -> None:
        """Answer another request with what its client does not know."""
        self._drop_request()  # the client knows before us that its connection is gone
        self._stop_lingering()
        self.skip(position)
        self.answer(request)
        self.is_output_full = False
        self._open(request)
        if self._untold is not None:
            self._fail(self._untold)
        else:
            self._streams.site.dispatcher.hear_again(self.granted)

    def stop(self, by: EndedBy) -> None:
        """Leave the run: the client wants no more, or did not resume."""
        self._stop_lingering()
        self._drop_request()
        self.granted.ended_by = by
        self._leave()

    def _drop_request(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.when_gone = None
            request.unregisterProducer()
            request.cut()

    def _detached(self) -> None:
        self._request = None
        if self._source is None or self._is_over or self._all.lingering >= MOST_LINGERING:
            self._leave()
            return
        self._source.pauseProducing()
        self._all.lingering += 1
        self._lingering = self._streams.site.clock.callLater(RESUME_SECONDS, self.stop, EndedBy.DISCONNECT)

    def _fail(self, why: bytes) -> None:
        if self._lingering is None:
            super()._fail(why)
        else:
            self._is_over, self._source, self._untold = True, None, why

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            if self._lingering.active():
                self._lingering.cancel()
            self._lingering = None
            self._all.lingering -= 1


def is_number(text: str) -> bool:
    """Whether a text is the position of an event."""
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
