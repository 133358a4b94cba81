"""What is said beside every answer, for browsers above all: made once, not for each request.

Nothing here depends on a request. A page may load scripts, styles and pictures from this server, talk to it, and send
forms to it; nothing else, from nowhere else, and nobody may put it into a frame. What is no page may do nothing at all.

The referrer policy is ``same-origin`` and not ``no-referrer``, under which browsers send ``Origin: null`` with our own
forms (Fetch, "append a request Origin header"), and we could not tell them from a stranger's.
"""

from typing import Final

Headers = tuple[tuple[bytes, bytes], ...]


def as_sent(fields: Headers) -> bytes:
    """Spell header fields as HTTP/1.1 does."""
    return b"".join(b"%s: %s\r\n" % field for field in fields)


_PAGE_POLICY: Final = b"; ".join((
    b"default-src 'none'",
    b"script-src 'self'",
    b"style-src 'self'",
    b"img-src 'self'",
    b"connect-src 'self'",
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
#: Of answers, errors and pages: they are this caller's, and of this moment.
UNCACHED: Final[Headers] = ((b"Cache-Control", b"no-store"), (b"Vary", b"Accept"))

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
#: Of an event stream: a proxy in between is not to gather it (``X-Accel-Buffering`` is nginx's word for that).
EVENTS: Final[Headers] = (*PLAIN, (b"X-Accel-Buffering", b"no"))
