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
answer without the output; ``failure`` comes in its place if there is no answer. Before it come, of a check, ``values``:
what it has measured as HTML (a JSON string), and of a command with a parser ``table``: the same of its data, or a
sentence why there are none. ``gap`` tells how many bytes are no longer known, ``notice`` something for a person.

To a page of ours ``html`` tells output as it is drawn, and ``drawn`` what is said beside it, see `RunDrawing`.

An id is a run's and how many bytes of its output were told. A client whose connection breaks sends it again
(``Last-Event-ID``) and hears the rest of the run's recording: for `RESUME_SECONDS` whoever has asked for the run, and
later, or elsewhere, whoever may see it. A client that wants no more sends ``Cmdserver-Stop`` beside the id, and the run
ends.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall

from cmdserver.core.errors import RequestError
from cmdserver.core.model import Caller, Grant
from cmdserver.core.output import Answer, Producer
from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch.requests import Request
from cmdserver.dispatch.watching import EndedRun
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.runs.event_sink import HEARTBEAT_SECONDS, EventSink, ResponseSink
from cmdserver.frontends.web.runs.event_stream import EventStream
from cmdserver.frontends.web.runs.run_drawing import RunDrawing
from cmdserver.frontends.web.site import Site

LAST_EVENT_ID: Final = b"last-event-id"
_STOP: Final = b"cmdserver-stop"

#: How long a run goes on for a client that is gone and may resume; browsers do after a second or three.
RESUME_SECONDS: Final = 5.0
#: The most runs that go on so; further ones end at once.
MOST_LINGERING: Final = 100
#: The most pieces of output that are kept as JSON, for clients of unequal pace: 64 KiB each, six times that at worst.
ENCODED_PIECES: Final = 16

#: What a page is told that has left a run which goes on.
_OTHERS: Final = (
    b'{"error": {"code": "unknown_run", "message": "others have asked for it, too, and for them it goes on"}}'
)
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
        stream = AskedStream(self, granted)
        stream.answer(ResponseSink(self.site, request))
        self._streams[stream.name] = stream
        self.start(stream)
        stream.run()

    def take_over(self, granted: Request, running: Deferred[Answer], drawing: RunDrawing) -> bool:
        """Let a run that was asked for by a page go on for its script, which has `RESUME_SECONDS` to come.

        Args:
            granted: What was asked for.
            running: Fires with the answer; is cancelled if nobody comes, or they leave.
            drawing: Draws the run for the page.

        Returns:
            False if too many wait for somebody already; then nothing has changed.
        """
        if self.lingering >= MOST_LINGERING:
            return False
        stream = AskedStream(self, granted, drawing)
        self._streams[stream.name] = stream
        stream.take_over(running)
        return True

    def resume(self, request: WebRequest, caller: Caller) -> None:
        """Answer with the events behind the last one that the client has seen; or end the run, if it asks for that."""
        name, _, position = (request.header(LAST_EVENT_ID) or b"").decode("latin-1").partition(".")
        stream = self.asked_by(caller, name) if is_number(position) else None
        if request.header(_STOP) is None and stream is not None:
            error = stream.objection(caller)
            if error is None:
                stream.resume(ResponseSink(self.site, request), int(position))
            else:
                self.site.answer_error(request, caller, error)
        elif request.header(_STOP) is None and is_number(position) and caller.name is not None:
            self.watch(ResponseSink(self.site, request), caller, name, int(position))
        else:
            if stream is not None:
                stream.end()
            request.respond_with(HTTPStatus.NO_CONTENT, b"text/event-stream", headers.EVENTS)

    def asked_by(self, caller: Caller, name: str) -> "AskedStream | None":
        """Find what somebody has asked for, by its id, if they can resume it."""
        stream = self._streams.get(name)
        return stream if stream is not None and stream.granted.caller.key == caller.key else None

    def watch(
        self,
        sink: EventSink,
        caller: Caller,
        run_id: str,
        position: int | None = None,
        drawing: RunDrawing | None = None,
    ) -> None:
        """Tell the events of a run, whoever has asked for it, behind a position; None: from its beginning."""
        stream = EventStream(self, run_id, drawing)
        stream.skip(position)
        self.start(stream)
        stream.answer(sink)

        def answer(ended: EndedRun) -> Answer:
            if drawing is not None:
                drawing.record = ended.record
            return ended.answer

        stream.follow_run(self.site.dispatcher.runs.attach(caller, run_id, stream).addCallback(answer))

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

    def __init__(self, streams: EventStreams, granted: Request, drawing: RunDrawing | None = None) -> None:
        super().__init__(streams, granted.id, drawing)
        self._all = streams
        self.granted = granted
        #: Whether its client knows its id, though nothing was told yet.
        self._is_known = False
        self._lingering: IDelayedCall | None = None
        #: Why there is no answer, as long as the client is gone and may resume.
        self._untold: bytes | None = None

    def run(self) -> None:
        """Run the command, and tell how the run ends, when it does."""
        self.follow_run(self._streams.site.dispatcher.run(self.granted, self))

    def take_over(self, running: Deferred[Answer]) -> None:
        """Follow a run that another listener has heard, as if a client had been here and were gone for a while."""
        self._is_known = True
        self._linger()
        self.follow_run(running)
        self._streams.site.dispatcher.hear_again(self.granted, self)

    def objection(self, caller: Caller) -> RequestError | None:
        """Say why somebody may not resume it; counted."""
        try:
            self._streams.site.dispatcher.go_on(caller, self.granted.words)
        except RequestError as error:
            return error
        return None

    def resume(self, sink: EventSink, position: int | None, visitor: Callable[[], Visitor] | None = None) -> None:
        """Tell another client what it does not know."""
        self._drop_sink()
        self._stop_lingering()
        if self._drawing is not None and visitor is not None:
            self._drawing.visitor = visitor
        self._all.start(self)
        self.skip(position)
        self.answer(sink)
        self.is_output_full = False
        self._begin()
        if self._untold is not None:
            self._fail(self._untold)
        else:
            self._streams.site.dispatcher.hear_again(self.granted)

    def stop(self, by: EndedBy) -> None:
        """Leave the run: the client wants no more, or did not resume."""
        self._stop_lingering()
        self._drop_sink()
        self.granted.ended_by = by
        self._leave()

    def end(self) -> None:
        """End the run: its client wants that. A page of ours is shown how it ends."""
        if self._drawing is None or self._sink is None:
            self.stop(EndedBy.CALLER)
        elif not self._all.site.dispatcher.runs.end(self.granted):
            self._tell(b"failure", _OTHERS)
            self.stop(EndedBy.CALLER)

    # Listener

    def started(self, grant: Grant, producer: Producer) -> None:
        if self._lingering is not None:
            self._source = producer
            producer.pauseProducing()  # it is told when somebody comes
        else:
            super().started(grant, producer)

    def _drop_sink(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.drop()

    def _detached(self) -> None:
        self._sink = None
        is_lost = self._source is None and not self._is_known
        if is_lost or self._is_over or self._all.lingering >= MOST_LINGERING:
            self._leave()
            return
        if self._source is not None:
            self._source.pauseProducing()
        self._linger()

    def _unwanted(self) -> None:
        self._sink = None
        self.stop(EndedBy.DISCONNECT)

    def _linger(self) -> None:
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
