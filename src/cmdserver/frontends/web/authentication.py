"""Who asks, and how they can say so: HTTP Basic, a token, a certificate, a session's cookie, a signature.

What is said in the request itself counts before what the connection or the browser says by itself; and whom a trusted
proxy names, before everything: it may have asked for the password that it passes on, which is none of ours. Every login
goes through the listener, and so through the penalties, the limits and the audit file that all listeners share; a
session's later requests do not log in again.
"""

import hmac
import os
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.auth.callers import from_elsewhere
from cmdserver.auth.credentials import (
    BearerToken,
    CodeRequired,
    Credentials,
    OneTimeCode,
    Password,
    ProxiedUser,
    RequestSignature,
)
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import LoginRefused, SessionEnded, UnreadableCredentials
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller, Somebody, Stranger
from cmdserver.frontends.web.http import cross_site
from cmdserver.frontends.web.http.form_data import Fields
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, Representation
from cmdserver.frontends.web.http.pending_codes import NUMBER_BYTES, SECONDS, PendingCodes
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages.layout import TOKEN_FIELD, TOKEN_HEADER
from cmdserver.frontends.web.proxies.logins import ProxiedLogins
from cmdserver.frontends.web.sessions import SECRET_BYTES, Session, Sessions
from cmdserver.frontends.web.signed.signed_requests import Signer, sign_answer, signature_of
from cmdserver.limits.source_penalties import Offence

#: A browser sends a cookie with this prefix only if it came over TLS, from this very host, for all of it (RFC 6265bis,
#: section 4.1.3.2).
_SECURE_PREFIX: Final = b"__Host-"
_COOKIE: Final = b"cmdserver-session-"
_COOKIE_RULES: Final = b"; HttpOnly; SameSite=Strict"
_NO_SESSION: Final = b""

#: What is said in an Authorization header of another scheme (Negotiate, Digest, AWS4-HMAC-SHA256) is for somebody else,
#: such as a proxy before us that passes it on.
_BASIC, _BEARER = b"basic", b"bearer"
#: The fields in which a request may say who asks.
_SAYING: Final = (b"authorization", b"signature-input", b"signature")
_SCHEMES: Final = frozenset({_BASIC, _BEARER})


class Authentication:
    """One listener's way from requests to callers.

    Args:
        place: What tells this listener from others, on this host and elsewhere, and stays the same after a restart.
        signer: Signs answers to signed requests.
        random: So many random bytes, anew at each call.
    """

    def __init__(
        self,
        listener_auth: ListenerAuth,
        clock: IReactorTime,
        place: str,
        signer: Signer,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._signer = signer
        self._listener_auth = listener_auth
        self._clock = clock
        self._place = place.encode(errors="surrogateescape")
        self._random = random
        self._sessions = Sessions()
        self._proxied = ProxiedLogins()
        self._pending_codes = PendingCodes()
        self._key = random(SECRET_BYTES)

    # Who asks

    def caller_of(self, request: WebRequest, *, is_for_strangers: bool = False) -> Caller | Stranger | Deferred[Caller]:
        """Find out who asks; most often that is known at once.

        Args:
            request: What is asked.
            is_for_strangers: Whether it is answered to everybody, as the form of the login is.

        Returns:
            A stranger only where a login is required. Fails, if it is a Deferred, with what `ListenerAuth.log_in` fails
            with.

        Raises:
            UnreadableCredentials: There is an Authorization header that cannot be read.
            SessionEnded: See `_miss_session`.
        """
        source = request.sender.source
        if self._listener_auth.login is Login.NEVER:
            return self._listener_auth.anonymous(source)
        # A certificate that a proxy shows is its own, and not that of those for whom it asks.
        certified = request.connection.certified if not request.sender.is_proxied else None
        if request.sender.users is not None or any(map(request.requestHeaders.hasHeader, _SAYING)):
            said = self._said_in(request, certified)
            if said is not None:
                return said
        session = self._session_of(request) if request.received_cookies else None
        if certified is not None and not _is_same_with_code(session, certified):
            return certified
        if session is not None:
            return from_elsewhere(session.caller, source)
        if request.received_cookies and self._number(request):
            self._miss_session(request, is_for_strangers=is_for_strangers)
        return (
            self._listener_auth.stranger(source)
            if self._listener_auth.login is Login.REQUIRED
            else self._listener_auth.anonymous(source)
        )

    def _said_in(self, request: WebRequest, certified: Caller | None) -> Caller | Deferred[Caller] | None:
        """Find out who asks by what the request itself says, or a trusted proxy; None: it says nothing.

        Who signs a request says nothing besides: what says twice who its caller is is a login that fails.

        Raises:
            UnreadableCredentials: See `caller_of`.
        """
        authorization, users = request.header(b"authorization") or b"", request.sender.users
        is_ours = _scheme(authorization) in _SCHEMES
        is_alone = users is None and certified is None and not is_ours and not self._number(request)
        if (signature := signature_of(request, is_alone=is_alone)) is not None:
            return self._log_in_by_signature(request, signature)
        if users is not None:
            return self._named_by_proxy(request, users)
        return self._log_in(request, _credentials(authorization, request.sender.source)) if is_ours else None

    def _log_in_by_signature(self, request: WebRequest, signature: RequestSignature) -> Deferred[Caller]:
        """Try a signature; if it is right, the answer is signed as well."""

        def logged_in(caller: Caller) -> Caller:
            if signature.request is not None:
                sign_answer(request, signature.request.signature, self._signer())
            return caller

        return self._log_in(request, signature).addCallback(logged_in)

    def _miss_session(self, request: WebRequest, *, is_for_strangers: bool) -> None:
        """Tell a script whose page was somebody's that this is over; who looks at a page is nobody from now on.

        Raises:
            SessionEnded: It is no page that is asked for.
        """
        if not is_for_strangers and request.representation(OF_COMMANDS) is not Representation.PAGE:
            raise SessionEnded
        if request.is_read_only:
            self._set_cookie(request, _NO_SESSION)

    def _named_by_proxy(self, request: WebRequest, names: tuple[str, ...]) -> Caller | Deferred[Caller]:
        """Take a trusted proxy's word; nobody is charged if it names no user, for nobody has guessed."""
        source, now = request.sender.source, self._clock.seconds()
        known = self._proxied.find(names, source, now)
        if known is not None:
            return known

        def logged_in(caller: Caller) -> Caller:
            self._proxied.begin(names, caller, now)
            return caller

        trying = self._listener_auth.log_in(source, ProxiedUser(names=names, source=source))
        if not trying.called:
            request.when_gone = trying.cancel
        return trying.addCallback(logged_in)

    def _log_in(self, request: WebRequest, credentials: Credentials) -> Deferred[Caller]:
        """Try a login; whoever does not wait for the outcome has tried."""
        pending_login = request.sender.pending_login
        trying = self._listener_auth.log_in(request.sender.source, credentials)

        def refused(failure: Failure) -> Failure:
            if failure.check(LoginRefused):
                pending_login.charge(Offence.AUTHFAIL)
            return failure

        def gone() -> None:
            pending_login.charge(Offence.AUTHFAIL)
            trying.cancel()

        if not trying.called:
            request.when_gone = gone
        return trying.addErrback(refused)

    # What may log in, and what may change something

    def may_log_in(self, request: WebRequest, caller: Somebody) -> bool:
        """Whether somebody could be somebody else here, who is not who a proxy says."""
        is_possible = self._listener_auth.login is not Login.NEVER and request.sender.users is None
        return is_possible and caller.name is None

    def may_log_in_or_out(self, request: WebRequest, caller: Somebody) -> bool:
        """Whether a form would log somebody in, or has done so and can log them out."""
        has_session = self._listener_auth.login is not Login.NEVER and self._session_of(request) is not None
        return has_session or self.may_log_in(request, caller)

    def holder_of_session(self, request: WebRequest) -> Caller | None:
        """Say whose session a request belongs to, whatever else is wrong with it: pages of errors have a frame too."""
        session = self._session_of(request) if self._listener_auth.login is not Login.NEVER else None
        return from_elsewhere(session.caller, request.sender.source) if session is not None else None

    def has_lost_session(self, request: WebRequest) -> bool:
        """Whether a request belonged to a session that has ended since."""
        session_ended = self._number(request) and self._session_of(request) is None
        return bool(session_ended) and request.caller is not None and request.caller.name is not None

    def require_meant(self, request: WebRequest, caller: Somebody, fields: Fields) -> None:
        """Refuse what changes something and was not meant by whoever's browser sends it.

        A request without a trace of a browser (no Origin, no Sec-Fetch-Site, no session) is no browser's, and needs no
        token: there is nobody whose rights it could borrow.

        Raises:
            Denied: It was not.
        """
        provenance = request.provenance
        cross_site.require_own_page(provenance)
        if provenance.is_of_browser or self._session_of(request) is not None:
            field = next((value.encode() for name, value in fields if name == TOKEN_FIELD), None)
            given = request.header(TOKEN_HEADER.lower().encode("ascii")) or field
            cross_site.require_token(given, self.token(request, caller))

    # Sessions

    def log_in(self, request: WebRequest, name: str, password: str, code: str = "") -> Deferred[Caller]:
        """Try what somebody has put into the form; a success begins a session, which the answer's cookie names.

        Args:
            request: What sends it.
            name: Of the user.
            password: As it was typed.
            code: A one-time code that was sent as well; empty: there is none.

        Returns:
            Fails with `CodeRequired` if a code is to follow; `wait_for_code` gives that login a number.
        """
        source = request.sender.source
        trying = self._log_in(request, Password(name=name, password=password.encode(), source=source))
        if code:
            trying.addErrback(self._go_on_with, request, code)
        return trying.addCallback(self._begin_session, request)

    def wait_for_code(self, request: WebRequest, required: CodeRequired) -> str:
        """Let a login wait for its code; return its number, which is for the page that asks for the code alone.

        Who does not come back in time has failed.
        """
        number, over = self._pending_codes.begin(required, self._random(NUMBER_BYTES))
        sender = request.sender
        if over is not None:
            self._leave_without_code(over, sender.source, sender.pending_login)
        self._clock.callLater(SECONDS, self._leave_without_code, number, sender.source, sender.pending_login)
        return number

    def _leave_without_code(self, number: str, source: str, pending_login: PendingLogin) -> None:
        required = self._pending_codes.take(number)
        if required is not None:
            self._listener_auth.left_without_code(source, required)
            pending_login.charge(Offence.AUTHFAIL)

    def log_in_with_code(self, request: WebRequest, number: str, code: str) -> Deferred[Caller]:
        """Try the code of a login that waits for it; a number that is good for nothing is a failed login."""
        required = self._pending_codes.take(number)
        if required is None:
            return fail(LoginRefused())
        trying = self._go_on_with(Failure(required), request, code)
        return trying.addCallback(self._begin_session, request)

    def _go_on_with(self, failure: Failure, request: WebRequest, code: str) -> Deferred[Caller]:
        """Show a code after what takes one."""
        required = failure.value
        if not isinstance(required, CodeRequired):
            failure.raiseException()
        return self._log_in(request, OneTimeCode(proof=required.proof, code=code, source=request.sender.source))

    def log_out(self, request: WebRequest) -> None:
        """End the session of a request, here and in the browser."""
        self._sessions.end(self._number(request))
        self._set_cookie(request, _NO_SESSION)

    def _begin_session(self, caller: Caller, request: WebRequest) -> Caller:
        self._sessions.end(self._number(request))
        number = self._sessions.begin(caller, self._clock.seconds(), self._random(2 * SECRET_BYTES))
        self._set_cookie(request, number.encode("ascii"))
        return caller

    def _session_of(self, request: WebRequest) -> Session | None:
        number = self._number(request) if request.received_cookies else ""
        return self._sessions.find(number, self._clock.seconds()) if number else None

    def _cookie_name(self, request: WebRequest) -> bytes:
        """A name of this listener's own, for cookies know no ports (RFC 6265, section 8.5).

        Two daemons on a host, or at the ends of two tunnels to one, would log each other's users out: what they differ
        by is the port that the browser calls, or the path, or what they are themselves.
        """
        own = b"\0".join(
            (cross_site.port_of(request.called_host or b""), request.target.base_path.encode("ascii"), self._place)
        )
        name = _COOKIE + sha256(own).hexdigest()[:8].encode("ascii")
        return _SECURE_PREFIX + name if request.sender.is_secure else name

    def _number(self, request: WebRequest) -> str:
        """Return the number of the session that a request names; none where a proxy says who somebody is."""
        if request.sender.users is not None:
            return ""
        number: bytes = request.received_cookies.get(self._cookie_name(request), b"")
        return number.decode("latin-1")

    def _set_cookie(self, request: WebRequest, number: bytes) -> None:
        # The secure prefix wants the whole server as its path.
        path = b"/" if request.sender.is_secure else request.target.base_path.encode("ascii") or b"/"
        rules = b"; Path=" + path + _COOKIE_RULES + (b"; Secure" if request.sender.is_secure else b"")
        if not number:
            rules += b"; Max-Age=0"
        request.cookies.append(self._cookie_name(request) + b"=" + number + rules)

    def token(self, request: WebRequest, caller: Somebody) -> str:
        """What forms of a caller carry: nobody can know it who cannot read a page that is made for that caller."""
        session = self._session_of(request)
        if session is not None:
            return session.token
        return hmac.digest(self._key, caller.key.encode(), "sha256").hex()


def _is_same_with_code(session: Session | None, certified: Caller) -> bool:
    """Whether a session is that of a certificate's holder, who has shown a code for it as well."""
    return session is not None and session.caller.has_second_factor and session.caller.name == certified.name


def _scheme(authorization: bytes) -> bytes:
    """Which scheme an Authorization header is of (RFC 9110, section 11.4)."""
    return authorization.partition(b" ")[0].lower()


def _credentials(authorization: bytes, source: str) -> Credentials:
    """Read an Authorization header of one of our schemes.

    Raises:
        UnreadableCredentials: It is not as its scheme wants it.
    """
    rest = authorization.partition(b" ")[2].strip()
    if _scheme(authorization) == _BASIC:
        return _basic(rest, source)
    if not rest:
        raise UnreadableCredentials("the Authorization header has no token")
    return BearerToken(secret=rest.decode("latin-1"), source=source)


def _basic(encoded: bytes, source: str) -> Password:
    """Read what HTTP Basic sends (RFC 7617): name and password, joined by the first colon, in UTF-8."""
    try:
        name, colon, password = b64decode(encoded, validate=True).partition(b":")
        user = name.decode()
    except ValueError:
        colon = b""
    if not colon:
        raise UnreadableCredentials("the Authorization header is not Basic as RFC 7617 has it")
    return Password(name=user, password=password, source=source, is_repeated=True, can_ask=False)
