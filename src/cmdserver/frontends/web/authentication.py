"""Who asks, and how they can say so: a client certificate, HTTP Basic, a bearer token, or the cookie of a session.

What is said in the request itself counts before what the connection or the browser says by itself. Every login goes
through the door, and so through the penalties, the limits and the audit file that all doors share; a session's later
requests do not log in again.
"""

import hmac
import os
from base64 import b64decode
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.claims import BearerToken, Password
from cmdserver.errors import LoginRefused, Malformed
from cmdserver.frontends.web import guard
from cmdserver.frontends.web.pages import TOKEN_FIELD, TOKEN_HEADER, Visitor
from cmdserver.frontends.web.request import Fields, WebRequest
from cmdserver.frontends.web.sessions import SECRET_BYTES, Session, Sessions
from cmdserver.identity import Credentials, Door, Login, Offence
from cmdserver.model import Caller

#: A browser sends a cookie with this prefix only if it came over TLS, from this very host, for all of it (RFC 6265bis,
#: section 4.1.3.2).
_SECURE_PREFIX: Final = b"__Host-"
_COOKIE: Final = b"cmdserver-session"
_COOKIE_RULES: Final = b"; Path=/; HttpOnly; SameSite=Strict"
_NO_SESSION: Final = b""


class Authentication:
    """One door's way from requests to callers.

    Args:
        door: Finds out who somebody is.
        clock: For sessions.
        random: So many random bytes, anew at each call.
    """

    def __init__(self, door: Door, clock: IReactorTime, random: Callable[[int], bytes] = os.urandom) -> None:
        self._door = door
        self._clock = clock
        self._random = random
        self._sessions = Sessions()
        self._key = random(SECRET_BYTES)

    # Who asks

    def caller_of(self, request: WebRequest) -> Caller | Deferred[Caller]:
        """Find out who asks; most often that is known at once.

        Returns:
            Fails, if it is a Deferred, with what `Door.log_in` fails with, or `Malformed`.
        """
        source = request.connection.source
        if self._door.login is Login.NEVER:
            return self._door.anonymous(source)
        authorization = request.header(b"authorization")
        if authorization is not None:
            return self._log_in_by_header(request, authorization)
        if request.connection.certified is not None:
            return request.connection.certified
        session = self._session_of(request)
        if session is not None:
            return self._door.again(session.caller, source)
        return self._door.anonymous(source)

    def _log_in_by_header(self, request: WebRequest, authorization: bytes) -> Deferred[Caller]:
        try:
            credentials = _credentials(authorization, request.connection.source)
        except Malformed as malformed:
            return fail(malformed)
        return self._log_in(request, credentials)

    def _log_in(self, request: WebRequest, credentials: Credentials) -> Deferred[Caller]:
        """Try a login; whoever does not wait for the outcome has tried."""
        charged = request.connection.charged
        trying = self._door.log_in(request.connection.source, credentials)

        def refused(failure: Failure) -> Failure:
            if failure.check(LoginRefused):
                self._door.offended(charged, Offence.AUTHFAIL)
            return failure

        def gone() -> None:
            self._door.offended(charged, Offence.AUTHFAIL)
            trying.cancel()

        if not trying.called:
            request.when_gone = gone
        return trying.addErrback(refused)

    # What may log in, and what may change something

    def may_log_in(self, caller: Caller) -> bool:
        """Whether somebody could be somebody else here."""
        return self._door.login is not Login.NEVER and caller.is_anonymous

    def must_log_in(self, caller: Caller) -> bool:
        """Whether somebody may not do anything else."""
        return self._door.login is Login.REQUIRED and caller.is_anonymous

    def visitor(self, request: WebRequest, caller: Caller) -> Visitor:
        """Say who looks at a page."""
        may_log_in = self._door.login is not Login.NEVER and (
            caller.is_anonymous or self._session_of(request) is not None
        )
        return Visitor(name=caller.name, may_log_in=may_log_in, token=self._token(request, caller))

    def require_meant(self, request: WebRequest, caller: Caller, fields: Fields) -> None:
        """Refuse what changes something and was not meant by whoever's browser sends it.

        A request without a trace of a browser (no Origin, no Sec-Fetch-Site, no session) is no browser's, and needs no
        token: there is nobody whose rights it could borrow.

        Raises:
            Denied: It was not.
        """
        origin, fetch_site = request.header(b"origin"), request.header(b"sec-fetch-site")
        authority = request.header(b"host") or b""
        guard.require_own_page(origin, fetch_site, authority, is_secure=request.connection.is_secure)
        if guard.is_of_browser(origin, fetch_site) or self._session_of(request) is not None:
            field = next((value.encode() for name, value in fields if name == TOKEN_FIELD), None)
            given = request.header(TOKEN_HEADER.lower().encode("ascii")) or field
            guard.require_token(given, self._token(request, caller))

    # Sessions

    def log_in(self, request: WebRequest, name: str, password: str) -> Deferred[Caller]:
        """Try what somebody has put into the form; a success begins a session, which the answer's cookie names."""
        source = request.connection.source
        trying = self._log_in(request, Password(name=name, password=password.encode(), source=source))
        return trying.addCallback(self._begin_session, request)

    def log_out(self, request: WebRequest) -> None:
        """End the session of a request, here and in the browser."""
        self._sessions.end(_number(request))
        _set_cookie(request, _NO_SESSION)

    def _begin_session(self, caller: Caller, request: WebRequest) -> Caller:
        self._sessions.end(_number(request))
        number = self._sessions.begin(caller, self._clock.seconds(), self._random(2 * SECRET_BYTES))
        _set_cookie(request, number.encode("ascii"))
        return caller

    def _session_of(self, request: WebRequest) -> Session | None:
        number = _number(request) if request.received_cookies else ""
        return self._sessions.find(number, self._clock.seconds()) if number else None

    def _token(self, request: WebRequest, caller: Caller) -> str:
        """What forms of a caller carry: nobody can know it who cannot read a page that is made for that caller."""
        session = self._session_of(request)
        if session is not None:
            return session.token
        return hmac.digest(self._key, caller.key.encode(), "sha256").hex()


def _credentials(authorization: bytes, source: str) -> Credentials:
    """Read an Authorization header (RFC 9110, section 11.6.2).

    Raises:
        Malformed: It is of another scheme, or not as its scheme wants it.
    """
    scheme, _, rest = authorization.partition(b" ")
    match scheme.lower():
        case b"bearer":
            return BearerToken(secret=rest.strip().decode("latin-1"), source=source)
        case b"basic":
            return _basic(rest.strip(), source)
        case _:
            text = "the Authorization header is neither Basic nor Bearer"
            raise Malformed(text)


def _basic(encoded: bytes, source: str) -> Password:
    """Read what HTTP Basic sends (RFC 7617): name and password, joined by the first colon, in UTF-8."""
    try:
        name, colon, password = b64decode(encoded, validate=True).partition(b":")
        user = name.decode()
    except ValueError:
        colon = b""
    if not colon:
        text = "the Authorization header is not Basic as RFC 7617 has it"
        raise Malformed(text)
    return Password(name=user, password=password, source=source, is_repeated=True)


def _cookie_name(request: WebRequest) -> bytes:
    return _SECURE_PREFIX + _COOKIE if request.connection.is_secure else _COOKIE


def _number(request: WebRequest) -> str:
    number: bytes = request.received_cookies.get(_cookie_name(request), b"")
    return number.decode("latin-1")


def _set_cookie(request: WebRequest, number: bytes) -> None:
    rules = _COOKIE_RULES + (b"; Secure" if request.connection.is_secure else b"")
    if not number:
        rules += b"; Max-Age=0"
    request.cookies.append(_cookie_name(request) + b"=" + number + rules)
