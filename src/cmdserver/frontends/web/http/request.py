"""One request, from its header to the last byte of its answer.

What a resource sees: where it is for, what its client takes, and three ways to answer: `WebRequest.respond` with all of
it at once, `WebRequest.begin` and `write` as it comes, `WebRequest.cut` when what has been begun cannot be completed.
A request knows bytes and headers, and no commands.
"""

from collections.abc import Callable, Sequence
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

from twisted.python.failure import Failure
from twisted.web import http

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Malformed
from cmdserver.core.model import Caller, Somebody
from cmdserver.frontends.web.http import fields, guard, headers
from cmdserver.frontends.web.http.channel import Channel
from cmdserver.frontends.web.http.fields import Fields
from cmdserver.frontends.web.http.guard import Provenance, split_target
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, OF_DOCUMENTS, Representation, choose

_CONTENT_TYPES: Final = {
    Representation.PAGE: b"text/html; charset=utf-8",
    Representation.TEXT: b"text/plain; charset=utf-8",
    Representation.JSON: b"application/json",
    Representation.EVENTS: b"text/event-stream; charset=utf-8",
}
_HEADERS: Final = {
    Representation.PAGE: headers.PAGE,
    Representation.TEXT: headers.PLAIN,
    Representation.JSON: headers.PLAIN,
    Representation.EVENTS: headers.EVENTS,
}
#: The headers that a `Provenance` is made of, in its order.
_PROVENANCE: Final = (b"origin", b"referer", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest")
_as_sent: Final = cache(headers.as_sent)


class Host(Protocol):
    """The connection, as its requests see it."""

    #: Where the client calls from.
    source: str
    pending_login: PendingLogin
    #: Who its certificate says that it is.
    certified: Caller | None
    is_secure: bool

    def begun(self, request: "WebRequest") -> None:
        """A request is complete; answer it."""

    def done(self, request: "WebRequest") -> None:
        """It is answered, or will not be."""

    def refuse_body(self) -> None:
        """A body is too long; with HTTP/1.1 nothing after it can be understood."""

    def cut(self, request: "WebRequest") -> None:
        """Its answer breaks off here."""

    def seconds(self) -> float:
        """Of a clock that does not go back."""


class WebRequest(http.Request):
    """A request, and its answer.

    Args:
        channel: HTTP/1.1's, or the stream of HTTP/2.
        host: The connection.
        most_body_bytes: Of its body.
    """

    #: Who asks, as soon as that is known; for the access log.
    caller: Somebody | None = None
    #: Told when the client is gone before it was answered.
    when_gone: Callable[[], object] | None = None
    is_too_long = False
    #: All of it has come.
    is_begun = False
    _is_done = False
    content: BytesIO
    #: What its target says: the authority, if it is in absolute form; path and query from the root; the parts of the
    #: path, at least one; the fields of the query; the way back to the root; below which path the root is.
    authority: bytes | None = None
    address = b"/"
    root = "./"
    base_path = ""
    parts: tuple[str, ...] = ("",)
    query: Fields = ()
    #: What it says of where it comes from.
    provenance: Provenance = guard.NOWHERE

    def __init__(self, channel: Any, host: Host, most_body_bytes: int) -> None:
        super().__init__(channel, queued=False)
        self.connection = host
        self._most_body_bytes = most_body_bytes
        self.began_at = host.seconds()

    # As called by Twisted

    def gotLength(self, length: int | None) -> None:
        """The header is complete: refuse a body that says of itself that it is too long before it comes."""
        self.content = BytesIO()
        if length is not None and length > self._most_body_bytes:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if self.is_too_long:
            return
        if self.content.tell() + len(data) > self._most_body_bytes:
            self._refuse_body()
        else:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """It is complete."""
        self.method, self.uri, self.clientproto = command, path, version
        self.is_begun = True
        self.connection.begun(self)

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone, or wants no answer."""
        super().connectionLost(reason)
        when_gone, self.when_gone = self.when_gone, None
        if when_gone is not None:
            when_gone()
        self._end()

    def _refuse_body(self) -> None:
        self.is_too_long = True
        self.content = BytesIO()
        self.connection.refuse_body()

    # What resources ask

    @property
    def is_gone(self) -> bool:
        """Whether there is nobody to answer."""
        return bool(self._disconnected)

    @property
    def is_read_only(self) -> bool:
        """Whether its method can change nothing (RFC 9110, section 9.2.1)."""
        return self.method in {b"GET", b"HEAD"}

    def header(self, name: bytes) -> bytes | None:
        """A header's value; several of the same name are joined by commas (RFC 9110, section 5.3)."""
        values: Sequence[bytes] | None = self.requestHeaders.getRawHeaders(name)
        if values is None:
            return None
        return values[0] if len(values) == 1 else b", ".join(values)

    @property
    def is_page_to_be_seen(self) -> bool:
        """Whether a browser wants a page of its own, with its address above it, and not a part of another page."""
        return self.provenance.is_top_level and self.wants(Representation.PAGE)

    def representation(self, offered: Sequence[Representation] = OF_DOCUMENTS) -> Representation:
        """What the client likes best of what there is."""
        return choose(self.header(b"accept"), tuple(offered))

    def wants(self, representation: Representation) -> bool:
        """Whether that is what the client likes best of what a command has."""
        return self.representation(OF_COMMANDS) is representation

    def split(self, base_path: str = "") -> None:
        """Take target and provenance apart; to be called once, before anything else is asked.

        Args:
            base_path: Below which it may lie: ``/ops``.

        Raises:
            Malformed: It is not UTF-8, there is a control character in it, or there are too many fields.
        """
        target: bytes = self.uri
        if not target.startswith(b"/"):
            self.authority, target = split_target(target)
        self.address = target
        if base_path:
            self.root, self.address = guard.below(base_path.encode("ascii"), target)
            self.base_path = base_path if self.address != target else ""
        path, _, query = self.address.partition(b"?")
        if not base_path:
            self.root = "../" * (path.count(b"/") - 1) or "./"
        if path.isascii() and b"%" not in path and (text := path.decode("ascii")).isprintable():
            self.parts = tuple(text[1:].split("/"))
        else:
            self.parts = tuple(map(_decoded, path[1:].split(b"/")))
        self.query = fields.of_query(query) if query else []
        values = self.requestHeaders.getRawHeaders
        said = [values(name) for name in _PROVENANCE]
        if any(said):
            origin, referer, site, mode, destination = (b", ".join(value) if value else None for value in said)
            self.provenance = Provenance(
                origin=origin,
                referer=referer,
                site=site,
                mode=mode,
                destination=destination,
                host=b", ".join(values(b"host") or ()),
                is_secure=self.connection.is_secure,
            )

    def form(self) -> Fields:
        """The fields of its body; none if it has no body.

        Raises:
            Malformed: See `fields.of_body`.
        """
        return fields.of_body(self.header(b"content-type"), self.content.getvalue())

    # Answering

    def respond(self, status: int, representation: Representation, body: bytes, more: Headers = ()) -> None:
        """Answer with all of it."""
        if self.is_gone:
            return
        self._head(status, _CONTENT_TYPES[representation], _HEADERS[representation], more)
        self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        self.write(body)
        self.finish()

    def respond_with(self, status: int, content_type: bytes, beside: Headers, body: bytes = b"") -> None:
        """Answer with something that is no representation of a command, such as a static file."""
        if self.is_gone:
            return
        self._head(status, content_type, beside, ())
        if status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        self.write(body)
        self.finish()

    def redirect_to(self, address: str) -> None:
        """Send the client to another address of ours, to be looked at with GET.

        Args:
            address: From the root, beginning with a slash; it is told relative to this one, as in pages.
        """
        self.responseHeaders.setRawHeaders(b"Location", [(self.root + address.removeprefix("/")).encode("ascii")])
        self.respond(HTTPStatus.SEE_OTHER, Representation.TEXT, b"")

    def begin(self, status: int, representation: Representation, more: Headers = ()) -> None:
        """Send the head of an answer that comes in pieces: `write` and then `finish`, or `cut`."""
        self._head(status, _CONTENT_TYPES[representation], _HEADERS[representation], more)
        self.write(b"")

    def cut(self) -> None:
        """Break off an answer that was begun, so that its client can tell that it is not complete.

        HTTP/1.1 has nothing better for a status that turns out to be wrong than a body without its end (RFC 9112,
        section 8); HTTP/2 resets the stream.
        """
        if not self.is_gone:
            self.connection.cut(self)

    def finish(self) -> None:
        """All is said."""
        if not self.is_gone:
            self.when_gone = None
            super().finish()
            self._end()

    def _head(self, status: int, content_type: bytes, beside: Headers, more: Headers) -> None:
        self.setResponseCode(status, HTTPStatus(status).phrase.encode("ascii"))
        answer = self.responseHeaders
        answer.setRawHeaders(b"Date", [http.datetimeToString()])
        answer.setRawHeaders(b"Content-Type", [content_type])
        if isinstance(self.channel, Channel):
            self.channel.beside = _as_sent(beside)
        else:
            for name, value in beside:
                answer.setRawHeaders(name, [value])
        for name, value in more:
            answer.addRawHeader(name, value)

    def _end(self) -> None:
        if not self._is_done:
            self._is_done = True
            if self.is_begun:
                self.connection.done(self)


def _decoded(part: bytes) -> str:
    try:
        text = (unquote_to_bytes(part) if b"%" in part else part).decode()
    except UnicodeDecodeError as error:
        complaint = "the path is not UTF-8"
        raise Malformed(complaint) from error
    if not text.isprintable():
        complaint = "the path has a control character in it"
        raise Malformed(complaint)
    return text
