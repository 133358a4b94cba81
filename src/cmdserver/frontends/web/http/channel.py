"""HTTP/1.1 on one connection: Twisted's parser, and what it leaves to others.

That is a bound on what is read ahead while the client does not read, an error response to what is not a request, and
the refusal of folded headers. Deadlines are the connection's.

Rests on private names of `HTTPChannel`; ``tests/integration/test_web_wire.py`` fails where they change.
"""

from collections.abc import Callable
from typing import Any, Final

from twisted.web.http import HTTPChannel

from cmdserver.frontends.web.http.headers import Headers, as_sent
from cmdserver.frontends.web.http.request import Connection
from cmdserver.frontends.web.http.whole_request import RequestFields, WholeRequest, read_whole

#: The most bytes of all header fields of a request together, its first line included.
MOST_HEADER_BYTES: Final = 16_384
#: The most header fields; browsers send some twenty.
MOST_HEADERS: Final = 100
#: The most bytes of requests that are kept while the client does not take the responses before them.
MOST_AHEAD_BYTES: Final = 65_536


class _Input:
    """The input of a connection, as `HTTPChannel` pauses it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        self._connection.pause_input()

    def resumeProducing(self) -> None:
        self._connection.resume_input()


class Channel(HTTPChannel):
    """The requests of one connection, one after the other; the connection is told of what a channel cannot decide."""

    totalHeadersSize = MOST_HEADER_BYTES
    MAX_LENGTH = MOST_HEADER_BYTES
    maxHeaders = MOST_HEADERS
    #: None: Twisted's own timers are off.
    timeOut = None
    #: None: nor is its access log wanted.
    factory = None

    #: Header fields of the response that are the same for all of its kind, as they are sent.
    beside = b""

    requestFactory: Any
    transport: Any
    _networkProducer: Any

    def __init__(self, connection: Connection, request_factory: Callable[..., Any]) -> None:
        super().__init__()
        self._connection = connection
        self._networkProducer = _Input(connection)
        self.requestFactory = request_factory

    @property
    def path(self) -> bytes:
        """Return the target of the request that is being read, as a stream of HTTP/2 has it."""
        return self._path or b""

    def connectionMade(self) -> None:
        """Do nothing: Twisted's sets TCP_NODELAY, which the listening socket has, and a timer."""

    def getHost(self) -> None:
        """Return nothing: nobody asks, and it would cost each request a system call."""

    def getPeer(self) -> None:
        """Return nothing, likewise."""

    @property
    def is_reading_request(self) -> bool:
        """Whether a request has begun to come and is incomplete."""
        return not self._handlingRequest and bool(self.requests or self._buffer)

    @property
    def is_sending(self) -> bool:
        """Whether a request is being answered."""
        return bool(self._handlingRequest)

    def stop(self) -> None:
        """Ignore what has come or will come."""
        self.paused = True
        self.clearLineBuffer()
        self._dataBuffer.clear()

    def close_when_idle(self) -> None:
        """Answer no request after the one that is being answered."""
        self.persistent = 0

    def cut(self, request: object) -> None:
        """Break the response to the request that is being answered off, and with it the connection."""
        del request
        self.loseConnection()

    def end_body(self, request: Any, trailers: Headers) -> None:
        """End a body in chunks with fields (RFC 9112, section 7.1.2); another one cannot have any."""
        if request.chunked:
            request.chunked = 0  # else Twisted ends it as well
            self.write(b"0\r\n" + as_sent(trailers) + b"\r\n")

    # HTTPChannel

    def dataReceived(self, data: bytes) -> None:
        """Take what came; while the client does not read, keep a bounded part of it."""
        is_between = not (self.requests or self._buffer or self._handlingRequest or self.paused) and self.persistent
        if is_between and (whole := read_whole(data)) is not None:
            self._take_whole(whole)
            return
        super().dataReceived(data)
        if self.paused and len(self._buffer) > MOST_AHEAD_BYTES:
            self._networkProducer.pauseProducing()

    def _take_whole(self, whole: WholeRequest) -> None:
        """Have a request answered, as `HTTPChannel.allHeadersReceived` and `allContentReceived` do."""
        request = self.requestFactory(self)
        self.requests.append(request)
        request.requestHeaders = RequestFields(whole.fields)
        if b"cookie" in whole.fields:
            request.parseCookies()
        if whole.is_last:
            self.persistent = 0
            request.is_last = True
        request.gotLength(0)
        self._handlingRequest = True
        self.setRawMode()
        request.requestReceived(whole.method, whole.target, b"HTTP/1.1")

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a header; refuse one that continues the line before (RFC 9112, section 5.2)."""
        if line[:1] in {b" ", b"\t"}:
            self._respondToBadRequestAndDisconnect()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        del line
        self._connection.refuse_bytes(f"the header is longer than {MOST_HEADER_BYTES} bytes")

    def pauseProducing(self) -> None:
        """Pause the run, and the requests that were sent ahead: the client does not keep up."""
        self.paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """Go on: the client has caught up."""
        self.paused = False
        super().resumeProducing()
        self._connection.resume_input()
        super().dataReceived(b"")

    def requestDone(self, request: object) -> None:
        if self.persistent:
            super().requestDone(request)
        else:
            del self.requests[0]
            self._connection.part_when_done()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        fields = [b"%s: %s\r\n" % (name, value) for name, values in headers.getAllRawHeaders() for value in values]
        self.transport.write(b"%s %s %s\r\n%s%s\r\n" % (version, code, reason, b"".join(fields), self.beside))

    def loseConnection(self) -> None:
        self._connection.part()

    def _send100Continue(self) -> None:
        if not self.paused:  # it may have been refused already, for its length
            super()._send100Continue()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._connection.refuse_bytes("this is no HTTP request")
