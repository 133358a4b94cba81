"""One request and its response; and the connection, as its requests and its channel see it.

A resource responds in one of three ways: `WebRequest.respond` with everything at once, `WebRequest.begin` and `write`
as output comes, `WebRequest.cut` where a response that was begun cannot be completed.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web import http

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.core.model import Caller, Somebody
from cmdserver.frontends.web.http import cross_site, form_data, headers
from cmdserver.frontends.web.http.content_coding import GZIP, compress, is_worth_compressing, takes_gzip
from cmdserver.frontends.web.http.cross_site import Provenance
from cmdserver.frontends.web.http.form_data import Fields
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, OF_DOCUMENTS, Representation, choose, lists
from cmdserver.frontends.web.http.target import Target
from cmdserver.frontends.web.proxies.sender import Sender
from cmdserver.net.backpressure import Backpressure

#: RFC 9110, sections 15.3.5 and 15.4.5.
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_CLOSE: Final[Headers] = ((b"Connection", b"close"),)
_STRICT: Final = headers.as_sent(headers.STRICT)

_as_sent: Final = cache(headers.as_sent)


@cache
def _status_text(status: int) -> bytes:
    """Say ``200 OK``."""
    return f"{status:d} {HTTPStatus(status).phrase}".encode("ascii")


@lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    """Say what time it is, of seconds since the epoch (RFC 9110, section 5.6.7)."""
    said: bytes = http.datetimeToString(second)
    return said


class Connection(Backpressure, Protocol):
    """The interface of `connection.WebConnection`, which knows its requests and its channel as they know it."""

    transport: Any
    #: Who is connected: the client, or a proxy.
    source: str
    pending_login: PendingLogin
    #: Who the client's certificate says that it is; None without one.
    certified: Caller | None = None
    is_secure = False
    #: Whether responses tell browsers to ask this host over TLS alone.
    is_strict = False
    is_http2 = False

    # For requests

    def begun(self, request: "WebRequest") -> None:
        """Answer a request, all of which has come."""

    def done(self, request: "WebRequest") -> None:
        """Log a request and count it out: it is answered, or will not be."""

    def cut(self, request: "WebRequest") -> None:
        """Break the response off."""

    def end_body(self, request: "WebRequest", trailers: Headers) -> None:
        """Let fields stand behind the body of a response that is to be finished now."""

    def hold_body(self, target: bytes, size: int, more: int) -> None:
        """Count bytes of a body in that is larger than others; see `LargeBodies.hold`."""

    def release_body(self, count: int) -> None:
        """Count bytes out that were counted in."""

    def refuse_body(self, refusal: Refusal) -> None:
        """Refuse a body that is too long; over HTTP/1.1, where nothing behind it can be read, close the connection."""

    def seconds(self) -> float:
        """Return the time of a clock that does not go back."""
        raise NotImplementedError

    def time_of_day(self) -> float:
        """Return the seconds since the epoch."""
        raise NotImplementedError

    # For channels

    def refuse_bytes(self, complaint: str) -> None:
        """Refuse what came, which is not a request, and close the connection."""

    def pause_input(self) -> None:
        """Stop reading, and watch whether the client is gone. Idempotent."""

    def resume_input(self) -> None:
        """Read again. Idempotent."""

    def responses_sent(self) -> None:
        """Over HTTP/2: every response was sent, or broken off."""

    def part(self) -> None:
        """Send what is left to send, and close the connection."""

    def part_when_done(self) -> None:
        """Over HTTP/1.1: the same, as soon as the request that was answered is `done`."""


class WebRequest(http.Request):
    """A request, and its response; the channel is HTTP/1.1's, or HTTP/2's stream."""

    #: Who asks, once that is known; for the access log.
    caller: Somebody | None = None
    #: Called when the client is gone before it was answered.
    when_gone: Callable[[], object] | None = None
    #: Signs its answer; None if that is not to be signed.
    sign: Callable[[int, bytes, bytes], Headers] | None = None
    #: Why its body was not kept.
    body_refusal: Refusal | None = None
    #: What its body holds that is larger than others, in bytes.
    _held_bytes = 0
    #: Whether all of it has come.
    is_begun = False
    #: Whether the client is told that the connection is closed behind the response; `HTTPChannel` tells of its own.
    is_last = False
    _is_done = False
    content: BytesIO
    channel: Any
    #: Both as `Site.serve` reads them.
    target = Target()
    provenance: Provenance = cross_site.NOWHERE

    def __init__(self, channel: Any, connection: Connection, most_body_bytes: int) -> None:
        super().__init__(channel, queued=False)
        self.connection = connection
        self._most_body_bytes = most_body_bytes
        self.began_at = connection.seconds()
        #: Of a trusted proxy's, `ProxyTrust` finds another one.
        self.sender = Sender(
            source=connection.source, is_secure=connection.is_secure, pending_login=connection.pending_login
        )

    # As called by Twisted

    def gotLength(self, length: int | None) -> None:
        """Begin to read the body; refuse one whose announced length is too long before it comes."""
        self.content = BytesIO()
        if length is not None and length > self._most_body_bytes:
            self._hold(length, 0)

    def handleContentChunk(self, data: bytes) -> None:
        if self.body_refusal is None:
            size = self.content.tell() + len(data)
            if size > self._most_body_bytes:
                self._hold(size, size - self._held_bytes)
            if self.body_refusal is None:
                self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Have the request answered: all of it has come."""
        self.method, self.uri, self.clientproto = command, path, version
        self.is_begun = True
        self.connection.begun(self)

    def connectionLost(self, reason: Failure) -> None:
        """Call `when_gone`: the client is gone, or wants no answer."""
        super().connectionLost(reason)
        when_gone, self.when_gone = self.when_gone, None
        if when_gone is not None:
            when_gone()
        self._end()

    def _hold(self, size: int, more: int) -> None:
        """Have a body that is larger than others, if it may be."""
        try:
            self.connection.hold_body(self.channel.path or b"", size, more)
            self._held_bytes += more
        except Refusal as refusal:
            self.body_refusal = refusal
            self._release()
            self.connection.refuse_body(refusal)

    def _release(self) -> None:
        held, self._held_bytes = self._held_bytes, 0
        if held:
            self.connection.release_body(held)
        self.content = BytesIO()

    # What was asked

    @property
    def is_gone(self) -> bool:
        """Whether the client is gone."""
        return bool(self._disconnected)

    @property
    def is_read_only(self) -> bool:
        """Whether its method is safe (RFC 9110, section 9.2.1)."""
        return self.method in {b"GET", b"HEAD"}

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value; several of the same name are joined by commas (RFC 9110, section 5.3)."""
        values: Sequence[bytes] | None = self.requestHeaders.getRawHeaders(name)
        if values is None:
            return None
        return values[0] if len(values) == 1 else b", ".join(values)

    @property
    def called_host(self) -> bytes | None:
        """The host that the client has called, with its port if that is not the usual one."""
        return self.sender.host or self.header(b"host")

    @property
    def is_page_to_be_seen(self) -> bool:
        """Whether a browser asks for a page with an address bar of its own, and not for a part of another page."""
        return self.provenance.is_top_level and self.representation(OF_COMMANDS) is Representation.PAGE

    @property
    def takes_trailers(self) -> bool:
        """Whether the client reads fields behind a body that comes in pieces (RFC 9110, section 6.5.1)."""
        return self.clientproto != b"HTTP/1.0" and lists(self.header(b"te"), b"trailers")

    @property
    def prefers_async(self) -> bool:
        """Whether the client does not want to wait for the end (RFC 7240, section 4.1)."""
        return lists(self.header(b"prefer"), b"respond-async")

    def representation(self, offered: Sequence[Representation] = OF_DOCUMENTS) -> Representation:
        """Return what the client likes best of what is offered."""
        return choose(self.header(b"accept"), tuple(offered))

    def form(self) -> Fields:
        """Return the fields of its body; none if it has no body.

        Raises:
            Malformed: See `form_data.of_body`.
        """
        return form_data.of_body(self.header(b"content-type"), self.content.getvalue())

    # The response

    def respond(self, status: int, representation: Representation, body: bytes, more: Headers = ()) -> None:
        """Send a whole response."""
        if representation is not Representation.PAGE:
            body, more = self._coded(body, more)
        self._send(status, headers.CONTENT_TYPES[representation], headers.BESIDE[representation], body, more)

    def respond_with(
        self, status: int, content_type: bytes, beside: Headers, body: bytes = b"", more: Headers = ()
    ) -> None:
        """Send a whole response with a media type of its own, such as a static file; never a page."""
        body, more = self._coded(body, more)
        self._send(status, content_type, beside, body, more)

    def _coded(self, body: bytes, more: Headers) -> tuple[bytes, Headers]:
        """Compress a body, if that is worth it and the client takes it."""
        # A signature is of what is sent, and no client has to undo anything before it can look at one.
        if self.sign is None and is_worth_compressing(body) and takes_gzip(self.header(b"accept-encoding")):
            return compress(body), (*more, GZIP)
        return body, more

    def _send(self, status: int, content_type: bytes, beside: Headers, body: bytes, more: Headers) -> None:
        if self.is_gone:
            return
        has_body = status not in _WITHOUT_BODY
        if self.sign is not None:
            more = (*more, *self.sign(status, content_type, body if has_body and self.method != b"HEAD" else b""))
        if self.connection.is_http2:
            self._head(status, content_type, beside, more)
            if has_body:
                self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
            self.write(body)
        else:
            if has_body:
                more = (*more, (b"Content-Length", b"%d" % len(body)))
            if self.method == b"HEAD" or not has_body:
                body = b""
            self._send_whole(status, content_type, beside, body, more)
        self.finish()

    def _send_whole(self, status: int, content_type: bytes, beside: Headers, body: bytes, more: Headers) -> None:
        """Send a response over HTTP/1.1 with one write: most of its head is the same for all of its kind."""
        self.code, self.startedWriting, self.sentLength = status, 1, len(body)
        self.channel.write(
            b"%b %b\r\nDate: %b\r\nContent-Type: %b\r\n%b%b%b\r\n%b"
            % (
                self.clientproto,
                _status_text(status),
                _date(int(self.connection.time_of_day())),
                content_type,
                headers.as_sent_safely((*self._own_headers(), *more)),
                _as_sent(beside),
                _STRICT if self.connection.is_strict else b"",
                body,
            )
        )

    def _own_headers(self) -> Headers:
        """Return what was said of this response before its end."""
        found = _CLOSE if self.is_last else ()
        if self.cookies:
            found = (*found, *((b"Set-Cookie", each) for each in self.cookies))
        for name, values in self.responseHeaders.getAllRawHeaders():
            found = (*found, *((name, value) for value in values))
        return found

    def redirect_to(self, address: str) -> None:
        """Redirect the client to another address of ours, with GET.

        Args:
            address: From the root, with a slash at the beginning; it is sent as a relative reference.
        """
        location = self.target.root + address.removeprefix("/")
        self.responseHeaders.setRawHeaders(b"Location", [location.encode("ascii")])
        self.respond(HTTPStatus.SEE_OTHER, Representation.TEXT, b"")

    def begin(self, status: int, representation: Representation, more: Headers = ()) -> None:
        """Send the head of a response that comes in pieces: `write`, and in the end `finish` or `cut`."""
        self._head(status, headers.CONTENT_TYPES[representation], headers.BESIDE[representation], more)
        self.write(b"")

    def cut(self) -> None:
        """Break off a response that was begun, so that the client can tell that it is incomplete.

        HTTP/1.1 has nothing better for a status that turns out to be wrong than a body without its end (RFC 9112,
        section 8); HTTP/2 resets the stream.
        """
        if not self.is_gone:
            self.connection.cut(self)

    def finish(self, trailers: Headers = ()) -> None:
        """End the response.

        Args:
            trailers: Fields behind its body; sent only if it comes in pieces and the client takes them.
        """
        if not self.is_gone:
            self.when_gone = None
            if trailers and self.takes_trailers:
                self.connection.end_body(self, trailers)
            super().finish()
            self._end()

    def _head(self, status: int, content_type: bytes, beside: Headers, more: Headers) -> None:
        self.setResponseCode(status, HTTPStatus(status).phrase.encode("ascii"))
        answer = self.responseHeaders
        if self.is_last:
            answer.setRawHeaders(b"Connection", [b"close"])
        if self.connection.is_strict:
            beside += headers.STRICT
        answer.setRawHeaders(b"Date", [_date(int(self.connection.time_of_day()))])
        answer.setRawHeaders(b"Content-Type", [content_type])
        if self.connection.is_http2:
            for name, value in beside:
                answer.setRawHeaders(name, [value])
        else:
            self.channel.beside = _as_sent(beside)
        for name, value in more:
            answer.addRawHeader(name, value)

    def _end(self) -> None:
        if not self._is_done:
            self._is_done = True
            if self._held_bytes:
                self._release()
            if self.is_begun:
                self.connection.done(self)
