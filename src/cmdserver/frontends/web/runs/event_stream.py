"""The events of one run, as one client is told them; `event_streams` has their form.

A client may know a part of the output already: what it knows is heard, and not told again.
"""

import json
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.frontends.common.rendering import error_json, outcome_json
from cmdserver.frontends.web.pages.checks import value_table
from cmdserver.frontends.web.pages.markup import Markup
from cmdserver.frontends.web.pages.tables.drawing import html_of
from cmdserver.frontends.web.runs.event_sink import EventSink
from cmdserver.frontends.web.runs.run_drawing import RunDrawing
from cmdserver.frontends.web.runs.utf8 import CompleteCharacters
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
        drawing: Draws the run for a page of ours; None: its reader has no use for that.
    """

    def __init__(self, streams: Streams, name: str, drawing: RunDrawing | None = None) -> None:
        self.name = name
        self._streams = streams
        self._drawing = drawing
        #: None while the client is gone.
        self._sink: EventSink | None = None
        self._running: Deferred[None] | None = None
        #: Bytes of output that were heard, and that the client knows already.
        self._position = self._known = 0
        #: Whether the client knows that it has begun.
        self._is_resumed = False
        self._characters = {stream: CompleteCharacters() for stream in Stream}
        self._is_over = False

    def skip(self, position: int | None) -> None:
        """Begin anew, for a client that knows so many bytes of output; None: not even that there will be any."""
        self._position, self._known, self._is_resumed = 0, position or 0, position is not None
        self._characters = {stream: CompleteCharacters() for stream in Stream}

    def answer(self, sink: EventSink) -> None:
        """Tell a client what comes."""
        self._sink = sink
        sink.connect(self._detached, self._unwanted)

    def follow_run(self, running: Deferred[Answer]) -> None:
        """Tell how the run ends, when it does."""
        running.addCallback(self._ended)
        running.addCallback(self._drawn)
        self._running = running.addCallbacks(self._answered, self._failed).addErrback(self._broken)

    # Listener

    def started(self, grant: Grant, producer: Producer) -> None:
        self._begin()
        self.follow(producer)
        if self._drawing is not None:
            self._drawing.begin(grant.command)
        if not self._is_resumed:
            started = {"command": grant.command.name, "arguments": grant.arguments}
            self._tell(b"started", json.dumps(started).encode("ascii"))
            self._draw()

    def write(self, stream: Stream, chunk: bytes) -> None:
        known = self._known - self._position
        self._position += len(chunk)
        if known > 0:
            self._take(stream, chunk[:known])
            chunk = chunk[known:]
        if chunk and self._drawing is None:
            self._output(stream, self._characters[stream].feed(chunk))
        elif chunk:
            self._html(self._take(stream, chunk))

    def missed(self, count: int) -> None:
        self._position += count
        if self._drawing is not None:
            missing = self._drawing.missing(count)
        if self._position <= self._known:
            return
        if self._drawing is not None:
            self._html(missing)
        else:
            self._tell(b"gap", b"%d" % count)

    def notice(self, text: str) -> None:
        self._begin()
        self._tell(b"notice", json.dumps(text).encode("ascii"))

    # The client

    def beat(self) -> None:
        """Send a comment, unless output is queued already."""
        if self._sink is not None and self._sink.is_begun and not self.is_output_full:
            self._sink.beat(_HEARTBEAT)

    def _detached(self) -> None:
        self._sink = None
        self._leave()

    def _unwanted(self) -> None:
        self._detached()

    def _leave(self) -> None:
        self._streams.forget(self)
        if self._running is not None and not self._is_over:
            self._running.cancel()

    # The end

    def _ended(self, answer: Answer) -> Answer | Deferred[Answer]:
        """The run is over; what is left to be told is made of its output."""
        if answer.parser is None:
            return answer
        # Who comes back in the meantime hears the recording of the run, as after its end.
        self._source = None
        self._streams.forget(self)
        return self._streams.site.dispatcher.assessor.complete(answer)

    async def _draw_end(self, drawing: RunDrawing, answer: Answer) -> Answer:
        await drawing.ended(answer)
        return answer

    def _drawn(self, answer: Answer) -> Answer | Deferred[Answer]:
        if self._drawing is None:
            return answer
        return Deferred.fromCoroutine(self._draw_end(self._drawing, answer))

    def _answered(self, answer: Answer) -> None:
        if self._drawing is not None:
            self._html(self._drawing.finish())
            self._draw()
        else:
            self._tell_end(answer)
        self._tell(b"outcome", outcome_json(answer).strip())
        self._end()

    def _tell_end(self, answer: Answer) -> None:
        """Tell what is drawn to programs that have a page of their own."""
        for stream, characters in self._characters.items():
            self._output(stream, characters.finish())
        if (values := value_table.draw(answer.check, None, self._streams.site.time_of_day())) is not None:
            self._tell(b"values", json.dumps(values).encode("ascii"))
        if (table := html_of(answer)) is not None:
            self._tell(b"table", json.dumps(table).encode("ascii"))

    def _failed(self, failure: Failure) -> None:
        if self._sink is not None and not self._sink.is_begun:
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
        if self._sink is not None:
            self._sink.complain(failure)

    def _end(self) -> None:
        self._is_over = True
        self._source = None
        self._streams.forget(self)
        self._begin()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.finish()

    # Events

    def _take(self, stream: Stream, chunk: bytes) -> Markup | None:
        """Take a piece of output in; return it as it is drawn, if it is."""
        if self._drawing is not None:
            return self._drawing.feed(stream, chunk)
        self._characters[stream].feed(chunk)
        return None

    def _html(self, said: Markup | None) -> None:
        if said:
            self._tell(b"html", json.dumps(said.encode(errors="replace").decode()).encode("ascii"))

    def _output(self, stream: Stream, text: bytes) -> None:
        if text:
            self._tell(_KINDS[stream], self._streams.encode(text))

    def _draw(self) -> None:
        """Tell what the page says of the run beside its output."""
        if self._drawing is not None and (drawn := self._drawing.now()):
            self._tell(b"drawn", json.dumps(drawn.decode()).encode("ascii"))

    def _tell(self, kind: bytes, data: bytes) -> None:
        if self._sink is not None:
            name = self.name.encode("ascii")
            self._sink.write(b"id: %s.%d\nevent: %s\ndata: %s\n\n" % (name, self._position, kind, data))

    def _begin(self) -> None:
        if self._sink is not None and not self._sink.is_begun:
            self._sink.begin(self)
