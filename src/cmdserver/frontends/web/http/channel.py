"""HTTP/1.1 on one connection: Twisted's parser, with what it leaves to others.

What it leaves: an end to what is read ahead while the client does not read, an answer to what is no request that says
so, and no second guess at folded headers. How long anything may take is the connection's to say, not ours.

Rule of this file: it rests on private names of Twisted's, all of `HTTPChannel`; `tests.test_web_wire` says which.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.web.http import HTTPChannel

#: Of all header fields of a request together, its first line included.
MOST_HEADER_BYTES: Final = 16_384
#: Browsers send some twenty.
MOST_HEADERS: Final = 100
#: Of requests sent ahead, while the client does not take the answers to those before.
MOST_AHEAD_BYTES: Final = 65_536


class Keeper(Protocol):
    """The connection, as its channel sees it."""

    def refuse_bytes(self, complaint: str) -> None:
        """What came is no request; answer so, and part."""

    def output_full(self) -> None:
        """The client does not take what we send."""

    def output_flows(self) -> None:
        """It does again."""

    def output_over(self) -> None:
        """Of HTTP/2: every answer has been sent, or was broken off."""

    def watch(self) -> None:
        """Nothing is read for now."""

    def unwatch(self) -> None:
        """It is read again."""

    def part(self) -> None:
        """Nothing more is to be said once all was sent."""


class Channel(HTTPChannel):
    """The requests of one connection, one after the other.

    Args:
        keeper: Told of what a channel cannot decide.
        request_factory: Makes a request for a channel.
    """

    totalHeadersSize = MOST_HEADER_BYTES
    MAX_LENGTH = MOST_HEADER_BYTES
    maxHeaders = MOST_HEADERS
    #: None: Twisted's own timers are off.
    timeOut = None
    #: None: nor is its access log wanted.
    factory = None

    #: Header fields of the answer that are the same for all of its kind, as they are sent.
    beside = b""

    requestFactory: Any
    transport: Any
    _networkProducer: Any

    def __init__(self, keeper: Keeper, request_factory: Callable[..., Any]) -> None:
        super().__init__()
        self._keeper = keeper
        self.requestFactory = request_factory

    def connectionMade(self) -> None:
        """Begin; from here on it is known when reading pauses.

        Twisted's would set TCP_NODELAY, which the listening socket has, and a timer.
        """
        self._networkProducer = _Intake(self.transport, self._keeper)
        self.transport.registerProducer(self, True)

    def getHost(self) -> None:
        """Nobody asks; to find it out would cost each request a system call."""

    @property
    def is_reading_request(self) -> bool:
        """Whether a request has begun to come and has not come to its end."""
        return not self._handlingRequest and bool(self.requests or self._buffer)

    def stop(self) -> None:
        """Look at nothing that has come or will come."""
        self.paused = True
        self.clearLineBuffer()
        self._dataBuffer.clear()

    def finish_up(self) -> None:
        """Answer no request after the one that is being answered."""
        self.persistent = 0

    # HTTPChannel

    def dataReceived(self, data: bytes) -> None:
        """Take what came; while the client does not read, keep a bounded part of it."""
        super().dataReceived(data)
        if self.paused and len(self._buffer) > MOST_AHEAD_BYTES:
            self._networkProducer.pauseProducing()

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a header; one that continues the line before is refused (RFC 9112, section 5.2)."""
        if line[:1] in {b" ", b"\t"}:
            self._respondToBadRequestAndDisconnect()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line that is longer than all of a header may be."""
        del line
        self._keeper.refuse_bytes(f"the header is longer than {MOST_HEADER_BYTES} bytes")

    def pauseProducing(self) -> None:
        """The client does not take what we send: requests that were sent ahead wait, too."""
        self.paused = True
        super().pauseProducing()
        self._keeper.output_full()

    def resumeProducing(self) -> None:
        """It does again."""
        self.paused = False
        super().resumeProducing()
        self._networkProducer.resumeProducing()
        self._keeper.output_flows()
        super().dataReceived(b"")

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """Send the head of an answer, in one piece."""
        fields = [b"%s: %s\r\n" % (name, value) for name, values in headers.getAllRawHeaders() for value in values]
        self.transport.write(b"%s %s %s\r\n%s%s\r\n" % (version, code, reason, b"".join(fields), self.beside))

    def loseConnection(self) -> None:
        """All is said."""
        self._networkProducer.unregisterProducer()
        self._keeper.part()

    def _send100Continue(self) -> None:
        if not self.paused:  # it may have been refused already, for its length
            super()._send100Continue()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._keeper.refuse_bytes("this is no HTTP request")


class _Intake:
    """The transport, as the channel pauses it; while it is paused somebody has to watch whether the client is gone."""

    def __init__(self, transport: Any, keeper: Keeper) -> None:
        self._transport = transport
        self._keeper = keeper
        self._is_paused = False

    def pauseProducing(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._transport.pauseProducing()
            self._keeper.watch()

    def resumeProducing(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._keeper.unwatch()
            self._transport.resumeProducing()

    def unregisterProducer(self) -> None:
        self._transport.unregisterProducer()
