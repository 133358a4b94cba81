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

``stdout`` and ``stderr`` carry a JSON string, so that line breaks of every kind survive; ``outcome`` carries what a
JSON answer does, without the output; ``failure`` comes in its place if there is no answer; ``picture`` comes before it
if there is data that a page can draw, and says how. A client whose connection breaks can go on where it was within
`RESUME_SECONDS`, by saying the last id that it has seen (``Last-Event-ID``); that something is no longer known is told
by ``gap``. A reader who wants no more says so with ``Cmdserver-Stop`` beside that id, and the run ends.

A reader's pace is its run's, as far as others do not share it. Nothing is kept for a reader but what it may have
missed, and of shared output that is the one copy of all.
"""

import json
import os
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from cmdserver.core.model import Answer, Grant, Producer, Stream
from cmdserver.dispatch.output_parsers import Kept
from cmdserver.frontends.common.rendering import error_json, outcome_json
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.http.utf8 import Whole
from cmdserver.frontends.web.pages import picture
from cmdserver.frontends.web.site import Site
from cmdserver.net.backpressure import Backpressure

#: How long a run goes on for a reader who is gone and may come back; browsers do after a second or three.
RESUME_SECONDS: Final = 5.0
#: Runs that go on so; beyond that they end at once.
MOST_LINGERING: Final = 100
#: Of output that is told again: what was on its way when the connection broke.
KEPT_BYTES: Final = 1 << 16
KEPT_EVENTS: Final = 128

_HEARTBEAT: Final = b": still running\n\n"


#: The kinds of events that carry output.
_NAMES = {Stream.STDOUT: b"stdout", Stream.STDERR: b"stderr"}
_OUTPUT = frozenset(_NAMES.values())


class Streams(Protocol):
    """What a stream is one of, as it sees them."""

    site: Site
    #: Streams whose readers are gone and may come back.
    lingering: int

    def forget(self, stream: "EventStream") -> None:
        """A stream is over."""

    def encode(self, text: bytes) -> bytes:
        """Put output into JSON."""


class EventStream(Backpressure):
    """One run's events, as one caller is told them; a `Sink`.

    Args:
        streams: What it is one of.
        request: Who listens at first.
        key: Whose it is: nobody else may go on with it.
        words: What was asked.
    """

    def __init__(self, streams: Streams, request: WebRequest, key: str, words: Sequence[str]) -> None:
        self.name = os.urandom(8).hex()
        self.key = key
        self.words = words
        self._streams = streams
        self._request: WebRequest | None = request
        self._asked: Deferred[None] | None = None
        self._whole = {stream: Whole() for stream in Stream}
        #: Number, kind and data of what may have to be told again; output as it is, so that it can be everybody's.
        self._kept: deque[tuple[int, bytes, bytes]] = deque()
        self._kept_bytes = 0
        self._count = 0
        self._kept_output = Kept()
        self._is_over = False
        self._lingering: IDelayedCall | None = None

    def await_end(self, asked: Deferred[Answer]) -> None:
        """Tell how the run ends, when it does."""
        self._asked = asked.addCallbacks(self._answered, self._failed)
        self._asked.addErrback(self._broken)
        request = self._request
        if request is not None and not self._is_over:
            request.when_gone = self._detached

    # Sink

    def started(self, grant: Grant, producer: Producer) -> None:
        """See `Sink`."""
        self._source = producer
        self._kept_output.begin(grant.command)
        if self._request is not None:
            self._open(self._request)
        self._tell(
            b"started", json.dumps({"command": grant.command.name, "arguments": grant.arguments}).encode("ascii")
        )

    def write(self, stream: Stream, chunk: bytes) -> None:
        """See `Sink`."""
        if stream is Stream.STDOUT:
            self._kept_output.add(chunk)
        self._output(_NAMES[stream], self._whole[stream].feed(chunk))

    # The reader goes, and perhaps comes back

    def resume(self, request: WebRequest, last: int) -> None:
        """Go on with another request, behind the last event that its reader has seen."""
        if self._request is not None:  # it knows before us that its connection is gone
            before, self._request = self._request, None
            before.when_gone = None
            before.unregisterProducer()
            before.cut()
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
            self._close()
        elif self._source is not None and not self.is_output_full:
            self._source.resumeProducing()

    def stop(self) -> None:
        """End the run, if nobody else has a share in it: its reader has said that it wants no more."""
        self._stop_lingering()
        request, self._request = self._request, None
        if request is not None:
            request.when_gone = None
            request.unregisterProducer()
            request.cut()
        self._leave()

    def _detached(self) -> None:
        self._request = None
        if self._source is None or self._is_over or self._streams.lingering >= MOST_LINGERING:
            self._leave()
            return
        self._source.pauseProducing()
        self._streams.lingering += 1
        self._lingering = self._streams.site.clock.callLater(RESUME_SECONDS, self._lingered)

    def _lingered(self) -> None:
        self._lingering = None
        self._streams.lingering -= 1
        self._leave()

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
            self._streams.lingering -= 1

    def _leave(self) -> None:
        self._streams.forget(self)
        if self._asked is not None and not self._is_over:
            self._asked.cancel()

    def beat(self) -> None:
        """Let the connection be seen to be alive, if nothing else is on its way."""
        if self._request is not None and self._request.startedWriting and not self.is_output_full:
            self._request.write(_HEARTBEAT)

    # The end

    def _answered(self, answer: Answer) -> None:
        for stream, whole in self._whole.items():
            self._output(_NAMES[stream], whole.finish())
        streamed = self._kept_output.output()
        drawn = picture.json_of(answer, streamed)
        if drawn is not None:
            self._tell(b"picture", drawn)
        self._tell(b"outcome", outcome_json(answer, streamed).strip())
        self._end()

    def _failed(self, failure: Failure) -> None:
        request = self._request
        if failure.check(CancelledError):
            self._is_over = True
            self._streams.forget(self)
        elif request is not None and not request.startedWriting:
            self._is_over = True
            self._streams.forget(self)
            self._streams.site.complain(request, failure)
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
            self._close()

    def _close(self) -> None:
        request, self._request = self._request, None
        self._stop_lingering()
        self._streams.forget(self)
        if request is not None and not request.is_gone:
            request.unregisterProducer()
            request.finish()

    # Events

    def _output(self, kind: bytes, text: bytes) -> None:
        if text:
            self._tell(kind, text)

    def _tell(self, kind: bytes, data: bytes) -> None:
        self._count += 1
        self._kept.append((self._count, kind, data))
        self._kept_bytes += len(data)
        while len(self._kept) > 1 and (self._kept_bytes > KEPT_BYTES or len(self._kept) > KEPT_EVENTS):
            self._kept_bytes -= len(self._kept.popleft()[2])
        if self._request is not None:
            self._write(self._count, kind, data)

    def _write(self, number: int, kind: bytes, data: bytes) -> None:
        if self._request is not None:
            encoded = self._streams.encode(data) if kind in _OUTPUT else data
            name = self.name.encode("ascii")
            self._request.write(b"id: %s.%d\nevent: %s\ndata: %s\n\n" % (name, number, kind, encoded))

    def _open(self, request: WebRequest) -> None:
        request.begin(HTTPStatus.OK, Representation.EVENTS)
        request.registerProducer(self, True)
