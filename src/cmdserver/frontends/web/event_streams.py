"""The event streams of one listener: which there are, who may go on with one, and that their connections are alive.

What a stream says is `event_stream`'s.
"""

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from twisted.internet.task import LoopingCall

from cmdserver.core.errors import RequestError
from cmdserver.core.model import Caller
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.web.event_stream import EventStream
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.site import Site

#: Proxies and browsers take a connection on which nothing happens for a dead one.
HEARTBEAT_SECONDS: Final = 15.0
#: Pieces of output that are kept as JSON, for readers who are not equally fast: 64 KiB each, six times that at worst.
ENCODED_PIECES: Final = 16

LAST_EVENT_ID: Final = b"last-event-id"
#: Beside the last id: the reader will not come back.
_STOP: Final = b"cmdserver-stop"


class EventStreams:
    """The event streams of one listener.

    Args:
        site: What resources share.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        #: By the first part of their ids.
        self._streams: dict[str, EventStream] = {}
        self.lingering = 0
        self._heartbeat = LoopingCall(self._beat)
        self._heartbeat.clock = site.clock
        #: Puts output into JSON; once for all who are told the same, as readers of a shared run are.
        self.encode = lru_cache(ENCODED_PIECES)(_encode)

    def resume(self, request: WebRequest, caller: Caller) -> None:
        """Go on with a stream, behind the last event that its reader has seen; or end it, if it wants no more."""
        name, _, number = (request.header(LAST_EVENT_ID) or b"").decode("latin-1").partition(".")
        stream = self._streams.get(name)
        if stream is None or stream.key != caller.key or not (number.isascii() and number.isdigit()):
            request.respond_with(HTTPStatus.NO_CONTENT, b"text/event-stream", headers.EVENTS)
        elif request.header(_STOP) is not None:
            stream.stop()
            request.respond_with(HTTPStatus.NO_CONTENT, b"text/event-stream", headers.EVENTS)
        else:
            self._resume(request, caller, stream, int(number[:10]))

    def _resume(self, request: WebRequest, caller: Caller, stream: EventStream, last: int) -> None:
        try:
            self.site.dispatcher.go_on(caller, stream.words)
        except RequestError as error:
            self.site.answer_error(request, caller, error)
        else:
            stream.resume(request, last)

    def begin(self, request: WebRequest, granted: Request) -> None:
        """Run something."""
        stream = EventStream(self, request, granted.caller.key, granted.words)
        self._streams[stream.name] = stream
        if not self._heartbeat.running:
            self._heartbeat.start(HEARTBEAT_SECONDS, now=False)
        stream.await_end(self.site.dispatcher.run(granted, stream))

    def forget(self, stream: EventStream) -> None:
        """A stream is over."""
        self._streams.pop(stream.name, None)
        if not self._streams and self._heartbeat.running:
            self._heartbeat.stop()
            self.encode.cache_clear()  # nobody's output is kept without need

    def _beat(self) -> None:
        for stream in list(self._streams.values()):
            stream.beat()


def _encode(text: bytes) -> bytes:
    return json.dumps(text.decode(errors="replace")).encode("ascii")
