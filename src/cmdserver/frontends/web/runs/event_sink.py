"""Where the events of a stream go: to a response of its own, or to a part of one that several streams share.

A stream writes whole events, as bytes, and knows nothing of requests; who has asked, and from where, is for whoever
makes the sink.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

from twisted.python.failure import Failure

from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.site import Site
from cmdserver.net.backpressure import Backpressure

#: How often something is sent: proxies and browsers give up connections on which nothing is.
HEARTBEAT_SECONDS: Final = 15.0


class EventSink(Protocol):
    """Takes the events of one stream."""

    @property
    def is_begun(self) -> bool:
        """Whether it is known to the client that there are events; else what goes wrong can still be an answer."""

    def connect(self, when_gone: Callable[[], object], when_unwanted: Callable[[], object]) -> None:
        """Say what is to be called, if anything comes before `finish` or `drop`.

        Args:
            when_gone: The client is gone; it may come back.
            when_unwanted: It has said that it wants no more.
        """

    def begin(self, source: Backpressure) -> None:
        """Begin, with whoever pauses while the client does not keep up. Once."""

    def write(self, event: bytes) -> None:
        """Send a whole event."""

    def beat(self, comment: bytes) -> None:
        """Send something that means nothing, so that nobody gives the connection up."""

    def finish(self) -> None:
        """End: everything was told. Harmless if the client is gone."""

    def drop(self) -> None:
        """End without an end: another sink has taken its place."""

    def complain(self, failure: Failure) -> None:
        """Tell what came in place of events, or of their end."""


class ResponseSink:
    """The response to one request, as an `EventSink`.

    Args:
        site: Answers errors.
        request: To be answered.
    """

    __slots__ = ("_request", "_site", "write")

    def __init__(self, site: Site, request: WebRequest) -> None:
        self._site = site
        self._request = request
        self.write: Callable[[bytes], None] = request.write  # one call less for each piece of output

    @property
    def is_begun(self) -> bool:
        """See `EventSink`."""
        return bool(self._request.startedWriting)

    def connect(self, when_gone: Callable[[], object], when_unwanted: Callable[[], object]) -> None:
        """See `EventSink`; who closes a connection does not say why."""
        del when_unwanted
        self._request.when_gone = when_gone

    def begin(self, source: Backpressure) -> None:
        """See `EventSink`."""
        self._request.begin(HTTPStatus.OK, Representation.EVENTS)
        self._request.registerProducer(source, True)

    def beat(self, comment: bytes) -> None:
        """See `EventSink`."""
        self._request.write(comment)

    def finish(self) -> None:
        """See `EventSink`."""
        if not self._request.is_gone:
            self._request.when_gone = None
            self._request.unregisterProducer()
            self._request.finish()

    def drop(self) -> None:
        """See `EventSink`; the client knows before us that its connection is gone."""
        self._request.when_gone = None
        self._request.unregisterProducer()
        self._request.cut()

    def complain(self, failure: Failure) -> None:
        """See `EventSink`."""
        self._site.complain(self._request, failure)
