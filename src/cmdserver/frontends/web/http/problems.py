"""Errors as HTTP has them: status, header fields, and a whole response where there is no request to respond to."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from twisted.web.http import datetimeToString

from cmdserver.core.errors import (
    Code,
    LoginRefused,
    Malformed,
    Refusal,
    RequestError,
    SessionEnded,
    TryAgain,
    UnknownCommand,
    UnreadableCredentials,
)
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.negotiation import Representation

#: By code; of ``ok`` the answer decides, see `answers.status_of`.
STATUS: Final[Mapping[Code, HTTPStatus]] = {
    Code.OK: HTTPStatus.OK,
    Code.MALFORMED: HTTPStatus.BAD_REQUEST,
    Code.UNKNOWN_COMMAND: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_RUN: HTTPStatus.NOT_FOUND,
    Code.FAILED: HTTPStatus.BAD_GATEWAY,
    Code.DENIED: HTTPStatus.FORBIDDEN,
    Code.BAD_ARGUMENT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    Code.FAULT: HTTPStatus.INTERNAL_SERVER_ERROR,
}

#: The host of a request and its target, if they are as all clients write them.
_HOST: Final = re.compile(rb"\r\nhost:[ \t]*([a-z0-9._:\[\]-]{1,255})[ \t]*\r\n", re.IGNORECASE)
_TARGET: Final = re.compile(rb"[A-Z]{1,16} (/[!-~]{0,1023}) HTTP/1")

#: How programs can log in.
_CHALLENGES: Final[Headers] = (
    (b"WWW-Authenticate", b'Basic realm="cmdserver", charset="UTF-8"'),
    (b"WWW-Authenticate", b'Bearer realm="cmdserver"'),
)
#: For pages and their scripts, which have a form. A browser that is told of Basic asks in a window of its own.
_CHALLENGES_OF_PAGES: Final[Headers] = _CHALLENGES[1:]


def status_of(error: RequestError, *, may_log_in: bool) -> int:
    """Return the status of an error.

    To an anonymous caller who could log in here, a command that they do not see may be one that a login shows them.
    """
    if isinstance(error, LoginRefused | UnreadableCredentials | SessionEnded):
        return HTTPStatus.UNAUTHORIZED
    if may_log_in and isinstance(error, UnknownCommand):
        return HTTPStatus.UNAUTHORIZED
    return STATUS[error.code]


def status_of_body(refusal: Refusal) -> int:
    """Return the status of a body that was not kept: most often it is too long."""
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if isinstance(refusal, Malformed) else STATUS[refusal.code]


def headers_of(error: RequestError, status: int, *, is_browser: bool) -> Headers:
    """Return the header fields of an error with a status."""
    found: Headers = ()
    if isinstance(error, TryAgain):
        found += ((b"Retry-After", b"%d" % error.retry_after_seconds),)
    if status == HTTPStatus.UNAUTHORIZED:
        found += _CHALLENGES_OF_PAGES if is_browser else _CHALLENGES
    return found


def representation_of_errors(wanted: Representation) -> Representation:
    """Return how an error is represented to a client that wanted something: as JSON, if that was an event stream."""
    return Representation.JSON if wanted is Representation.EVENTS else wanted


def speaks_tls(data: bytes) -> Malformed:
    """Return what is told to a client that speaks plain HTTP to a port for TLS: the address that it means.

    Args:
        data: What it has sent first. Only what can stand in an address is repeated.
    """
    host, target = _HOST.search(data), _TARGET.match(data)
    address = "https://" + (host[1].decode("ascii") + (target[1].decode("ascii") if target else "/") if host else "…")
    return Malformed(f"this port speaks HTTPS; ask for {address}")


def whole_response(error: RequestError, status: int) -> bytes:
    """Return a whole response of HTTP/1.1 to something that is not a request; it closes the connection."""
    body = error_text(error)
    fields = (
        (b"Date", datetimeToString()),
        (b"Connection", b"close"),
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", b"%d" % len(body)),
        *headers.PLAIN,
        *headers_of(error, status, is_browser=True),
    )
    head = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode("ascii"))
    return head + headers.as_sent(fields) + b"\r\n" + body
