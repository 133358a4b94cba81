"""The event streams of one door: which there are, who may go on with one, and that their connections are alive.

What a stream says is `event_stream`'s.
"""

import json
from http import HTTPStatus
from typing import Final

from twisted.internet.task import LoopingCall

from cmdserver.errors import RequestError
from cmdserver.frontends.web import headers
from cmdserver.frontends.web.event_stream import EventStream
from cmdserver.frontends.web.request import WebRequest
from cmdserver.frontends.web.site import Site
from cmdserver.model import Caller

#: Proxies and browsers take a connection on which nothing happens for a dead one.
HEARTBEAT_SECONDS: Final = 15.0

_LAST_EVENT_ID: Final = b"last-event-id"
#: Beside the last id: the reader will not come back.
_STOP: Final = b"cmdserver-stop"


class EventStreams:
    """The event streams of one door.

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
        self._encoded: tuple[bytes, bytes] = (b"", b"")

    def serve(self, request: WebRequest, caller: Caller, words: list[str]) -> None:
        """Run something, or go on with what is running."""
        last_id = request.header(_LAST_EVENT_ID)
        if last_id is None:
            self._begin(request, caller, words)
            return
        name, _, number = last_id.decode("latin-1").partition(".")
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

    def _begin(self, request: WebRequest, caller: Caller, words: list[str]) -> None:
        stream = EventStream(self, request, caller.key, words)
        self._streams[stream.name] = stream
        if not self._heartbeat.running:
            self._heartbeat.start(HEARTBEAT_SECONDS, now=False)
        stream.follow(self.site.dispatcher.ask(caller, words, stream))

    def forget(self, stream: EventStream) -> None:
        """A stream is over."""
        self._streams.pop(stream.name, None)
        if not self._streams and self._heartbeat.running:
            self._heartbeat.stop()

    def encode(self, text: bytes) -> bytes:
        """Put output into JSON; once for all who are told the same in a row, as readers of a shared run are."""
        known, encoded = self._encoded
        if known is not text:
            encoded = json.dumps(text.decode(errors="replace")).encode("ascii")
            self._encoded = (text, encoded)
        return encoded

    def _beat(self) -> None:
        for stream in list(self._streams.values()):
            stream.beat()
