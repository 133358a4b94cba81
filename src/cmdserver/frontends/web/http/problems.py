"""The one table from errors to HTTP: status, and what belongs beside it.

Rule of this file: pure; how an error looks is for `pages` and `rendering`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from cmdserver.core.errors import Code, LoginRefused, RequestError, TryAgain, UnknownCommand, UnreadableCredentials
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.negotiation import Representation

#: ``ok`` is the answer's own.
STATUS: Final[Mapping[Code, HTTPStatus]] = {
    Code.OK: HTTPStatus.OK,
    Code.MALFORMED: HTTPStatus.BAD_REQUEST,
    Code.UNKNOWN_COMMAND: HTTPStatus.NOT_FOUND,
    Code.DENIED: HTTPStatus.FORBIDDEN,
    Code.BAD_ARGUMENT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    Code.FAULT: HTTPStatus.INTERNAL_SERVER_ERROR,
}

#: How programs can say who they are.
_CHALLENGES: Final[Headers] = (
    (b"WWW-Authenticate", b'Basic realm="cmdserver", charset="UTF-8"'),
    (b"WWW-Authenticate", b'Bearer realm="cmdserver"'),
)
#: For pages and their scripts, which have a form for it. A browser that is told of Basic asks in a window of its own.
_CHALLENGES_OF_PAGES: Final[Headers] = _CHALLENGES[1:]


def status_of(error: RequestError, *, may_log_in: bool) -> int:
    """Say which status an error has.

    Args:
        error: What happened.
        may_log_in: Whether the caller is anonymous and could log in here: then a command that they do not know of may
            be one that they need only say who they are for.
    """
    if isinstance(error, LoginRefused | UnreadableCredentials) or (may_log_in and isinstance(error, UnknownCommand)):
        return HTTPStatus.UNAUTHORIZED
    return STATUS[error.code]


def headers_of(error: RequestError, status: int, *, is_browser: bool) -> Headers:
    """Say what belongs beside an error of a status."""
    found: Headers = ()
    if isinstance(error, TryAgain):
        found += ((b"Retry-After", b"%d" % error.retry_after_seconds),)
    if status == HTTPStatus.UNAUTHORIZED:
        found += _CHALLENGES_OF_PAGES if is_browser else _CHALLENGES
    return found


def representation_of_errors(wanted: Representation) -> Representation:
    """Say what an error looks like to somebody who wanted something: a stream that never began is told in JSON."""
    return Representation.JSON if wanted is Representation.EVENTS else wanted
