"""What is said beside every answer, for browsers above all: made once, not for each request.

Nothing here depends on a request. A page may load scripts, styles and pictures from this server, talk to it, and send
forms to it; nothing else, from nowhere else, and nobody may put it into a frame. What is no page may do nothing at all.

The referrer policy is ``same-origin`` and not ``no-referrer``, under which browsers send ``Origin: null`` with our own
forms (Fetch, "append a request Origin header"), and we could not tell them from a stranger's.
"""

from collections.abc import Mapping
from typing import Final

from cmdserver.frontends.web.http.negotiation import Representation

Headers = tuple[tuple[bytes, bytes], ...]


def as_sent(fields: Headers) -> bytes:
    """Spell header fields as HTTP/1.1 does."""
    return b"".join(b"%s: %s\r\n" % field for field in fields)


def as_sent_safely(fields: Headers) -> bytes:
    """Spell header fields whose values may be anybody's: none of them ends its line."""
    sent = b""
    for name, value in fields:
        safe = b" ".join(value.split()) if b"\n" in value or b"\r" in value else value
        sent += b"%b: %b\r\n" % (name, safe)
    return sent


_PAGE_POLICY: Final = b"; ".join((
    b"default-src 'none'",
    b"script-src 'self'",
    b"style-src 'self'",
    b"img-src 'self'",
    b"connect-src 'self'",
    b"worker-src 'self'",
    b"form-action 'self'",
    b"base-uri 'none'",
    b"frame-ancestors 'none'",
))  # fmt: skip

#: Of everything.
COMMON: Final[Headers] = (
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
)
#: Of everything over TLS, with a certificate that browsers believe: a year of nothing else (RFC 6797).
STRICT: Final[Headers] = ((b"Strict-Transport-Security", b"max-age=31536000"),)
#: Of scripts, for the one that is a worker: it talks to this server, and does nothing else.
SCRIPT: Final[Headers] = (*COMMON, (b"Content-Security-Policy", b"default-src 'none'; connect-src 'self'"))
#: Of answers, errors and pages: they are this caller's, and of this moment.
UNCACHED: Final[Headers] = ((b"Cache-Control", b"no-store"), (b"Vary", b"Accept, Accept-Encoding"))

#: Of what is no page.
PLAIN: Final[Headers] = (
    *COMMON,
    *UNCACHED,
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)
#: Of pages.
PAGE: Final[Headers] = (
    *COMMON,
    *UNCACHED,
    (b"Content-Security-Policy", _PAGE_POLICY),
    (b"X-Frame-Options", b"DENY"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Embedder-Policy", b"require-corp"),
)
#: Of what is sent while it is made: a proxy in between is not to gather it (this is nginx's word for that).
UNGATHERED: Final[Headers] = ((b"X-Accel-Buffering", b"no"),)
#: Of an event stream.
EVENTS: Final[Headers] = (*PLAIN, *UNGATHERED)

CONTENT_TYPES: Final[Mapping[Representation, bytes]] = {
    Representation.PAGE: b"text/html; charset=utf-8",
    Representation.TEXT: b"text/plain; charset=utf-8",
    Representation.JSON: b"application/json",
    Representation.EVENTS: b"text/event-stream; charset=utf-8",
}
#: What is said beside each representation.
BESIDE: Final[Mapping[Representation, Headers]] = {
    Representation.PAGE: PAGE,
    Representation.TEXT: PLAIN,
    Representation.JSON: PLAIN,
    Representation.EVENTS: EVENTS,
}
